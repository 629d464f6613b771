"""The contract between the OAuth service and the programs that sign people in through it."""
