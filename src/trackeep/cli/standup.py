"""`trackeep standup`: what one person did since a day, to paste."""

from __future__ import annotations

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.days import HELP, day_meant
from trackeep.cli.edge import account_of, account_option, finish, opened, reader_of, settings_of
from trackeep.cli.output import show_json

FORMATS = ("md", "html")


@click.command()
@click.option("--since", metavar="DAY", default="yesterday", show_default=True, help=f"From {HELP}.")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="md", show_default=True)
@account_option
@json_option
def standup(since: str, kind: str, account: str | None, as_json: bool) -> None:
    """What you did since yesterday and what waits for you, by repository, to paste.

    Days are those of your time zone. Commits are those of all branches, without merges.
    """
    from trackeep.cli.journal import Journal, journal_of, json_of
    from trackeep.cli.journal_text import html, markdown

    async def work() -> Journal:
        from trackeep.metrics.windows import day_of

        settings = settings_of()
        async with opened(settings) as db, db.read() as conn:
            reader = await reader_of(conn, await account_of(conn, settings, account))
            today = day_of(reader.now, reader.zone)
            first = day_meant(since, today)
            return await journal_of(conn, reader, settings.github.web, first, today, with_figures=False)

    found = finish(work())
    if as_json:
        show_json(json_of(found))
    else:
        click.echo((markdown if kind == "md" else html)(found, f"Standup: {found.login}"))
