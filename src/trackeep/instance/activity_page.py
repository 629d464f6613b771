"""What happened, by day: everywhere and in one repository, filtered by kind, person, repository and days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import stamps, visits, words
from trackeep.instance.frame import bounds_in, day_in, reader_of, repository_in, show
from trackeep.instance.lists import by_day, commits_link
from trackeep.instance.repository import age_of, find, show_repository
from trackeep.instance.site import site_of
from trackeep.metrics.windows import midnight
from trackeep.store import reports_events, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_events import Event, EventPage

EVENT_KINDS = {
    "": "Everything",
    "commit": "Commits",
    "pull": "Pull requests",
    "review": "Reviews",
    "issue": "Issues",
    "release": "Releases",
    "branch": "Branches",
}
# What a kind is made of; the keys are those of reports_events.PARTS.
PART_WORDS = {
    "pull": {"opened": "Opened", "merged": "Merged", "closed": "Closed without merging"},
    "issue": {"issue-opened": "Opened", "issue-closed": "Closed"},
    "branch": {"created": "Created", "deleted": "Deleted", "forced": "Force-pushed"},
}
# From so many on, what one person did alike in one repository on one day is one line that opens.
RUN_FROM = 4
# What was done, and to what; GitHub does not tell who closed an issue, and a ref not who moved it.
_RUN_WORDS = {
    "opened": ("opened", "pull request"),
    "merged": ("merged", "pull request"),
    "closed": ("were closed without merging", "pull request"),
    "review": ("gave", "review"),
    "issue": ("opened", "issue"),
    "issue-closed": ("were closed", "issue"),
    "release": ("were released", "version"),
    "created": ("appeared", "branch"),
    "deleted": ("were deleted", "branch"),
    "forced": ("were force-pushed", "branch"),
}
NOBODYS = {"closed", "issue-closed", "release", "created", "deleted", "forced"}


@dataclass(frozen=True)
class Run:
    """One line of the list: a single event, or several alike of one day that open below it."""

    events: tuple[Event, ...]

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def at(self) -> int:
        return self.first.at

    @property
    def is_many(self) -> bool:
        return len(self.events) > 1

    @property
    def words(self) -> tuple[str, str]:
        """What was done to what: ("merged", "12 pull requests")."""
        did, noun = _RUN_WORDS[self.first.kind]
        return did, words.counted(len(self.events), noun, "branches" if noun == "branch" else "")


async def everywhere(request: Request) -> Response:
    """GET /activity: everybody's, or with `day=` one's own contributions of that day."""
    reader = reader_of(request)
    wanted, day = events_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        found = await reports_events.recent(conn, reader, wanted)
        freshness = await reports_sync.freshness(conn, reader)
        age = await stamps.read(conn, reader, freshness, {"activity": stamps.EVERYTHING})
    last_visit = await visits.note(site_of(request), reader, freshness)
    return show(
        request,
        "activity.html",
        "activity",
        day=day,
        total=contributions_in(found.rows) if day else None,
        freshness=freshness,
        stamps=age,
        **_listed(request, reader, wanted, found, None if day else last_visit),
    )


async def of_repository(request: Request) -> Response:
    """GET /r/{owner}/{name}/activity"""
    reader = reader_of(request)
    wanted, day = events_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        wanted = replace(wanted, repository=(found.owner, found.name))
        page = await reports_events.recent(conn, reader, wanted)
        age = await age_of(conn, request, found, "activity")
    values = _listed(request, reader, wanted, page, None) | {"stamps": age}
    return show_repository(request, "repository_activity.html", found, tab="activity", day=day, **values)


def events_wanted(request: Request, reader: Reader) -> tuple[reports_events.Wanted, date | None]:
    """What the query asks for: kind, who, repo, since, until, day, before."""
    query = request.query_params
    kind, before, day = query.get("kind", ""), query.get("before", ""), day_in(request, "day")
    if before and not (before.isdecimal() and len(before) < 12):
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    since, until = bounds_in(request, reader.zone)
    if day is not None:
        following = date.fromordinal(day.toordinal() + 1)
        since, until = midnight(day, reader.zone), midnight(following, reader.zone)
    who = query.get("who", "").strip().removeprefix("@")[:100]
    return (
        reports_events.Wanted(
            kind=kind if kind in EVENT_KINDS or kind in reports_events.PARTS else "",
            repository=repository_in(request),
            mine=who == "me" or day is not None,
            who="" if who == "me" or day is not None else who,
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


def runs(events: Sequence[Event], last_visit: int | None) -> list[Run]:
    """Events of one day as lines, newest first; what is new since the last visit stays apart."""
    alike: dict[object, list[Event]] = {}
    for place, event in enumerate(events):
        is_new = last_visit is not None and event.at >= last_visit
        key: object = place
        if event.kind != "commit":
            key = (event.kind, event.owner, event.repository, event.actor, event.mine, is_new)
        alike.setdefault(key, []).append(event)
    lines = []
    for group in alike.values():
        whole = len(group) >= RUN_FROM
        lines += [Run(tuple(group))] if whole else [Run((event,)) for event in group]
    return sorted(lines, key=lambda line: -line.at)


def _listed(
    request: Request, reader: Reader, wanted: reports_events.Wanted, found: EventPage, last_visit: int | None
) -> dict[str, Any]:
    source = reports_events.PARTS.get(wanted.kind, (wanted.kind, ""))[0]
    return {
        "found": found,
        "days": [
            (one, runs(rows, last_visit)) for one, rows in by_day(found.rows, reader, lambda event: event.at)
        ],
        "wanted": wanted,
        "kind": wanted.kind,
        "source": source,
        "kinds": EVENT_KINDS,
        "parts": PART_WORDS.get(source, {}),
        "nobodys": NOBODYS,
        "last_visit": last_visit,
        "event_commits": commits_link(request, reader),
    }
