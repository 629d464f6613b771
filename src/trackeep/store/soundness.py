"""Looks a database over: pages and indexes, rows that point at nothing, tables that are missing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, ForeignKeyConstraint, Select, and_, exists, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import WAIT_MS, Database, sqlite_path
from trackeep.errors import DatabaseError
from trackeep.store.schema import metadata

_MOST_SHOWN = 20


async def problems(db: Database) -> list[str]:
    """What is wrong with the database, each in one sentence; it is read through, which takes its time."""
    async with db.read() as conn:
        found = await conn.run_sync(_missing)
        if db.is_sqlite:
            found += await _damage(conn)
        if not found:
            found += await _orphans(conn)
    return found


async def vacuum(db: Database) -> None:
    """Give the space of deleted rows back, and let the database learn what its tables hold."""
    if db.is_sqlite:
        await asyncio.to_thread(_vacuum_file, sqlite_path(db.url))
        return
    async with db.engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text("vacuum (analyze)"))


def _vacuum_file(path: Path) -> None:
    try:
        # A connection of its own: SQLite does this outside of transactions only.
        with contextlib.closing(sqlite3.connect(path, timeout=WAIT_MS / 1000, isolation_level=None)) as conn:
            for statement in ("vacuum", "analyze", "pragma wal_checkpoint(truncate)"):
                conn.execute(statement)
    except sqlite3.Error as error:
        raise DatabaseError(
            f"The database {path} was not vacuumed: {error}.",
            "It needs as much free room on the disk again as the database has.",
        ) from error


def _missing(conn: Connection) -> list[str]:
    there = inspect(conn)
    found = []
    for table in metadata.sorted_tables:
        if not there.has_table(table.name):
            found.append(f"Table {table.name} is missing.")
            continue
        columns = {column["name"] for column in there.get_columns(table.name)}
        found += [
            f"Column {table.name}.{column.name} is missing."
            for column in table.columns
            if column.name not in columns
        ]
    return found


async def _damage(conn: AsyncConnection) -> list[str]:
    rows = (await conn.execute(text(f"pragma integrity_check({_MOST_SHOWN})"))).scalars().all()
    return [f"The file is damaged: {row}." for row in rows if row != "ok"]


async def _orphans(conn: AsyncConnection) -> list[str]:
    found = []
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            count = await conn.scalar(_pointing_nowhere(key))
            if count:
                found.append(
                    f"{count:,} rows of {table.name} belong to a {key.referred_table.name} that is gone."
                )
    return found


def _pointing_nowhere(key: ForeignKeyConstraint) -> Select[int]:
    own = key.table
    other = key.referred_table.alias("other")
    pairs = [
        (column, other.c[element.column.name])
        for column, element in zip(key.columns, key.elements, strict=True)
    ]
    there = exists().where(and_(*(mine == theirs for mine, theirs in pairs)))
    return select(func.count()).select_from(own).where(*(mine.is_not(None) for mine, _ in pairs), ~there)
