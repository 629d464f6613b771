"""`trackeep import`: a database of github-to-sqlite is taken in."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.edge import account_of, account_option, finish, opened, settings_of
from trackeep.cli.output import done, note, show_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.environment import InstanceSettings
    from trackeep.store.imports import Imported


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@account_option
@json_option
def import_(file: Path, account: str | None, as_json: bool) -> None:
    """Add what a FILE of github-to-sqlite has and this database lacks; for the owner of the instance.

    What GitHub itself has told is never overwritten. Repositories that GitHub has not shown to you yet stay
    hidden until the next sync has asked for them.
    """
    settings = settings_of()

    async def work() -> Imported:
        from trackeep.store import imports

        found = imports.read(file)
        async with opened(settings) as db, db.write() as conn:
            account_id = await _owner(conn, settings, account)
            return await imports.save(conn, account_id, found, int(time.time()))

    imported = finish(work())
    if as_json:
        show_json(dataclasses.asdict(imported))
        return
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in imported.added.items())
    done(f"Added {counts}.")
    if imported.left:
        note(f"Left, because others read them and you do not: {', '.join(imported.left)}.")
    if imported.unknown:
        note(f"Tables that are not read: {', '.join(imported.unknown)}.")


async def _owner(conn: AsyncConnection, settings: InstanceSettings, login: str | None) -> int:
    """The owner's account; where nobody owns the instance, that of whoever syncs with a token."""
    from trackeep.errors import Forbidden
    from trackeep.store import ownership

    owner_id = await ownership.owner_id(conn)
    if owner_id is not None and login is None:
        return owner_id
    account_id = await account_of(conn, settings, login)
    if owner_id not in (None, account_id):
        raise Forbidden("Only the owner of this Trackeep may bring data in.", "These rows are shared by all.")
    return account_id
