"""The way in and out: set-up, signing in by each of its ways, who may come in, and going."""
