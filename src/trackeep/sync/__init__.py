"""Keeps an instance's copy of GitHub up to date."""
