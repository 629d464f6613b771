"""What one person did between two days, by repository: gathered for standups and weekly reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.metrics.windows import Window
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_commits import CommitRow
    from trackeep.store.reports_events import Event
    from trackeep.store.reports_pulls import PullRow

MOST = 1_000
KINDS = ("merged", "opened and merged", "opened", "closed", "reviewed", "issue", "release", "commit")
Place = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """One line: `label` is what links to `url`, such as #12 or a short sha; `detail` may be empty."""

    kind: str
    text: str
    label: str
    url: str
    detail: str = ""


@dataclass(frozen=True)
class Section:
    """What happened in one repository, in the order of KINDS."""

    repository: str
    url: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Figure:
    """A number of the window and of the equally long one before; both as people read them."""

    name: str
    now: str
    before: str


@dataclass(frozen=True)
class Journal:
    """The days from `first` to `last`, both included, in the zone of `login`."""

    login: str
    first: date
    last: date
    zone: str
    sections: tuple[Section, ...]
    waiting: tuple[Entry, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass
class _Gathered:
    """Entries by repository; `merged` are numbers of pull requests whose squashed commit says the same."""

    web: str
    entries: dict[Place, list[Entry]] = field(default_factory=dict)
    merged: set[tuple[Place, int]] = field(default_factory=set)

    def add(self, place: Place, entry: Entry) -> None:
        self.entries.setdefault(place, []).append(entry)

    def url(self, place: Place, *parts: str) -> str:
        return "/".join([self.web, *(quote(part, safe="") for part in (*place, *parts))])

    def pull(self, kind: str, row: PullRow, detail: str = "") -> Entry:
        place = (row.owner, row.repository)
        url = self.url(place, "pull", str(row.number))
        return Entry(kind, row.title, f"#{row.number}", url, detail)


async def journal_of(
    conn: AsyncConnection, reader: Reader, web: str, first: date, last: date, *, with_figures: bool
) -> Journal:
    """Everything this person did from `first` to `last` in their own zone; `web` is GitHub's address."""
    from trackeep.metrics.windows import Window, midnight
    from trackeep.store import reports_pulls

    window = Window(midnight(first, reader.zone), midnight(last + timedelta(days=1), reader.zone))
    found = _Gathered(web)
    await _pulls(conn, reader, window, found)
    await _events(conn, reader, window, found)
    await _commits(conn, reader, window, found)
    queue = await reports_pulls.queue(conn, reader)
    waiting = tuple(_waiting(found, row) for row in queue if row.needs_me)
    figures = await _figures(conn, reader, window, first) if with_figures else ()
    return Journal(
        await _login(conn, reader), first, last, str(reader.zone), _sections(found), waiting, figures
    )


def json_of(journal: Journal) -> dict[str, Any]:
    """The same for programs."""
    return {
        "login": journal.login,
        "since": journal.first.isoformat(),
        "until": journal.last.isoformat(),
        "time_zone": journal.zone,
        "repositories": [
            {
                "repository": section.repository,
                "url": section.url,
                "entries": [vars(entry) for entry in section.entries],
            }
            for section in journal.sections
        ],
        "waiting": [vars(entry) for entry in journal.waiting],
        "figures": [vars(figure) for figure in journal.figures],
    }


async def _pulls(conn: AsyncConnection, reader: Reader, window: Window, found: _Gathered) -> None:
    from trackeep.store import reports_pulls

    async def mine(what: str) -> dict[tuple[Place, int], PullRow]:
        wanted = reports_pulls.Wanted(what=what, author="me", since=window.start, until=window.end)
        page = await reports_pulls.search(conn, reader, wanted, limit=MOST)
        return {((row.owner, row.repository), row.number): row for row in page.rows}

    merged, opened, closed = await mine("merged"), await mine("opened"), await mine("closed")
    found.merged = set(merged)
    for key, row in merged.items():
        found.add(key[0], found.pull("opened and merged" if key in opened else "merged", row))
    for key, row in closed.items():
        found.add(key[0], found.pull("closed", row))
    for key, row in opened.items():
        if key not in merged and key not in closed:
            found.add(key[0], found.pull("opened", row, "draft" if row.draft else ""))


async def _events(conn: AsyncConnection, reader: Reader, window: Window, found: _Gathered) -> None:
    from trackeep.store import reports_events

    async def mine(kind: str) -> Sequence[Event]:
        wanted = reports_events.Wanted(kind=kind, mine=True, since=window.start, until=window.end)
        return (await reports_events.recent(conn, reader, wanted, limit=MOST)).rows

    reviewed = set()
    for one in await mine("review"):
        place = (one.owner, one.repository)
        if (place, one.number) not in reviewed:
            # The newest comes first, and says how it ended.
            reviewed.add((place, one.number))
            url = found.url(place, "pull", str(one.number))
            detail = one.detail.lower().replace("_", " ")
            found.add(place, Entry("reviewed", one.title, f"#{one.number}", url, detail))
    for one in await mine("issue"):
        place = (one.owner, one.repository)
        url = found.url(place, "issues", str(one.number))
        detail = "closed" if one.kind == "issue-closed" else "opened"
        found.add(place, Entry("issue", one.title, f"#{one.number}", url, detail))
    for one in await mine("release"):
        place = (one.owner, one.repository)
        found.add(place, Entry("release", one.title or one.detail, one.detail, found.url(place, "releases")))


async def _commits(conn: AsyncConnection, reader: Reader, window: Window, found: _Gathered) -> None:
    from trackeep.store import reports_commits

    wanted = reports_commits.Wanted(author="me", dated="author", since=window.start, until=window.end)
    page = await reports_commits.search(conn, reader, wanted, limit=MOST)
    seen: set[tuple[Place, str]] = set()
    for row in page.rows:
        place = (row.owner, row.repository)
        # A rebased branch has the same subject twice, and a squashed one that of its pull request.
        is_told = (place, row.subject) in seen or _is_squash(row, place, found)
        if row.parent_count <= 1 and not is_told:
            seen.add((place, row.subject))
            found.add(place, Entry("commit", row.subject, row.sha[:9], found.url(place, "commit", row.sha)))


def _is_squash(row: CommitRow, place: Place, found: _Gathered) -> bool:
    named = re.search(r"\(#([0-9]+)\)$", row.subject)
    return named is not None and (place, int(named[1])) in found.merged


def _sections(found: _Gathered) -> tuple[Section, ...]:
    def order(item: tuple[Place, list[Entry]]) -> tuple[int, Place]:
        return -len(item[1]), item[0]

    return tuple(
        Section(
            "/".join(place),
            found.url(place),
            tuple(sorted(entries, key=lambda entry: KINDS.index(entry.kind))),
        )
        for place, entries in sorted(found.entries.items(), key=order)
    )


def _waiting(found: _Gathered, row: PullRow) -> Entry:
    kinds = {"review": "to review", "returned": "returned", "ready": "ready to merge"}
    return found.pull(kinds[row.section or ""], row, f"{row.owner}/{row.repository}")


async def _login(conn: AsyncConnection, reader: Reader) -> str:
    from sqlalchemy import select

    from trackeep.store.tables import person

    return str((await conn.execute(select(person.c.login).where(person.c.id == reader.account_id))).scalar())


async def _figures(conn: AsyncConnection, reader: Reader, window: Window, first: date) -> tuple[Figure, ...]:
    from trackeep.cli.stats import summed
    from trackeep.instance import words
    from trackeep.metrics.durations import spread
    from trackeep.metrics.windows import Window, midnight
    from trackeep.store import reports_mine, reports_work

    days = round((window.end - window.start) / 86_400)
    before = Window(midnight(first - timedelta(days=days), reader.zone), window.start)
    spans = (window, before)
    done = [await reports_work.done(conn, reader, span, reports_work.Wanted()) for span in spans]
    sums = [summed(found, lambda _: "all").get("all") for found in done]
    merges = await reports_mine.merges(conn, reader, before.start)
    took = [spread(one.seconds for one in merges if span.holds(one.merged_at)).p50 for span in spans]
    names = ("commits", "pulls_merged", "pulls_opened", "reviews", "issues")
    titles = ("Commits", "Pull requests merged", "Pull requests opened", "Reviews", "Issues opened")
    counted = (
        Figure(title, *(f"{getattr(each, name) if each else 0:,}" for each in sums))
        for title, name in zip(titles, names, strict=True)
    )
    active = Figure("Active days", *(str(len(_days(found))) for found in done))
    return (*counted, Figure("Median time to merge", *(words.duration(each) for each in took)), active)


def _days(found: Iterable[Any]) -> set[date]:
    return {one.day for one in found}
