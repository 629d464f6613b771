"""Alembic runs this file; the caller has already opened the connection and its transaction."""

from alembic import context

context.run_migrations()
