"""Pages of events in the JSON API: each event comes once, however many share its second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from starlette.requests import Request

from trackeep.instance.api import models
from trackeep.instance.api.cursors import cursor_after, key_in
from trackeep.instance.api.models import moment
from trackeep.instance.api.queries import EventsQuery
from trackeep.instance.frame import reader_of
from trackeep.instance.site import site_of
from trackeep.store import reports_events
from trackeep.store.reports_events import Event, EventPage, Wanted

# Read at once beyond what is asked for, so that a second with many events seldom fills a whole reading.
SPARE = 100


@dataclass(frozen=True)
class Place:
    """Where a page begins: below `before`, and in the second just below it after the event `last`.

    `top` is the end of the first page's time, so that what happens meanwhile moves nothing.
    """

    before: int
    top: int
    last: str = ""

    def is_ahead(self, event: Event) -> bool:
        return event.at < self.before - 1 or identity(event) > self.last


async def page_of_events(
    request: Request, query: EventsQuery, repository: tuple[str, str] | None
) -> models.Events:
    """One page; the reader's own paging is by second, ours by event."""
    reader, key = reader_of(request), key_in(request, int, int, str)
    place = Place(*key) if key else None
    since, until = query.bounds(reader)
    wanted = Wanted(
        kind=query.kind,
        repository=repository,
        mine=query.mine,
        since=since,
        until=_earlier(until, place.top if place else None),
        before=place.before if place else None,
    )
    ahead, rest = await _read(request, wanted, place, query.limit)
    shown = ahead[: query.limit]
    onward = next_place(shown, len(ahead) > len(shown), rest, place)
    more = cursor_after(request, onward.before, onward.top, onward.last) if onward else None
    return models.Events(items=tuple(_event(event) for event in shown), next=more)


def next_place(shown: list[Event], is_cut: bool, rest: int | None, place: Place | None) -> Place | None:
    """Where the next page begins; `rest` is where what was not read begins, None at the end."""
    top = place.top if place else (shown[0].at + 1 if shown else 0)
    if is_cut:
        return Place(shown[-1].at + 1, top, identity(shown[-1]))
    return Place(rest, top) if rest is not None else None


def complete(page: EventPage, before: int | None) -> list[Event]:
    """Newest first, those of one second by their identity; without the last second, which may go on.

    Where a page that begins below `before` ends in its first second, the next one begins below that second
    whether or not all of it was read.
    """
    rest = page.before
    goes_on = None if rest is None else rest - 1
    if rest is not None and before is not None and rest == before - 1:
        goes_on = rest
    whole = [event for event in page.rows if goes_on is None or event.at > goes_on]
    return sorted(whole, key=lambda event: (-event.at, identity(event)))


def identity(event: Event) -> str:
    """The same event has the same; how many commits it stands for does not matter."""
    parts = (event.kind, event.at, event.actor, event.actor_name, event.owner, event.repository)
    told = repr((*parts, event.number, event.title, event.detail))
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:12]


async def _read(
    request: Request, wanted: Wanted, place: Place | None, limit: int
) -> tuple[list[Event], int | None]:
    """The events ahead of `place`, some at least unless it is the end, and where the rest begins."""
    reader, at_once = reader_of(request), limit + SPARE
    while True:
        async with site_of(request).db.read() as conn:
            page = await reports_events.recent(conn, reader, wanted, limit=at_once)
        whole = complete(page, wanted.before)
        ahead = [event for event in whole if place is None or place.is_ahead(event)]
        if ahead or page.before is None:
            return ahead, page.before
        at_once *= 4


def _earlier(one: int | None, other: int | None) -> int | None:
    known = [each for each in (one, other) if each is not None]
    return min(known) if known else None


def _event(event: Event) -> models.Event:
    return models.Event(
        kind=event.kind,
        at=moment(event.at),
        first_at=moment(event.first_at or event.at),
        count=event.count,
        actor=models.Author(login=event.actor, name=event.actor_name),
        mine=event.mine,
        repository=f"{event.owner}/{event.repository}",
        number=event.number or None,
        title=event.title,
        detail=event.detail,
    )
