"""The lists behind the numbers: commits, and what is asked of pull requests; paged by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from typing import TypeVar

from starlette.requests import Request

from trackeep.instance.frame import (
    address,
    bounds_in,
    key_in,
    repository_in,
)
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import reports_commits, reports_pulls
from trackeep.store.reports_access import Reader
from trackeep.store.reports_events import Event

T = TypeVar("T")
PULL_LISTS = {"open": "Open", "opened": "Opened", "merged": "Merged", "closed": "Closed", "all": "All"}


def commits_wanted(request: Request, reader: Reader) -> reports_commits.Wanted:
    """What the query asks for: q, repo, author, since, until, by=author, only=counted, forks=no, after."""
    query = request.query_params
    since, until = bounds_in(request, reader.zone)
    after = key_in(request, 2)
    return reports_commits.Wanted(
        words=query.get("q", "").strip(),
        repository=repository_in(request),
        author=query.get("author", "").strip()[:100],
        dated="author" if query.get("by") == "author" else "committer",
        everything=query.get("only") != "counted",
        forks=query.get("forks") != "no",
        since=since,
        until=until,
        after=(int(after[0]), after[1]) if after else None,
    )


def pulls_wanted(request: Request, reader: Reader) -> reports_pulls.Wanted:
    """What the query asks for: list, repo, author, q, since, until, after."""
    query = request.query_params
    what = query.get("list", "all")
    since, until = bounds_in(request, reader.zone)
    after = key_in(request, 3)
    return reports_pulls.Wanted(
        what=what if what in PULL_LISTS else "all",
        repository=repository_in(request),
        author=query.get("author", "").strip()[:100],
        words=query.get("q", "").strip(),
        since=since,
        until=until,
        after=(int(after[0]), int(after[1]), int(after[2])) if after else None,
    )


def commits_link(request: Request, reader: Reader) -> Callable[[Event], str]:
    """The address of the commits that one line of the activity stands for."""
    url = site_of(request).pages.url

    def link(event: Event) -> str:
        day = {
            "since": day_of(event.first_at, reader.zone).isoformat(),
            "until": day_of(event.at, reader.zone).isoformat(),
        }
        who = "me" if event.mine else event.actor or event.actor_name
        return url(address("/commits", repo=f"{event.owner}/{event.repository}", author=who, **day))

    return link


def by_day(rows: Sequence[T], reader: Reader, at: Callable[[T], int]) -> list[tuple[date, list[T]]]:
    """Rows in their order, grouped by the reader's days."""
    return [(day, list(group)) for day, group in groupby(rows, lambda row: day_of(at(row), reader.zone))]


def next_page(request: Request, after: tuple[object, ...] | None) -> str:
    """The address of the page that begins after that key, "" at the end."""
    if after is None:
        return ""
    query = dict(request.query_params) | {"after": ".".join(str(part) for part in after)}
    return address(request.scope["path"], **query)
