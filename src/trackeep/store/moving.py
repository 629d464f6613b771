"""Copies everything from one database to another one, such as from SQLite to PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.errors import DatabaseError, UsageError
from trackeep.store import commit_words
from trackeep.store.schema import metadata
from trackeep.store.tables_revision import revision

_ROWS_AT_ONCE = 2_000
# Each database has a number of its own, an emptied one too.
_TABLES = [table for table in metadata.sorted_tables if table is not revision]


async def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy every table in one transaction; returns how many rows each has, counted in the copy.

    Both have the same version. Raises UsageError when the target holds anything already, and DatabaseError
    when a count differs; the target is as empty then as it was.
    """
    async with source.read() as reading, target.write() as writing:
        for table in _TABLES:
            if await _count(writing, table):
                raise UsageError(
                    "The other database holds data already.", "Give an empty one; nothing was changed."
                )
        found = {}
        for table in _TABLES:
            await _copy_table(reading, writing, table)
            found[table.name] = await _count(writing, table)
            if found[table.name] != await _count(reading, table):
                raise DatabaseError(
                    f"Table {table.name} was not copied in full.", "Nothing was changed there."
                )
        await commit_words.catch_up(writing)
        if not target.is_sqlite:
            await _continue_numbers(writing)
    return found


async def _copy_table(reading: AsyncConnection, writing: AsyncConnection, table: Table) -> None:
    async with reading.stream(select(table)) as result:
        async for block in result.mappings().partitions(_ROWS_AT_ONCE):
            await writing.execute(insert(table), [dict(row) for row in block])


async def _continue_numbers(conn: AsyncConnection) -> None:
    """PostgreSQL counts by itself only what it was asked to number; the next row gets the next number."""
    for table in _TABLES:
        column = table.autoincrement_column
        if column is None or not isinstance(column.autoincrement, bool) or not column.autoincrement:
            continue
        counter = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
        last = select(func.max(column)).scalar_subquery()
        await conn.execute(select(func.setval(counter, last)).where(text("true"), last.is_not(None)))


async def _count(conn: AsyncConnection, table: Table) -> int:
    return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())
