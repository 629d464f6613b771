"""`trackeep export`: a copy of what one person may read, as JSONL, CSV or a new SQLite file."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import click

from trackeep.cli.edge import account_of, account_option, finish, opened, settings_of

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.store.reports_access import Reader

Row = dict[str, Any]
FORMATS = ("jsonl", "csv", "sqlite")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the ending of FILE.")
@account_option
@click.option("--force", is_flag=True, help="Write over an existing FILE.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
def export(file: Path, kind: str | None, account: str | None, force: bool, as_json: bool) -> None:
    """Write everything you may read to FILE: .zip (JSONL or CSV inside) or .db (SQLite).

    Tokens, sessions and other people's settings are never part of it.
    """
    settings = settings_of()
    kind = kind or _kind_of(file)
    refuse_own_files(file, settings, force)

    async def write() -> dict[str, int]:
        async with opened(settings) as db:
            async with db.read() as conn:
                account_id = await account_of(conn, settings, account)
            # Written beside its place and moved at the end: a full disk leaves no half copy.
            partial = file.with_name(f".{file.name}.partial")
            partial.unlink(missing_ok=True)
            # Private repositories are in it.
            partial.touch(mode=0o600)
            try:
                counts = await _copy(db, account_id, _SINKS[kind](partial))
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)
            return counts

    counts = finish(write())
    if as_json:
        click.echo(json.dumps({"file": str(file), "format": kind, "rows": counts}))
    else:
        click.echo(f"Wrote {sum(counts.values()):,} rows of {len(counts)} tables to {file}.")


def _kind_of(file: Path) -> str:
    from trackeep.errors import UsageError

    kinds = {".zip": "jsonl", ".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite"}
    if file.suffix not in kinds:
        raise UsageError(
            f"{file} does not end in .zip or .db.", "Rename it, or say what it is with --format."
        )
    return kinds[file.suffix]


def refuse_own_files(file: Path, settings: InstanceSettings, force: bool) -> None:
    """Raise UsageError where `file` is one of ours, is there already, or has no folder."""
    from trackeep.errors import UsageError

    own = [Path(settings.database_url.removeprefix("sqlite:///")), settings.data_dir / "secret.key"]
    own += [own[0].with_name(own[0].name + ending) for ending in ("-wal", "-shm")]
    if file.resolve() in [each.resolve() for each in own]:
        raise UsageError(f"{file} is a file that Trackeep itself works with.", "Choose another name.")
    if file.exists() and not force:
        raise UsageError(f"{file} exists already.", "Choose another name, or add --force.")
    if not file.parent.is_dir():
        raise UsageError(f"The folder {file.parent} does not exist.", "Make it first, or choose another.")


async def _copy(db: Database, account_id: int, sink: Sink) -> dict[str, int]:
    from trackeep.store import exports
    from trackeep.store.reports_access import Reader

    reader = Reader(account_id, int(time.time()), ZoneInfo("UTC"))
    try:
        async with db.read() as conn:
            return {table.name: await _table(conn, reader, table, sink) for table in exports.EXPORTED}
    finally:
        sink.close()


async def _table(conn: AsyncConnection, reader: Reader, table: Table, sink: Sink) -> int:
    from trackeep.store import exports

    count = 0
    sink.begin(table)
    async for block in exports.rows(conn, reader, table):
        sink.add(block)
        count += len(block)
    return count


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
    """The same with a header line and values separated by commas."""

    ending = "csv"

    def header(self, table: Table) -> str:
        return self._csv([[column.name for column in table.columns]])

    def lines(self, block: list[Row]) -> str:
        return self._csv(list(row.values()) for row in block)

    @staticmethod
    def _csv(rows: Iterable[list[Any]]) -> str:
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue()


class _SqliteFile:
    """A new SQLite file with the same tables, for Datasette and its like."""

    def __init__(self, path: Path) -> None:
        self._conn = sqlite3.connect(path)
        self._insert = ""

    def begin(self, table: Table) -> None:
        from sqlalchemy.dialects import sqlite
        from sqlalchemy.schema import CreateTable

        dialect = sqlite.dialect()
        self._conn.execute(str(CreateTable(table).compile(dialect=dialect)))
        self._insert = str(table.insert().compile(dialect=dialect))

    def add(self, block: list[Row]) -> None:
        self._conn.executemany(self._insert, [tuple(row.values()) for row in block])

    def close(self) -> None:
        self._conn.commit()
        self._conn.close()


_SINKS: dict[str, Callable[[Path], Sink]] = {"jsonl": _Archive, "csv": _CsvArchive, "sqlite": _SqliteFile}
