"""One repository: its pulse, its pull requests, its commits; and the frame of all its tabs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import charts, charts_lines, my_hours, stamps, words
from trackeep.instance.blocks import blocks_of
from trackeep.instance.charts import Caption
from trackeep.instance.commits_page import searched
from trackeep.instance.frame import (
    address,
    asked_again,
    comparison_in,
    days_of,
    reader_of,
    show,
    span_words,
    style_of,
)
from trackeep.instance.lists import PULL_LISTS, commits_wanted, next_page, pulls_wanted
from trackeep.instance.site import site_of
from trackeep.instance.stamps import NO_STAMPS, Stamps
from trackeep.metrics.people import absence_factor
from trackeep.metrics.windows import Comparison, Window, weeks_back
from trackeep.store import (
    reports_contributors,
    reports_pulls,
    reports_pulse,
    reports_repositories,
    reports_repository,
    reports_sync,
    search_files,
)
from trackeep.store.reports_access import Reader
from trackeep.store.reports_contributors import Contributor
from trackeep.store.reports_pulse import Issues, Language, Release
from trackeep.store.reports_repositories import RepositoryRow
from trackeep.store.reports_repository import Author, Pulse

WEEKS = 12
TOP_COMMITTERS = 15
LANGUAGES_SHOWN = 6
PERIOD = "90d"
# What each block of each tab is made from.
SOURCES: dict[str, stamps.Sources] = {
    "overview": {
        "pulse": stamps.EVERYTHING,
        "weeks": (stamps.PULLS,),
        "hours": (stamps.COMMITS,),
        "committers": (stamps.COMMITS,),
        "releases": (stamps.RELEASES,),
        "languages": (stamps.RELEASES,),
    },
    "pulls": {"pulls": (stamps.PULLS,)},
    "activity": {"activity": stamps.EVERYTHING},
    **{tab: {tab: (stamps.COMMITS,)} for tab in ("commits", "branches", "contributors", "frequency")},
}


@dataclass(frozen=True)
class Work:
    """Who worked in a window: people and bots apart, and who was named beside the authors."""

    people: tuple[Author, ...]
    bots: int
    co_authors: tuple[Contributor, ...]
    commits: int

    @classmethod
    def of(cls, authors: tuple[Author, ...], co_authors: tuple[Contributor, ...]) -> Work:
        people = tuple(author for author in authors if not author.is_bot)
        return cls(people, len(authors) - len(people), co_authors, sum(each.commits for each in authors))

    @property
    def carried_by(self) -> int:
        return absence_factor(author.commits for author in self.people)

    @property
    def top(self) -> list[tuple[Author, Markup]]:
        """The busiest people with their bars."""
        most = self.people[0].commits if self.people else 0
        return [(each, charts_lines.bar(each.commits, most)) for each in self.people[:TOP_COMMITTERS]]


@dataclass(frozen=True)
class PulseCard:
    """The sentence and the numbers of one window."""

    pulse: Pulse
    work: Work
    merged: tuple[int, float | None]
    issues: Issues
    released: tuple[int, tuple[Release, ...]]


async def overview(request: Request) -> Response:
    """GET /r/{owner}/{name}: twelve queries."""
    reader = reader_of(request)
    comparison = comparison_in(request, reader, PERIOD)
    window, weeks = comparison.current, weeks_back(WEEKS, reader.now, reader.zone)
    async with blocks_of(request) as block:
        found = await find(block.conn, request, reader)
        age = await age_of(block.conn, request, found, "overview")
        asked = (reader, found.id, window)
        authors = await block.read(reports_repository.authors, *asked)
        co_authors = await block.read(reports_contributors.co_authors, *asked)
        pulse = await block.read(reports_repository.pulse, *asked)
        merged = await block.read(_merged, *asked)
        issues = await block.read(reports_pulse.issues, *asked)
        released = await block.read(reports_pulse.releases, *asked)
        counts = await block.read(reports_repository.pull_weeks, reader, found.id, weeks[0], WEEKS)
        hours = await block.read(reports_repository.hours, *asked)
        languages = await block.read(reports_pulse.languages, reader, found.id)
        work = block.made(Work.of, authors, co_authors)
        card = block.made(PulseCard, pulse, work, merged, issues, released)
        bars = block.made(_bars, weeks, counts, style_of(request))
        punch = block.made(my_hours.drawn, hours, f"in {reader.zone.key}")
        shares = block.made(_languages, languages)
    return show_repository(
        request,
        "repository.html",
        found,
        tab="overview",
        stamps=age,
        **of_period(request, comparison, reader),
        card=card,
        work=work,
        weeks=WEEKS,
        bars=bars,
        punch=punch,
        released=released,
        languages=shares,
        author_link=author_link(found, days_of(window, reader.zone)),
    )


async def _merged(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[int, float | None]:
    found = await reports_repositories.medians(conn, reader, window, [repository_id])
    return found.get(repository_id, (0, None))


async def pulls(request: Request) -> Response:
    """GET /r/{owner}/{name}/pulls"""
    reader = reader_of(request)
    asked = pulls_wanted(request, reader)
    what = asked.what if "list" in request.query_params else "open"
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        wanted = replace(asked, what=what, repository=(found.owner, found.name))
        rows = await reports_pulls.search(conn, reader, wanted)
        age = await age_of(conn, request, found, "pulls")
    return show_repository(
        request,
        "repository_pulls.html",
        found,
        tab="pulls",
        stamps=age,
        found=rows,
        wanted=wanted,
        lists=PULL_LISTS,
        most=reports_pulls.COUNTED_UP_TO,
        next=next_page(request, rows.after),
    )


async def commits(request: Request) -> Response:
    """GET /r/{owner}/{name}/commits"""
    reader = reader_of(request)
    asked = commits_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        values = await searched(conn, reader, replace(asked, repository=(found.owner, found.name)))
        values["files"] = await search_files.of_repository(conn, reader, found.id)
        age = await age_of(conn, request, found, "commits")
    refused = values["refused"]
    values |= {"next": next_page(request, values["found"].after), "stamps": age}
    page = show_repository(request, "repository_commits.html", found, tab="commits", **values)
    page.status_code = refused.status if refused else 200
    return page


async def find(conn: AsyncConnection, request: Request, reader: Reader) -> RepositoryRow:
    """The repository of the address; raises NotFound where this account cannot read it."""
    owner, name = request.path_params["owner"], request.path_params["name"]
    row = await reports_repositories.find(conn, reader, owner, name)
    if row is None:
        raise NotFound(
            "There is no such repository here.",
            "It does not exist, is not stored yet, or your GitHub account cannot read it.",
        )
    return row


async def age_of(conn: AsyncConnection, request: Request, found: RepositoryRow, tab: str) -> Stamps:
    """How old what a tab shows is, where that is not what its head says; one query."""
    reader, style = reader_of(request), style_of(request)
    rows = await reports_sync.repositories(conn, reader, only=(found.owner, found.name))
    return stamps.of_one(rows[0], found.synced_at, SOURCES[tab], reader, style) if rows else Stamps()


def show_repository(
    request: Request, template: str, repository: RepositoryRow, *, stamps: Stamps = NO_STAMPS, **values: Any
) -> Response:
    """A page below the repository's name and tabs."""
    tabs = (
        ("overview", "", "Overview", 0),
        ("pulls", "/pulls", "Pull requests", repository.open_pulls),
        ("commits", "/commits", "Commits", 0),
        ("branches", "/branches", "Branches", repository.branches),
        ("contributors", "/contributors", "Contributors", 0),
        ("frequency", "/frequency", "Code frequency", 0),
        ("activity", "/activity", "Activity", 0),
    )
    return show(request, template, "repositories", repository=repository, tabs=tabs, stamps=stamps, **values)


