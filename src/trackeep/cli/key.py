"""`trackeep key`: a new key for what is encrypted at rest, and the change to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.edge import finish, opened, settings_of
from trackeep.cli.output import done, show_json

if TYPE_CHECKING:
    from trackeep.environment import InstanceSettings
    from trackeep.store.sealed import Resealed


@click.group()
def key() -> None:
    """The key that encrypts GitHub tokens at rest."""


@key.command()
def generate() -> None:
    """Print a new key, for TRACKEEP_SECRET_KEY; nothing is changed."""
    from trackeep import vault

    click.echo(vault.generate())


@key.command()
@json_option
def rotate(as_json: bool) -> None:
    """Encrypt every stored token under a new key. Stop the server and the workers first.

    With a key file the new key is made; the old one is kept under another name, for backups made before.
    TRACKEEP_SECRET_KEY needs both first: NEW,OLD. Interrupted at any moment, run it again.
    """
    from trackeep import vault
    from trackeep.errors import UsageError

    settings = settings_of()
    if settings.secret_key and "," not in settings.secret_key:
        raise UsageError(
            "TRACKEEP_SECRET_KEY holds the old key alone.",
            "Make a new one with `trackeep key generate` and set NEW,OLD; then run this again.",
        )
    resealed = finish(_rotate(settings))
    kept: Path | None = None
    if not settings.secret_key:
        kept = vault.drop_old_keys(settings.data_dir, int(time.time()))
    if as_json:
        old = None if kept is None else str(kept)
        show_json({"changed": resealed.changed, "lost": resealed.lost, "old_key_file": old})
    else:
        _say(resealed, kept)
    if resealed.lost:
        click.echo(f"trackeep: {resealed.lost:,} were lost before: no key here opens them.", err=True)


def _say(resealed: Resealed, kept: Path | None) -> None:
    done(f"{resealed.changed:,} secrets are encrypted under the new key.")
    if kept is None:
        done("Take the old key out of TRACKEEP_SECRET_KEY, and keep it with the backups made before.")
    else:
        done(f"The old key is in {kept}; backups made before need it. Save the new key file, too.")


async def _rotate(settings: InstanceSettings) -> Resealed:
    from trackeep import vault
    from trackeep.errors import UsageError
    from trackeep.store import sealed

    async with opened(settings) as db:
        if await db.is_used_by_others():
            raise UsageError(
                "Another program has the database open; it would go on with the old key.",
                "Stop the server, the workers and every other one first.",
            )
        if not settings.secret_key:
            vault.add_key(settings.data_dir)
        ring = vault.open_vault(settings.secret_key, settings.data_dir)
        async with db.write() as conn:
            return await sealed.reseal(conn, ring)
