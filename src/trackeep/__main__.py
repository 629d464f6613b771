"""Lets `python -m trackeep` be the same program as `trackeep`."""

from trackeep.cli import main

main()
