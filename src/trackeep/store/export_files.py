"""The files that a copy of one's own data is written to: JSON lines, a zip of them or of CSV, or SQLite."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Protocol

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

from trackeep.errors import DatabaseError
from trackeep.store import exports
from trackeep.store.reports_access import Reader

Row = dict[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def write(conn: AsyncConnection, reader: Reader, kind: str, path: Path) -> dict[str, int]:
    """Write everything `reader` may read to `path`, a key of FORMATS; how many rows of each table.

    A block of rows at a time is in memory. Raises DatabaseError when there is no room.
    """
    try:
        sink = await asyncio.to_thread(FORMATS[kind], path)
        try:
            return {table.name: await _table(conn, reader, table, sink) for table in exports.EXPORTED}
        finally:
            await asyncio.to_thread(sink.close)
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(
            f"The copy of your data could not be written: {str(error).rstrip('.')}.", "Make room on the disk."
        ) from error


async def _table(conn: AsyncConnection, reader: Reader, table: Table, sink: Sink) -> int:
    count = 0
    sink.begin(table)
    async for block in exports.rows(conn, reader, table):
        # Packing takes longer than reading, and pages are served by this very loop.
        await asyncio.to_thread(sink.add, block)
        count += len(block)
    return count


def harmless(cell: object) -> object:
    """A word that a spreadsheet would take for a formula gets a mark in front, as people write such names.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class Sink(Protocol):
    """Takes table after table, each in blocks of rows."""

    def begin(self, table: Table) -> None: ...
    def add(self, block: list[Row]) -> None: ...
    def close(self) -> None: ...


class _Archive:
    """A zip with one text file a table."""

    ending = "jsonl"

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._member: IO[bytes] | None = None

    def begin(self, table: Table) -> None:
        self._end_member()
        self._member = self._zip.open(f"{table.name}.{self.ending}", "w", force_zip64=True)
        self._write(self.header(table))

    def add(self, block: list[Row]) -> None:
        self._write(self.lines(block))

    def close(self) -> None:
        self._end_member()
        self._zip.close()

    def header(self, _table: Table) -> str:
        return ""

    def lines(self, block: list[Row]) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in block)

    def _write(self, text: str) -> None:
        assert self._member is not None
        self._member.write(text.encode())

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()


class _CsvArchive(_Archive):
    """The same with a header line and values separated by commas; no cell of it is a formula."""

    ending = "csv"

    def header(self, table: Table) -> str:
        return self._csv([[column.name for column in table.columns]])

    def lines(self, block: list[Row]) -> str:
        return self._csv([harmless(cell) for cell in row.values()] for row in block)

    @staticmethod
    def _csv(rows: Iterable[list[Any]]) -> str:
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue()


class _Lines:
    """One text file; each line names the table of its row."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._table = ""

    def begin(self, table: Table) -> None:
        self._table = table.name

    def add(self, block: list[Row]) -> None:
        told = ({"table": self._table, "row": row} for row in block)
        self._file.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told))

    def close(self) -> None:
        self._file.close()


class _SqliteFile:
    """A new SQLite file with the same tables, for Datasette and its like."""

    def __init__(self, path: Path) -> None:
        # One thread at a time, though not always the same one.
        self._conn = sqlite3.connect(path, check_same_thread=False)
        self._insert = ""

    def begin(self, table: Table) -> None:
        dialect = sqlite.dialect()
        self._conn.execute(str(CreateTable(table).compile(dialect=dialect)))
        self._insert = str(table.insert().compile(dialect=dialect))

    def add(self, block: list[Row]) -> None:
        self._conn.executemany(self._insert, [tuple(row.values()) for row in block])

    def close(self) -> None:
        self._conn.commit()
        self._conn.close()


FORMATS: dict[str, Callable[[Path], Sink]] = {
    "jsonl": _Archive,
    "csv": _CsvArchive,
    "sqlite": _SqliteFile,
    "lines": _Lines,
}
