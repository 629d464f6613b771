"""One repository: its pulse, its pull requests, its commits; and the frame of all its tabs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import charts, charts_lines, my_hours, words
from trackeep.instance.charts import Caption
from trackeep.instance.commits_page import searched
from trackeep.instance.frame import address, asked_again, comparison_in, days_of, reader_of, show, span_words
from trackeep.instance.lists import PULL_LISTS, commits_wanted, next_page, pulls_wanted
from trackeep.instance.site import site_of
from trackeep.metrics.people import absence_factor
from trackeep.metrics.windows import Comparison, Window, weeks_back
from trackeep.store import (
    reports_contributors,
    reports_pulls,
    reports_pulse,
    reports_repositories,
    reports_repository,
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


@dataclass(frozen=True)
class Facts:
    """Everything the overview shows of one window."""

    pulse: Pulse
    authors: tuple[Author, ...]
    co_authors: tuple[Contributor, ...]
    merged: tuple[int, float | None]
    pull_weeks: list[tuple[int, int]]
    hours: list[list[int]]
    issues: Issues
    released: int
    releases: tuple[Release, ...]
    languages: tuple[Language, ...]


async def overview(request: Request) -> Response:
    """GET /r/{owner}/{name}"""
    reader = reader_of(request)
    comparison = comparison_in(request, reader, PERIOD)
    weeks = weeks_back(WEEKS, reader.now, reader.zone)
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        facts = await _facts(conn, reader, found.id, comparison.current)
    people = [author for author in facts.authors if not author.is_bot]
    top = people[:TOP_COMMITTERS]
    return show_repository(
        request,
        "repository.html",
        found,
        tab="overview",
        **of_period(comparison, reader),
        facts=facts,
        pulse=facts.pulse,
        people=people,
        co_authors=facts.co_authors,
        bots=len(facts.authors) - len(people),
        commits=sum(author.commits for author in facts.authors),
        carried_by=absence_factor(author.commits for author in people),
        weeks=WEEKS,
        weeks_total=tuple(map(sum, zip(*facts.pull_weeks, strict=True))),
        bars=_bars(weeks, facts.pull_weeks),
        punch=my_hours.drawn(facts.hours, f"in {reader.zone.key}"),
        top=[(author, charts_lines.bar(author.commits, top[0].commits)) for author in top],
        author_link=author_link(found, days_of(comparison.current, reader.zone)),
        **_languages(facts.languages),
    )


async def _facts(conn: AsyncConnection, reader: Reader, repository_id: int, window: Window) -> Facts:
    """Eleven queries."""
    first = weeks_back(WEEKS, reader.now, reader.zone)[0]
    medians = await reports_repositories.medians(conn, reader, window, [repository_id])
    released, releases = await reports_pulse.releases(conn, reader, repository_id, window)
    return Facts(
        pulse=await reports_repository.pulse(conn, reader, repository_id, window),
        authors=await reports_repository.authors(conn, reader, repository_id, window),
        co_authors=await reports_contributors.co_authors(conn, reader, repository_id, window),
        merged=medians.get(repository_id, (0, None)),
        pull_weeks=await reports_repository.pull_weeks(conn, reader, repository_id, first, WEEKS),
        hours=await reports_repository.hours(conn, reader, repository_id, window),
        issues=await reports_pulse.issues(conn, reader, repository_id, window),
        released=released,
        releases=releases,
        languages=await reports_pulse.languages(conn, reader, repository_id),
    )


async def pulls(request: Request) -> Response:
    """GET /r/{owner}/{name}/pulls"""
    reader = reader_of(request)
    asked = pulls_wanted(request, reader)
    what = asked.what if "list" in request.query_params else "open"
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        wanted = replace(asked, what=what, repository=(found.owner, found.name))
        rows = await reports_pulls.search(conn, reader, wanted)
    return show_repository(
        request,
        "repository_pulls.html",
        found,
        tab="pulls",
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
    refused = values["refused"]
    more = next_page(request, values["found"].after)
    page = show_repository(request, "repository_commits.html", found, tab="commits", **values, next=more)
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


def show_repository(request: Request, template: str, repository: RepositoryRow, **values: Any) -> Response:
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
    return show(request, template, "repositories", repository=repository, tabs=tabs, **values)


def of_period(comparison: Comparison, reader: Reader) -> dict[str, Any]:
    """What every tab with a period tells its template: its key, its words, its days, its own query."""
    return {
        "period": comparison.period,
        "span": span_words(comparison, reader),
        "window": days_of(comparison.current, reader.zone),
        "again": asked_again(comparison, reader.zone),
    }


def author_link(repository: RepositoryRow, window: dict[str, str]) -> Any:
    """A function that gives the address of an author's counted commits."""

    def link(author: Author) -> str:
        who = author.login or author.name
        return address("/commits", repo=repository.full_name, author=who, only="counted", **window)

    return link


def _languages(languages: tuple[Language, ...]) -> dict[str, Any]:
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
    return {
        "language_bar": charts_lines.stacked([(count / total, colour) for _, count, colour in shown], caption)
        if total
        else Markup(""),
        "languages": [
            (name, count, 100 * count / total, charts_lines.swatch(colour)) for name, count, colour in shown
        ],
    }


def _bars(weeks: tuple[Any, ...], counts: list[tuple[int, int]]) -> Markup:
    opened, merged = (sum(column) for column in zip(*counts, strict=True))
    labels = [words.short_day(week) for week in weeks]
    text = f"Twelve weeks from {words.day(weeks[0])}: {opened:,} opened, {merged:,} merged."
    caption = Caption("om", "Pull requests opened and merged per week", text)
    return charts.paired_bars([(label, *pair) for label, pair in zip(labels, counts, strict=True)], caption)
