"""The tables of what leaves an instance by an address of its own: feeds and badges."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, Table, Text

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import BigId, account_key, flag_column, metadata, text_column, time_column

# Opens feeds and nothing else; stored as a hash only. `prefix` is its beginning, to recognise it by.
feed_token = Table(
    "feed_token",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    account_key(nullable=False, index=True),
    text_column("name"),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    text_column("prefix"),
    time_column("created_at", needed=True),
    time_column("last_used_at"),
    text_column("last_used_address"),
    info=UNCOUNTED,
)

# A picture that anybody may see who knows its address. The secret stands here as it is: its owner copies it
# again and again into pages that others read, and it shows less than the rows beside it.
badge = Table(
    "badge",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    account_key(nullable=False, index=True),
    Column("secret", Text, nullable=False, unique=True),
    text_column("kind"),
    # Of which repository; none for a badge about the person.
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), index=True),
    flag_column("is_named"),
    flag_column("counts_private"),
    time_column("created_at", needed=True),
    info=UNCOUNTED,
)
