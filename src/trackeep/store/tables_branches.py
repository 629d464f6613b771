"""The table of how far branches are from the default branch, for the two commits they pointed at."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import metadata, repository_key

# Of no use once one of the two moves; those of an old base go when the next ones are saved.
branch_distance = Table(
    "branch_distance",
    metadata,
    repository_key(),
    Column("base_sha", Text, primary_key=True),
    Column("head_sha", Text, primary_key=True),
    Column("ahead", Integer, nullable=False),
    Column("behind", Integer, nullable=False),
    info=UNCOUNTED,
)
