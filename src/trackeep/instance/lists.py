"""The lists behind the numbers: commits, pull requests, activity; filtered by the query, paged by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import visits
from trackeep.instance.frame import (
    address,
    bounds_in,
    day_in,
    key_in,
    reader_of,
    repository_in,
    show,
)
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of, midnight
from trackeep.store import reports_commits, reports_events, reports_pulls, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_events import Event

T = TypeVar("T")
PULL_LISTS = {"open": "Open", "opened": "Opened", "merged": "Merged", "closed": "Closed", "all": "All"}
SECTION_WORDS = {
    "review": ("Needs your review", "asked of you"),
    "returned": ("Returned to you", "your turn"),
    "ready": ("Ready to merge", "nothing stops them"),
    "waiting": ("Waiting for reviewers", "nothing to do for you"),
    "draft": ("Drafts", "yours"),
    "merged": ("Recently merged", "last 7 days"),
}
EVENT_KINDS = {
    "": "Everything",
    "commit": "Commits",
    "pull": "Pull requests",
    "review": "Reviews",
    "issue": "Issues",
    "release": "Releases",
    "branch": "Branches",
}


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


async def pulls(request: Request) -> Response:
    """GET /pulls: the queue, or with `list=` a plain list."""
    reader = reader_of(request)
    if "list" in request.query_params or request.query_params.get("q"):
        return await _pull_list(request, reader)
    async with site_of(request).db.read() as conn:
        queue = await reports_pulls.queue(conn, reader)
        freshness = await reports_sync.freshness(conn, reader)
    mine = [pull for pull in queue if pull.needs_me]
    oldest = min((pull.waits_since for pull in mine), default=None)
    return show(
        request,
        "queue.html",
        "pulls",
        sections=[(key, list(group)) for key, group in groupby(queue, lambda pull: pull.section)],
        section_words=SECTION_WORDS,
        need_me=len(mine),
        oldest=oldest,
        freshness=freshness,
        lists=PULL_LISTS,
    )


async def _pull_list(request: Request, reader: Reader) -> Response:
    wanted = pulls_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        found = await reports_pulls.search(conn, reader, wanted)
    return show(
        request,
        "pulls.html",
        "pulls",
        found=found,
        wanted=wanted,
        lists=PULL_LISTS,
        most=reports_pulls.COUNTED_UP_TO,
        next=next_page(request, found.after),
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
        words=query.get("q", "").strip()[:200],
        since=since,
        until=until,
        after=(int(after[0]), int(after[1]), int(after[2])) if after else None,
    )


async def activity(request: Request) -> Response:
    """GET /activity: everybody's, or with `day=` one's own contributions of that day."""
    reader = reader_of(request)
    wanted, day = events_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        found = await reports_events.recent(conn, reader, wanted)
        freshness = await reports_sync.freshness(conn, reader)
    kind = wanted.kind
    last_visit = await visits.note(site_of(request), reader, freshness)
    return show(
        request,
        "activity.html",
        "activity",
        last_visit=last_visit,
        found=found,
        days=by_day(found.rows, reader, lambda event: event.at),
        day=day,
        wanted=wanted,
        kind=kind,
        kinds=EVENT_KINDS,
        total=contributions_in(found.rows) if day else None,
        freshness=freshness,
        event_commits=commits_link(request, reader),
    )


def events_wanted(request: Request, reader: Reader) -> tuple[reports_events.Wanted, date | None]:
    """What the query asks for: kind, who=me, repo, since, until, day, before."""
    query = request.query_params
    kind, before, day = query.get("kind", ""), query.get("before", ""), day_in(request, "day")
    if before and not (before.isdecimal() and len(before) < 12):
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    since, until = bounds_in(request, reader.zone)
    if day is not None:
        since, until = _bounds_of(day, reader)
    return (
        reports_events.Wanted(
            kind=kind if kind in EVENT_KINDS else "",
            repository=repository_in(request),
            mine=query.get("who") == "me" or day is not None,
            contributions=day is not None,
            since=since,
            until=until,
            before=int(before) if before else None,
        ),
        day,
    )


def contributions_in(events: Iterable[Event]) -> int:
    """How many contributions these events are: commits counted singly, a pull request reviewed once a day."""
    reviewed = {(event.owner, event.repository, event.number) for event in events if event.kind == "review"}
    return len(reviewed) + sum(event.count for event in events if event.kind != "review")


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


def _bounds_of(day: date, reader: Reader) -> tuple[int, int]:
    following = date.fromordinal(day.toordinal() + 1)
    return midnight(day, reader.zone), midnight(following, reader.zone)


def next_page(request: Request, after: tuple[object, ...] | None) -> str:
    """The address of the page that begins after that key, "" at the end."""
    if after is None:
        return ""
    query = dict(request.query_params) | {"after": ".".join(str(part) for part in after)}
    return address(request.scope["path"], **query)
