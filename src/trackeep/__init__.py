"""Sign in with GitHub and keep your own GitHub activity in your own database."""

__version__ = "0.1.0"
