"""The tables of which files commits changed, filled only for repositories where somebody asks for it."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from trackeep.store.tables import BigId, flag_column, metadata

# Compared and lowered byte by byte in both databases: only A to Z have another case.
_BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")

# Files, and folders, whose text ends in a slash. A commit changes the folders of its files, too: so whatever
# is looked for, its last part is that of few rows here, however many files lie below. `name` is that last
# part in lower case, with a folder's slash.
path = Table(
    "path",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), nullable=False),
    Column("text", _BYTEWISE, nullable=False),
    Column("name", _BYTEWISE, nullable=False),
    UniqueConstraint("repository_id", "text"),
    Index(None, "name", "repository_id"),
)

# Rare paths lead to their commits by the index; for a frequent one the newest commits are asked for it.
commit_path = Table(
    "commit_path",
    metadata,
    Column("commit_id", ForeignKey("commit.id", ondelete="CASCADE"), primary_key=True),
    Column("path_id", ForeignKey("path.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "path_id", "commit_id"),
    sqlite_with_rowid=False,
)

# Commits whose paths are stored; `is_cut`: only the first of very many.
compared_commit = Table(
    "compared_commit",
    metadata,
    Column("commit_id", ForeignKey("commit.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("files", Integer, nullable=False),
    flag_column("is_cut"),
)
