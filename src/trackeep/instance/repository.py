"""One repository: its pulse, its pull requests, its commits, its branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance import charts, words
from trackeep.instance.charts import Caption
from trackeep.instance.commits_page import searched
from trackeep.instance.frame import PERIOD_WORDS, address, days_of, period_of, reader_of, show
from trackeep.instance.lists import PULL_LISTS, commits_wanted, next_page, pulls_wanted
from trackeep.instance.site import site_of
from trackeep.metrics import branches as branch_metrics
from trackeep.metrics.contributions import levels
from trackeep.metrics.people import absence_factor
from trackeep.metrics.windows import compare, weeks_back
from trackeep.store import reports_pulls, reports_repositories, reports_repository
from trackeep.store.reports_access import Reader
from trackeep.store.reports_repositories import RepositoryRow
from trackeep.store.reports_repository import Author, AuthorKey

WEEKS = 12
PEOPLE_SHOWN = 6
PERIOD = "90d"
BRANCHES_SHOWN = 100
VIEWS = {"": "All", "active": "Active", "stale": "Stale", "merged": "Merged"}


@dataclass(frozen=True)
class Contributor:
    author: Author
    chart: Markup
    href: str


async def overview(request: Request) -> Response:
    """GET /r/{owner}/{name}"""
    reader = reader_of(request)
    comparison = compare(period_of(request, PERIOD), reader.now, reader.zone)
    window, weeks = comparison.current, weeks_back(WEEKS, reader.now, reader.zone)
    people_since = weeks_back(reports_repository.WEEKS_OF_PEOPLE, reader.now, reader.zone)[0]
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        pulse = await reports_repository.pulse(conn, reader, found.id, window)
        authors = await reports_repository.authors(conn, reader, found.id, window)
        medians = await reports_repositories.medians(conn, reader, window, [found.id])
        pull_weeks = await reports_repository.pull_weeks(conn, reader, found.id, weeks[0], WEEKS)
        hours = await reports_repository.hours(conn, reader, found.id, window)
        by_week = await reports_repository.author_weeks(conn, reader, found.id, people_since)
    people = [author for author in authors if not author.is_bot]
    return show_repository(
        request,
        "repository.html",
        found,
        tab="overview",
        period=comparison.period,
        span=PERIOD_WORDS[comparison.period],
        window=days_of(window, reader.zone),
        pulse=pulse,
        people=people,
        bots=len(authors) - len(people),
        bot_commits=sum(author.commits for author in authors if author.is_bot),
        commits=sum(author.commits for author in authors),
        carried_by=absence_factor(author.commits for author in people),
        merged=medians.get(found.id, (0, None)),
        weeks=WEEKS,
        weeks_total=tuple(map(sum, zip(*pull_weeks, strict=True))),
        bars=_bars(weeks, pull_weeks),
        punch=_punch(hours, reader),
        contributors=_contributors(people, by_week, found, days_of(window, reader.zone)),
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
    refused = values["refused"]
    more = next_page(request, values["found"].after)
    page = show_repository(request, "repository_commits.html", found, tab="commits", **values, next=more)
    page.status_code = refused.status if refused else 200
    return page


async def branches(request: Request) -> Response:
    """GET /r/{owner}/{name}/branches"""
    reader = reader_of(request)
    after, view = request.query_params.get("after", ""), request.query_params.get("view", "")
    if len(after) > 300:
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        listed = await reports_repository.branches(conn, reader, found.id, after=after, limit=BRANCHES_SHOWN)
    shown = [
        (
            branch,
            branch_metrics.state(
                is_default=branch.is_default,
                is_merged=branch.is_merged,
                committed_at=branch.committed_at,
                now=reader.now,
            ),
        )
        for branch in listed[:BRANCHES_SHOWN]
    ]
    last = listed[BRANCHES_SHOWN - 1].name if len(listed) > BRANCHES_SHOWN else ""
    return show_repository(
        request,
        "repository_branches.html",
        found,
        tab="branches",
        rows=[(branch, state) for branch, state in shown if view in ("", state)],
        view=view if view in VIEWS else "",
        views=VIEWS,
        next=address(request.scope["path"], view=view, after=last) if last else "",
    )


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
    )
    return show(request, template, "repositories", repository=repository, tabs=tabs, **values)


def _bars(weeks: tuple[Any, ...], counts: list[tuple[int, int]]) -> Markup:
    opened, merged = (sum(column) for column in zip(*counts, strict=True))
    labels = [words.short_day(week) for week in weeks]
    text = f"Twelve weeks from {words.day(weeks[0])}: {opened:,} opened, {merged:,} merged."
    caption = Caption("om", "Pull requests opened and merged per week", text)
    return charts.paired_bars([(label, *pair) for label, pair in zip(labels, counts, strict=True)], caption)


def _punch(hours: list[list[int]], reader: Reader) -> Markup:
    grades = levels(count for row in hours for count in row)
    busiest = max((count, row, hour) for row, counts in enumerate(hours) for hour, count in enumerate(counts))
    most = f" Most were made {_hour(busiest)}." if busiest[0] else ""
    caption = Caption("pc", "Punch card", f"Commits by weekday and hour in {reader.zone.key}.{most}")
    return charts.punch_card([grades[row * 24 : row * 24 + 24] for row in range(7)], caption)


def _hour(cell: tuple[int, int, int]) -> str:
    count, weekday, hour = cell
    return f"on {charts.WEEKDAYS[weekday]} between {hour:02} and {hour + 1:02}, {count:,}"


def _contributors(
    people: list[Author],
    by_week: Mapping[AuthorKey, list[int]],
    repository: RepositoryRow,
    window: dict[str, str],
) -> list[Contributor]:
    shown = people[:PEOPLE_SHOWN]
    empty = [0] * reports_repository.WEEKS_OF_PEOPLE
    weeks = [by_week.get(author.key, empty) for author in shown]
    top = max((max(counts) for counts in weeks), default=0) or 1
    found = []
    for place, (author, counts) in enumerate(zip(shown, weeks, strict=True)):
        who = author.login or author.name
        text = f"{words.counted(sum(counts), 'commit')} in 13 weeks, at most {max(counts)} in a week."
        chart = charts.area(counts, top, Caption(f"p{place}", f"{who}, commits per week", text))
        href = address("/commits", repo=repository.full_name, author=who, only="counted", **window)
        found.append(Contributor(author, chart, href))
    return found
