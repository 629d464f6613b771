"""`trackeep export`: a copy of what one person may read, as JSONL, CSV or a new SQLite file."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.edge import account_option, finish, opened, settings_of

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.database import Database

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
    from trackeep.errors import UsageError

    if kind is None:
        kind = "sqlite" if file.suffix in (".db", ".sqlite", ".sqlite3") else "jsonl"
    if file.exists() and not force:
        raise UsageError(f"{file} exists already.", "Choose another name, or add --force.")
    if not file.parent.is_dir():
        raise UsageError(f"The folder {file.parent} does not exist.", "Make it first, or choose another.")

    async def write() -> dict[str, int]:
        from trackeep.store import people

        async with opened(settings_of()) as db:
            async with db.read() as conn:
                account_id = await people.account_named(conn, account)
            # Written beside its place and moved at the end: a full disk leaves no half copy.
            partial = file.with_name(f".{file.name}.partial")
            try:
                counts = await _WRITERS[kind](db, account_id, partial)
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)
            return counts

    counts = finish(write())
    if as_json:
        click.echo(json.dumps({"file": str(file), "format": kind, "rows": counts}))
    else:
        click.echo(f"Wrote {sum(counts.values()):,} rows of {len(counts)} tables to {file}.")


async def _zip(
    db: Database, account_id: int, path: Path, ending: str, lines: Callable[[list[dict[str, Any]], bool], str]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    async with db.read() as conn:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            async for table, blocks in _tables(conn, account_id):
                counts[table.name] = 0
                with archive.open(f"{table.name}.{ending}", "w") as member:
                    async for block in blocks:
                        member.write(lines(block, counts[table.name] == 0).encode())
                        counts[table.name] += len(block)
    return counts


async def _jsonl(db: Database, account_id: int, path: Path) -> dict[str, int]:
    def lines(block: list[dict[str, Any]], _first: bool) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in block)

    return await _zip(db, account_id, path, "jsonl", lines)


async def _csv(db: Database, account_id: int, path: Path) -> dict[str, int]:
    def lines(block: list[dict[str, Any]], first: bool) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(block[0]))
        if first:
            writer.writeheader()
        writer.writerows(block)
        return out.getvalue()

    return await _zip(db, account_id, path, "csv", lines)


async def _sqlite(db: Database, account_id: int, path: Path) -> dict[str, int]:
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateTable

    counts: dict[str, int] = {}
    path.unlink(missing_ok=True)
    target = sqlite3.connect(path)
    try:
        async with db.read() as conn:
            async for table, blocks in _tables(conn, account_id):
                target.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
                counts[table.name] = 0
                async for block in blocks:
                    names = ", ".join(f'"{name}"' for name in block[0])
                    marks = ", ".join(f":{name}" for name in block[0])
                    # Names come from our own tables, never from outside.
                    target.executemany(f'insert into "{table.name}" ({names}) values ({marks})', block)  # noqa: S608
                    counts[table.name] += len(block)
        target.commit()
    finally:
        target.close()
    return counts


async def _tables(
    conn: AsyncConnection, account_id: int
) -> AsyncIterator[tuple[Table, AsyncIterator[list[dict[str, Any]]]]]:
    from trackeep.store import exports

    for table in exports.EXPORTED:
        yield table, exports.rows(conn, account_id, table)


_WRITERS = {"jsonl": _jsonl, "csv": _csv, "sqlite": _sqlite}
