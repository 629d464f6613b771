"""Talking to GitHub: one question is one function, and GitHub's rules are obeyed in one place."""
