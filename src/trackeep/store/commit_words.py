"""Keeps SQLite's full text of commits in step with their table; PostgreSQL does that by itself."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, column, func, insert, literal, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_search import ID_BITS, LATEST, LONGEST_TEXT

_COLUMNS = ("rowid", "message", "author", "tags")
_WORDS = table("commit_words", *map(column, ("commit_words", *_COLUMNS)))
_UP_TO = select(table("commit_words_up_to", column("id")).c.id).scalar_subquery()
_AT = func.min(func.max(commit.c.committed_at, 0), LATEST)
_TAGS = literal("every r").concat(commit.c.repository_id).concat(" e")
# In the order of time and id: FTS5 writes out all it has whenever a number is less than the one before.
_ROWS = select(
    _AT.op("<<")(ID_BITS).op("+")(commit.c.id),
    func.substr(commit.c.message, 1, LONGEST_TEXT),
    func.substr(commit.c.author_name, 1, LONGEST_TEXT),
    _TAGS.concat(func.hex(func.lower(commit.c.author_email))),
).order_by(_AT, commit.c.id)
_ADD = insert(_WORDS).from_select(_COLUMNS, _ROWS.where(commit.c.id > _UP_TO))
_REACHED = text('update commit_words_up_to set id = coalesce((select max(id) from "commit"), id)')


async def catch_up(conn: AsyncConnection) -> None:
    """Make what was stored since the last time findable; PostgreSQL does so by itself."""
    if conn.dialect.name == "sqlite":
        await conn.execute(_ADD)
        await conn.execute(_REACHED)


async def forget(
    conn: AsyncConnection, ids: Collection[int], *, only: ColumnElement[bool] | None = None
) -> None:
    """Take the words of these repositories out before their commits are deleted, all or some of them."""
    if conn.dialect.name == "sqlite":
        await catch_up(conn)
        columns = (literal("delete"), *_ROWS.selected_columns)
        for some in chunked(sorted(ids)):
            rows = _ROWS.with_only_columns(*columns).where(commit.c.repository_id.in_(some))
            rows = rows if only is None else rows.where(only)
            await conn.execute(insert(_WORDS).from_select(("commit_words", *_COLUMNS), rows))


async def forget_all(conn: AsyncConnection) -> None:
    """Take out the words of all commits."""
    if conn.dialect.name == "sqlite":
        await conn.execute(text("insert into commit_words (commit_words) values ('delete-all')"))
        await conn.execute(_REACHED)
