"""The table of the one number that says which state of the database a figure was counted from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import metadata

# One row, and none before the first change; revisions.py raises its number.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    info=UNCOUNTED,
)
