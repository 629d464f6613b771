"""The settings: one file a page, and what two of them need."""