def of_period(request: Request, comparison: Comparison, reader: Reader) -> dict[str, Any]:
    """What every tab with a period tells its template: its key, its words, its days, its own query."""
    return {
        "period": comparison.period,
        "span": span_words(comparison, reader, style_of(request)),
        "window": days_of(comparison.current, reader.zone),
        "again": asked_again(comparison, reader.zone),
    }


def author_link(repository: RepositoryRow, window: dict[str, str]) -> Any:
    """A function that gives the address of an author's counted commits."""

    def link(author: Author) -> str:
        who = author.login or author.name
        return address("/commits", repo=repository.full_name, author=who, only="counted", **window)

    return link


def _languages(languages: tuple[Language, ...]) -> tuple[Markup, list[tuple[str, int, float, Markup]]]:
    """The stacked bar and its list: the largest ones, and the others as one."""
    total = sum(one.bytes for one in languages)
    shown = [
        (one.name, one.bytes, charts_lines.colour_of(place, one.color))
        for place, one in enumerate(languages[:LANGUAGES_SHOWN])
    ]
    others = languages[LANGUAGES_SHOWN:]
    if others:
        shown.append((f"{len(others)} others", sum(one.bytes for one in others), "k-l0"))
    parts = [f"{name} {100 * count / total:.1f}%" for name, count, _ in shown] if total else []
    caption = Caption("lg", "Languages", f"{', '.join(parts)}." if parts else "None measured.")
    bar = (
        charts_lines.stacked([(count / total, colour) for _, count, colour in shown], caption)
        if total
        else ""
    )
    listed = [
        (name, count, 100 * count / total, charts_lines.swatch(colour)) for name, count, colour in shown
    ]
    return Markup(bar), listed


def _bars(weeks: tuple[date, ...], counts: list[tuple[int, int]], style: str) -> tuple[int, int, Markup]:
    """How many were opened and merged, and the chart."""
    opened, merged = (sum(column) for column in zip(*counts, strict=True))
    labels = [words.short_day(week, style) for week in weeks]
    text = f"Twelve weeks from {words.day(weeks[0], style)}: {opened:,} opened, {merged:,} merged."
    caption = Caption("om", "Pull requests opened and merged per week", text)
    bars = [(label, *pair) for label, pair in zip(labels, counts, strict=True)]
    return opened, merged, charts.paired_bars(bars, caption)
