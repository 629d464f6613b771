"""Every table of the first version."""

from alembic import op

from trackeep.store import (
    tables_branches,
    tables_fetched,
    tables_searches,
    tables_sharing,
    tables_sync,
    tables_tokens,
)
from trackeep.store.tables import metadata

revision = "0001"
down_revision = None
# Tables are known to the metadata once their files are read.
EVERY = (tables_branches, tables_fetched, tables_searches, tables_sharing, tables_sync, tables_tokens)


def upgrade() -> None:
    """Made from the tables themselves until the first release; later revisions list their own changes."""
    metadata.create_all(op.get_bind())
