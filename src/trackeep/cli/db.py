"""`trackeep db`: the database's version, its soundness, its space, another home for it, and a shell."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.edge import finish, opened, settings_of
from trackeep.cli.output import done, show_json

if TYPE_CHECKING:
    from trackeep.database import Database


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database to this program's version; SQLite is copied before. Every start does the same."""

    async def work() -> str:
        async with opened(settings_of()) as database:
            return await database.version()

    version = finish(work())
    if as_json:
        show_json({"version": version})
    else:
        done(f"The database has version {version}, which is this program's.")


@db.command()
@json_option
def check(as_json: bool) -> None:
    """Read the whole database and say what is wrong with it; exit 1 when something is, 7 for its version."""

    async def work() -> list[str]:
        from trackeep.store import soundness

        async with _as_it_is() as database:
            return await soundness.problems(database)

    found = finish(work())
    if as_json:
        show_json({"ok": not found, "problems": found})
    else:
        for problem in found:
            click.echo(problem)
        click.echo(
            "Restore a backup, or copy what can be read to a new database: `trackeep db copy`."
            if found
            else "The database is sound."
        )
    if found:
        raise click.exceptions.Exit(1)


@db.command()
@json_option
def vacuum(as_json: bool) -> None:
    """Give the space of deleted rows back to the disk; those who write wait meanwhile."""

    async def work() -> tuple[int, int]:
        from trackeep.store import soundness

        async with _as_it_is() as database:
            before = await _size_bytes(database)
            await soundness.vacuum(database)
            return before, await _size_bytes(database)

    before, after = finish(work())
    if as_json:
        show_json({"bytes_before": before, "bytes_after": after})
    else:
        done(f"The database has {after:,} bytes; before it had {before:,}.")


@db.command("copy")
@click.option("--to", "address", required=True, metavar="URL", help="postgresql://... or sqlite:///...")
@click.option("--json", "as_json", is_flag=True, help="Say what was copied as JSON.")
def copy_(address: str, as_json: bool) -> None:
    """Copy everything to another, empty database. Stop the server first, then set TRACKEEP_DATABASE_URL.

    The key file or TRACKEEP_SECRET_KEY stays the same: tokens are copied as they are sealed.
    """
    from trackeep.environment import database_url
    from trackeep.errors import UsageError

    try:
        address = database_url(address)
    except ValueError as error:
        raise UsageError(f"The address of the other database {error}.") from None

    async def work() -> dict[str, int]:
        from trackeep.database import Database
        from trackeep.store import moving

        async with _as_it_is() as source:
            if await source.is_used_by_others():
                raise UsageError(
                    "Another program has the database open; what it writes from now on would be lost.",
                    "Stop the server, the workers and every other one first.",
                )
            target = await Database.open(address)
            try:
                return await moving.copy(source, target)
            finally:
                await target.close()

    counts = finish(work())
    if as_json:
        show_json({"rows": counts})
    else:
        done(f"Copied {sum(counts.values()):,} rows of {len(counts)} tables and counted them there.")


@db.command()
def shell() -> None:
    """Open the database in sqlite3 or psql, whichever it is for; what is changed there is not checked."""
    from trackeep.database import sqlite_path
    from trackeep.errors import UsageError

    url = settings_of().database_url
    name, argument = ("sqlite3", "") if url.startswith("sqlite:") else ("psql", url)
    program = shutil.which(name)
    if program is None:
        raise UsageError(f"The program {name} is not installed here.", "Install it, or use another client.")
    environment = dict(os.environ)
    if not argument:
        argument = str(sqlite_path(url))
    else:
        from sqlalchemy.engine import make_url

        parsed = make_url(url)
        # Everybody on this computer may read what a program was started with.
        argument = parsed.set(password=None).render_as_string()
        environment |= {"PGPASSWORD": parsed.password} if parsed.password else {}
    os.execve(program, [name, argument], environment)


async def _size_bytes(database: Database) -> int:
    from trackeep.store import instance_figures

    async with database.read() as conn:
        return (await instance_figures.size(database, conn)).database


@asynccontextmanager
async def _as_it_is() -> AsyncIterator[Database]:
    """The database, which is not brought up to date by looking at it."""
    from trackeep.database import Database

    database = await Database.open(settings_of().database_url, may_migrate=False)
    try:
        yield database
    finally:
        await database.close()
