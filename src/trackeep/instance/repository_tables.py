"""The charts of a repository as tables and as CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import charts, words
from trackeep.instance.figures import TableOf, figure_csv
from trackeep.instance.frame import PERIOD_WORDS, period_of, reader_of
from trackeep.instance.repository import PERIOD, WEEKS, find, show_repository
from trackeep.instance.site import site_of
from trackeep.metrics.windows import Comparison, compare, weeks_back
from trackeep.store import reports_repository
from trackeep.store.reports_access import Reader
from trackeep.store.reports_repositories import RepositoryRow


@dataclass(frozen=True)
class Question:
    """Which repository, seen by whom, over which period."""

    reader: Reader
    repository: RepositoryRow
    comparison: Comparison


async def page(request: Request) -> Response:
    """GET /r/{owner}/{name}/charts/{chart}"""
    asked, table = await _table(request)
    return show_repository(
        request,
        "repository_table.html",
        asked.repository,
        tab="overview",
        period=asked.comparison.period,
        table=table,
        chart=request.path_params["chart"],
    )


async def as_csv(request: Request) -> Response:
    """GET /r/{owner}/{name}/charts/{chart}.csv"""
    asked, table = await _table(request)
    name = f"{asked.repository.owner}-{asked.repository.name}-{request.path_params['chart']}"
    return figure_csv(name, table)


async def _table(request: Request) -> tuple[Question, TableOf]:
    reader, maker = reader_of(request), _TABLES.get(request.path_params["chart"])
    if maker is None:
        raise NotFound("There is no such chart.", "Open the repository's own page.")
    comparison = compare(period_of(request, PERIOD), reader.now, reader.zone)
    async with site_of(request).db.read() as conn:
        asked = Question(reader, await find(conn, request, reader), comparison)
        return asked, await maker(conn, asked)


async def _weeks(conn: AsyncConnection, asked: Question) -> TableOf:
    starts = weeks_back(WEEKS, asked.reader.now, asked.reader.zone)
    counts = await reports_repository.pull_weeks(conn, asked.reader, asked.repository.id, starts[0], WEEKS)
    rows = tuple((start.isoformat(), pair) for start, pair in zip(starts, counts, strict=True))
    return TableOf(
        f"Pull requests per week, the last {WEEKS} weeks", "Seven days from", ("Opened", "Merged"), rows
    )


async def _hours(conn: AsyncConnection, asked: Question) -> TableOf:
    window = asked.comparison.current
    counts = await reports_repository.hours(conn, asked.reader, asked.repository.id, window)
    rows = tuple(
        (f"{hour:02}:00", tuple(counts[weekday][hour] for weekday in range(7))) for hour in range(24)
    )
    span = PERIOD_WORDS[asked.comparison.period]
    return TableOf(f"Commits by hour and weekday, {span}", "Hour", charts.WEEKDAYS, rows)


async def _contributors(conn: AsyncConnection, asked: Question) -> TableOf:
    starts = weeks_back(reports_repository.WEEKS_OF_PEOPLE, asked.reader.now, asked.reader.zone)
    by_week = await reports_repository.author_weeks(conn, asked.reader, asked.repository.id, starts[0])
    busiest = sorted(by_week.items(), key=lambda item: (-sum(item[1]), item[0]))
    rows = tuple((login or name, (sum(counts), *counts)) for (login, name), counts in busiest)
    columns = ("Commits", *(words.short_day(start) for start in starts))
    return TableOf(
        f"Commits per person and week, the last {len(starts)} weeks, bots too", "Person", columns, rows
    )


_TABLES: dict[str, Callable[[AsyncConnection, Question], Awaitable[TableOf]]] = {
    "weeks": _weeks,
    "hours": _hours,
    "contributors": _contributors,
}
