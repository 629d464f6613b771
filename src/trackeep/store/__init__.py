"""An instance's database: tables, writers and readers."""
