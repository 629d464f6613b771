"""`trackeep export`: a copy of what one person may read, as JSONL, CSV or a new SQLite file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from trackeep.cli.edge import account_of, account_option, finish, opened, settings_of

if TYPE_CHECKING:
    from trackeep.environment import InstanceSettings

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
        from trackeep.store import export_files
        from trackeep.store.reports_access import Reader

        async with opened(settings) as db:
            async with db.read() as conn:
                account_id = await account_of(conn, settings, account)
            # Written beside its place and moved at the end: a full disk leaves no half copy.
            partial = file.with_name(f".{file.name}.partial")
            partial.unlink(missing_ok=True)
            # Private repositories are in it; what somebody else made there meanwhile is left alone.
            partial.touch(mode=0o600, exist_ok=False)
            try:
                reader = Reader(account_id, int(time.time()), ZoneInfo("UTC"))
                async with db.read() as conn:
                    counts = await export_files.write(conn, reader, kind, partial)
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
