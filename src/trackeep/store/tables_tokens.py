"""The table of personal API tokens; each is stored as a hash only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import BigId, account_key, metadata, text_column, time_column

# `prefix` is the beginning of the token, enough to recognise it by; `scopes` are words with blanks between.
api_token = Table(
    "api_token",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    account_key(nullable=False, index=True),
    text_column("name"),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    text_column("prefix"),
    text_column("scopes"),
    time_column("created_at", needed=True),
    time_column("expires_at"),
    time_column("last_used_at"),
    text_column("last_used_address"),
    info=UNCOUNTED,
)
