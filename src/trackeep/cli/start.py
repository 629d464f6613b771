"""`trackeep` alone: what needs you, or, where nothing is set up yet, how to begin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackeep.cli.edge import finish, opened, settings_of

if TYPE_CHECKING:
    from trackeep.environment import InstanceSettings

HOW_TO_BEGIN = """Nothing is set up here yet. To begin, run one of

  trackeep serve                      the web pages: open the address it prints and sign in
  trackeep login                      connect your GitHub account from here
  GITHUB_TOKEN=... trackeep sync      no server, a token is enough
  trackeep demo                       look around with invented data

`trackeep --help` lists every command."""


def begin(context: click.Context) -> None:
    """Show the status; where nobody has signed in, serve at a terminal and say how to begin elsewhere."""
    from trackeep.cli.conventions import equip
    from trackeep.cli.serve import serve
    from trackeep.cli.status import status

    settings = settings_of()
    if _has_account(settings):
        _run(context, status, "status")
    elif sys.stdout.isatty() and sys.stdin.isatty():
        click.echo("Nothing is set up here yet; starting the web pages. Ctrl-C ends them.", err=True)
        equip(serve, "serve")
        _run(context, serve, "serve")
    else:
        click.echo(HOW_TO_BEGIN)


def _run(context: click.Context, command: click.Command, name: str) -> None:
    with command.make_context(name, [], parent=context) as own:
        command.invoke(own)


def _has_account(settings: InstanceSettings) -> bool:
    # Looking must not leave a database behind.
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        return False

    async def look() -> bool:
        from sqlalchemy import select

        from trackeep.store.tables import account

        async with opened(settings) as db, db.read() as conn:
            return (await conn.execute(select(account.c.id).limit(1))).first() is not None

    return finish(look())
