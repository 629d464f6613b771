"""`trackeep stats`: a person's figures, by repository, by time or by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.days import weeks_first_day
from trackeep.cli.edge import account_option, finish, reading
from trackeep.cli.figures import PERIODS, figure_rows, number_text, window_item, window_of
from trackeep.cli.names import place_of
from trackeep.cli.output import note, show_json

if TYPE_CHECKING:
    from trackeep.metrics.windows import Window
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_work import Done

GROUPS = ("repo", "day", "week", "month")
_FIELD_OF = {
    "commit": "commits",
    "opened": "pulls_opened",
    "merged": "pulls_merged",
    "review": "reviews",
    "issue": "issues",
}


@dataclass
class Sums:
    """What adds up within one group; the lines are those of the `measured_commits`."""

    commits: int = 0
    measured_commits: int = 0
    additions: int = 0
    deletions: int = 0
    pulls_opened: int = 0
    pulls_merged: int = 0
    reviews: int = 0
    issues: int = 0

    def add(self, one: Done) -> None:
        """Count one day's things of a kind."""
        name = _FIELD_OF[one.kind]
        setattr(self, name, getattr(self, name) + one.count)
        self.measured_commits += one.measured
        self.additions += one.additions
        self.deletions += one.deletions


SHOWN = tuple(field.name for field in fields(Sums) if field.name != "measured_commits")


@click.command()
@click.option("--repo", "repository", metavar="OWNER/NAME", help="Only of this repository.")
@click.option("--period", type=click.Choice(PERIODS), default="30d", show_default=True)
@click.option("--since", metavar="DAY", help="Instead of a period: from this day until now.")
@click.option("--group-by", type=click.Choice(GROUPS), help="One line for each; without, one for all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@account_option
@json_option
def stats(
    repository: str | None,
    period: str,
    since: str | None,
    group_by: str | None,
    as_csv: bool,
    account: str | None,
    as_json: bool,
) -> None:
    """What you did: commits without merges on default branches, pull requests, reviews, issues.

    Days are those of your time zone. A commit that several repositories have counts once.
    """

    async def work() -> tuple[Reader, Window, Sequence[Done]]:
        from trackeep.store import reports_work

        async with reading(account) as (conn, reader):
            window = window_of(reader, period, since)
            wanted = reports_work.Wanted(place_of(repository))
            return reader, window, await reports_work.done(conn, reader, window, wanted)

    reader, window, found = finish(work())
    total = summed(found, lambda _: "all").get("all", Sums())
    groups = summed(found, key_of(group_by, reader.week_start)) if group_by else {}
    if as_json:
        listed = [{group_by: name, **vars(sums)} for name, sums in groups.items()] if group_by else []
        grouped = {"groups": listed} if group_by else {}
        show_json({"window": window_item(window, reader), "total": vars(total), **grouped})
        return
    if group_by and not groups:
        note("Nothing happened in this period.")
    if total.commits and not total.measured_commits:
        note("Lines are not counted yet: a sync counts them five minutes after their commits came.")
    titles = (group_by or "total", *(name.replace("_", " ") for name in SHOWN))
    figure_rows(titles, (groups if group_by else {"all": total}).items(), _cells, as_csv=as_csv)


def summed(found: Sequence[Done], key: Callable[[Done], str]) -> dict[str, Sums]:
    """The sums of each group, in the order of their names."""
    groups: dict[str, Sums] = {}
    for one in found:
        groups.setdefault(key(one), Sums()).add(one)
    return dict(sorted(groups.items()))


def key_of(group_by: str, week_start: int) -> Callable[[Done], str]:
    """How the rows are named: by repository, day, first day of the week, or month."""

    def week(day: date) -> str:
        return weeks_first_day(day, week_start).isoformat()

    return {
        "repo": lambda one: f"{one.owner}/{one.repository}",
        "day": lambda one: one.day.isoformat(),
        "week": lambda one: week(one.day),
        "month": lambda one: f"{one.day:%Y-%m}",
    }[group_by]


def _cells(sums: Sums, as_csv: bool) -> list[str]:
    unknown = {"additions", "deletions"} if sums.commits and not sums.measured_commits else set()
    values = [None if name in unknown else int(getattr(sums, name)) for name in SHOWN]
    if as_csv:
        return ["" if value is None else str(value) for value in values]
    return [number_text(value) for value in values]
