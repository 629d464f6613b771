"""`trackeep report`: a week of one person's work, in Markdown or HTML."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.days import day_meant, weeks_first_day
from trackeep.cli.edge import account_of, account_option, finish, opened, reader_of, settings_of
from trackeep.cli.output import done, note, show_json

FORMATS = ("md", "html")
_KINDS = {".md": "md", ".markdown": "md", ".txt": "md", ".html": "html", ".htm": "html"}


@click.group()
def report() -> None:
    """A week in Markdown or HTML."""


@report.command()
@click.option(
    "--week",
    metavar="WHEN",
    default="last",
    show_default=True,
    help="last, this, or a day such as 2026-11-23: the week it is in.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the ending of FILE, else md.")
@click.option("--force", is_flag=True, help="Write over an existing FILE.")
@account_option
@json_option
def weekly(
    week: str, out: Path | None, kind: str | None, force: bool, account: str | None, as_json: bool
) -> None:
    """What you did in a week, beside the week before, by repository, and what waits for you.

    Weeks begin on the day that you chose in the settings, and days are those of your time zone.
    """
    from trackeep.cli.journal import Journal, journal_of, json_of
    from trackeep.cli.journal_text import html, markdown

    _refuse_bad_place(out, force)

    async def work() -> Journal:
        from trackeep.metrics.windows import day_of

        settings = settings_of()
        async with opened(settings) as db, db.read() as conn:
            reader = await reader_of(conn, await account_of(conn, settings, account))
            first, last = week_meant(week, day_of(reader.now, reader.zone), reader.week_start)
            return await journal_of(conn, reader, settings.github.web, first, last, with_figures=True)

    found = finish(work())
    if as_json:
        show_json(json_of(found))
        return
    kind = kind or _KINDS.get(out.suffix.lower() if out else "", "md")
    text = (markdown if kind == "md" else html)(found, f"Weekly report: {found.login}")
    if out is None:
        click.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")
        done(f"Wrote {out}.")
    if not found.sections and week == "last":
        note("Nothing happened in that week; for the running one add --week this.")


def week_meant(text: str, today: date, week_start: int) -> tuple[date, date]:
    """First and last day of the week that `text` means; the running one ends today."""
    running = weeks_first_day(today, week_start)
    if text == "last":
        return running - timedelta(days=7), running - timedelta(days=1)
    first = running if text == "this" else weeks_first_day(day_meant(text, today), week_start)
    return first, min(today, first + timedelta(days=6))


def _refuse_bad_place(out: Path | None, force: bool) -> None:
    from trackeep.errors import UsageError

    if out is None:
        return
    if out.exists() and not force:
        raise UsageError(f"{out} exists already.", "Choose another name, or add --force.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.", "Make it first, or choose another.")
