"""Every table of the first version."""

from alembic import op

from trackeep.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Made from the tables themselves until the first release; later revisions list their own changes."""
    metadata.create_all(op.get_bind())
