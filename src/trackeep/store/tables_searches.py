"""The table of searches that people keep."""

from __future__ import annotations

from sqlalchemy import Column, Table, UniqueConstraint

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import BigId, account_key, metadata, text_column, time_column

# `kind` says which list is searched, such as "pulls"; `query` is what is typed there.
saved_search = Table(
    "saved_search",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    account_key(nullable=False),
    text_column("kind"),
    text_column("name"),
    text_column("query"),
    time_column("created_at", needed=True),
    UniqueConstraint("account_id", "kind", "name"),
    info=UNCOUNTED,
)
