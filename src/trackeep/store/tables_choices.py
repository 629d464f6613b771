"""The tables of what people chose of repositories: their tags, and those they asked for by name."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import account_key, metadata, text_column, time_column

# Words of one person alone; nobody else sees them.
repository_tag = Table(
    "repository_tag",
    metadata,
    account_key(primary_key=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("tag", Text, primary_key=True),
    Index(None, "account_id", "tag"),
)

# Repositories that somebody wants to follow and that only GitHub can tell of. `name` is owner/name in lower
# case, `asked` as it was typed; `state` is "waiting", "followed" or "refused", and then `problem` says why.
wish = Table(
    "wish",
    metadata,
    account_key(primary_key=True),
    Column("name", Text, primary_key=True),
    text_column("asked"),
    time_column("asked_at", needed=True),
    text_column("state"),
    time_column("answered_at"),
    text_column("problem"),
    text_column("link"),
    info=UNCOUNTED,
)
