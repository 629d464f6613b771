"""`trackeep backup` and `trackeep restore`: copies of the whole database, and one put back."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option, yes_option
from trackeep.cli.edge import finish, settings_of, sure
from trackeep.cli.output import done, note, show_json

if TYPE_CHECKING:
    from trackeep.environment import InstanceSettings
    from trackeep.store.backups import Restored


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Delete all but the N newest backups.")
@click.option("--force", is_flag=True, help="Write over an existing FILE.")
@json_option
def backup(file: Path | None, keep: int | None, force: bool, as_json: bool) -> None:
    """Copy the whole database to FILE, or to the folder `backups` of the data directory.

    A server and a sync may run meanwhile. The key file is not part of it: keep a copy of that elsewhere,
    or the GitHub tokens in the backup are lost.
    """
    from trackeep.errors import UsageError
    from trackeep.store import backups

    settings = settings_of()
    if file is not None and keep is not None:
        raise UsageError("--keep is for the folder of backups.", "Leave FILE out, or --keep.")
    target = file or backups.place(settings.database_url, _folder(settings), time.time())
    _refuse_bad_place(target, settings, force)
    backups.make(settings.database_url, target, os.environ)
    gone = backups.thin_out(target.parent, keep) if keep is not None else []
    if as_json:
        told = {"file": str(target), "bytes": target.stat().st_size, "deleted": [str(path) for path in gone]}
        show_json(told)
        return
    done(f"Wrote {target} ({target.stat().st_size:,} bytes).")
    if gone:
        done(f"Deleted {len(gone)} older ones.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--keep-tokens", is_flag=True, help="Leave the backup's API tokens, feed tokens and badges valid."
)
@yes_option
@json_option
def restore(file: Path, keep_tokens: bool, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept beside it under another name.

    Stop the server and the workers first. Everybody has to sign in again afterwards, and API tokens, feed
    tokens and badges end: those that were revoked since the backup would be valid again with it.
    """
    from trackeep.database import Database
    from trackeep.store import backups

    settings = settings_of()

    async def work() -> Restored:
        db = Database.at(settings.database_url)
        try:
            return await backups.restore(db, file, int(time.time()), keep_tokens=keep_tokens)
        finally:
            await db.close()

    sure(f"Replace the database {_without_scheme(settings)} by {file}?", yes)
    restored = finish(work())
    kept = restored.replaced
    if as_json:
        replaced = None if kept is None else str(kept)
        show_json({"restored": str(file), "replaced": replaced, "ended": dict(restored.ended)})
        return
    done(f"Restored {file}. Everybody has to sign in again.")
    done(_about_tokens(restored))
    if kept is not None:
        done(f"The replaced database is {kept}; delete it when all is well.")
    note("Who may sign in, and who is connected to GitHub, is as it was then: see `trackeep user list`.")


def _about_tokens(restored: Restored) -> str:
    if "api_token" not in restored.ended:
        return "API tokens, feed tokens and badges are those of the backup: also what was revoked since."
    counts = [restored.ended[table] for table in ("api_token", "feed_token", "badge")]
    if not any(counts):
        return "The backup held no API tokens, feed tokens or badges."
    return "Revoked: API tokens {}, feed tokens {}, badges {}. Make new ones where needed.".format(*counts)


def _folder(settings: InstanceSettings) -> Path:
    settings.backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.backups_dir


def _refuse_bad_place(target: Path, settings: InstanceSettings, force: bool) -> None:
    from trackeep.cli.export import refuse_own_files
    from trackeep.database import sqlite_path
    from trackeep.errors import DatabaseError

    refuse_own_files(target, settings, force)
    if settings.database_url.startswith("sqlite:") and not sqlite_path(settings.database_url).exists():
        raise DatabaseError(f"There is no database {_without_scheme(settings)} yet.", "Run Trackeep first.")


def _without_scheme(settings: InstanceSettings) -> str:
    return settings.database_url.removeprefix("sqlite:///").rpartition("@")[2]
