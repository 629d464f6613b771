"""The charts of a repository as tables and as CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import charts
from trackeep.instance.contributors_page import MOST_PEOPLE, start_of
from trackeep.instance.figures import Label, TableOf, figure_csv
from trackeep.instance.frame import comparison_in, reader_of, span_words, style_of
from trackeep.instance.repository import PERIOD, WEEKS, find, of_period, show_repository
from trackeep.instance.site import site_of
from trackeep.metrics.windows import Comparison, steps, weeks_back
from trackeep.store import reports_pulse, reports_repository
from trackeep.store.reports_access import Reader
from trackeep.store.reports_repositories import RepositoryRow

# A page with more cells than this is slow to read, for people and for browsers.
MOST_CELLS = 1_150
FEWEST_ROWS = 8
# The tab that each chart stands on, and the rest of its address.
TABS = {"contributors": ("contributors", "/contributors"), "frequency": ("frequency", "/frequency")}


@dataclass(frozen=True)
class Question:
    """Which repository, seen by whom, over which period; `with_bots` counts machines among the people.

    `style` is how days are written in the title.
    """

    reader: Reader
    repository: RepositoryRow
    comparison: Comparison
    with_bots: bool
    style: str

    @property
    def span(self) -> str:
        return span_words(self.comparison, self.reader, self.style)


async def page(request: Request) -> Response:
    """GET /r/{owner}/{name}/charts/{chart}: as many rows as a page bears, from the row `?from=` on."""
    asked, table = await _table(request)
    chart = request.path_params["chart"]
    at_once = max(FEWEST_ROWS, MOST_CELLS // (len(table.columns) + 2))
    start = min(start_of(request), max(0, len(table.rows) - 1))
    later = start + at_once
    tab, place = TABS.get(chart, ("overview", ""))
    return show_repository(
        request,
        "repository_table.html",
        asked.repository,
        tab=tab,
        place=place,
        **of_period(request, asked.comparison, asked.reader),
        bots="1" if asked.with_bots else "",
        table=replace(table, rows=table.rows[start:later]),
        earlier=str(max(0, start - at_once)) if start else None,
        later=str(later) if later < len(table.rows) else None,
        chart=chart,
    )


async def as_csv(request: Request) -> Response:
    """GET /r/{owner}/{name}/charts/{chart}.csv"""
    asked, table = await _table(request)
    name = f"{asked.repository.owner}-{asked.repository.name}-{request.path_params['chart']}"
    return figure_csv(name, table)


async def _table(request: Request) -> tuple[Question, TableOf]:
    reader, chart = reader_of(request), request.path_params["chart"]
    maker = _TABLES.get(chart)
    if maker is None:
        raise NotFound("There is no such chart.", "Open the repository's own page.")
    comparison = comparison_in(request, reader, "12m" if chart == "frequency" else PERIOD)
    with_bots = request.query_params.get("bots") == "1"
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        asked = Question(reader, found, comparison, with_bots, style_of(request))
        return asked, await maker(conn, asked)


async def _weeks(conn: AsyncConnection, asked: Question) -> TableOf:
    starts = weeks_back(WEEKS, asked.reader.now, asked.reader.zone)
    counts = await reports_repository.pull_weeks(conn, asked.reader, asked.repository.id, starts[0], WEEKS)
    rows = tuple(zip(starts, counts, strict=True))
    return TableOf(
        f"Pull requests per week, the last {WEEKS} weeks", "Seven days from", ("Opened", "Merged"), rows
    )


async def _hours(conn: AsyncConnection, asked: Question) -> TableOf:
    window = asked.comparison.current
    counts = await reports_repository.hours(conn, asked.reader, asked.repository.id, window)
    rows = tuple(
        (f"{hour:02}:00", tuple(counts[weekday][hour] for weekday in range(7))) for hour in range(24)
    )
    return TableOf(f"Commits by hour and weekday, {asked.span}", "Hour", charts.WEEKDAYS, rows)


async def _contributors(conn: AsyncConnection, asked: Question) -> TableOf:
    reader, place, window = asked.reader, asked.repository.id, asked.comparison.current
    drawn = steps(*await reports_pulse.days_of_window(conn, reader, place, window))
    authors = await reports_repository.authors(conn, reader, place, window)
    by_step = await reports_repository.author_steps(conn, reader, place, window, drawn)
    people = [author for author in authors if asked.with_bots or not author.is_bot]
    rows = tuple(
        (
            author.login or author.name,
            (
                author.commits,
                author.additions if author.measured else None,
                author.deletions if author.measured else None,
                author.measured,
                *by_step.get(author.key, [0] * len(drawn.starts)),
            ),
        )
        for author in people[:MOST_PEOPLE]
    )
    columns: tuple[Label, ...] = ("Commits", "Added", "Removed", "Measured", *drawn.starts)
    bots = "bots too" if asked.with_bots else "bots left out"
    return TableOf(f"Commits per person and {drawn.word}, {asked.span}, {bots}", "Person", columns, rows)


async def _frequency(conn: AsyncConnection, asked: Question) -> TableOf:
    reader, place, window = asked.reader, asked.repository.id, asked.comparison.current
    drawn = steps(*await reports_pulse.days_of_window(conn, reader, place, window))
    lines = await reports_pulse.lines(conn, reader, place, window, drawn)
    rows = tuple(
        (
            start,
            (
                one.additions if one.measured or not one.commits else None,
                one.deletions if one.measured or not one.commits else None,
                one.commits,
                one.measured,
            ),
        )
        for start, one in zip(drawn.starts, lines, strict=True)
    )
    columns = ("Added", "Removed", "Commits", "Measured")
    return TableOf(f"Lines per {drawn.word}, {asked.span}", f"{drawn.word.capitalize()} from", columns, rows)


async def _languages(conn: AsyncConnection, asked: Question) -> TableOf:
    languages = await reports_pulse.languages(conn, asked.reader, asked.repository.id)
    total = sum(one.bytes for one in languages)
    rows = tuple((one.name, (one.bytes, f"{100 * one.bytes / total:.1f}%")) for one in languages)
    return TableOf("Languages", "Language", ("Bytes", "Share"), rows)


_TABLES: dict[str, Callable[[AsyncConnection, Question], Awaitable[TableOf]]] = {
    "weeks": _weeks,
    "hours": _hours,
    "contributors": _contributors,
    "frequency": _frequency,
    "languages": _languages,
}
