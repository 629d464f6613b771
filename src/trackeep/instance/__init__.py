"""The self-hosted program: pages, sign-in and its settings."""
