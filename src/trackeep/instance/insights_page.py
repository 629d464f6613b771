"""Insights into pull requests: how many, where their time goes, how big they are, and who looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import insights, insights_parts, stamps
from trackeep.instance.blocks import blocks_of
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import (
    address,
    comparison_in,
    reader_of,
    repository_in,
    show,
    span_words,
    style_of,
)
from trackeep.instance.insights_parts import Links
from trackeep.instance.lists import PULL_LISTS
from trackeep.instance.site import site_of
from trackeep.metrics import durations
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.pulls import Throughput
from trackeep.metrics.windows import Comparison
from trackeep.store import kept_searches, reports_insights, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_insights import Pull, Wanted

PERIOD = "90d"
PEOPLE_SHOWN = 8
LISTED = 5


@dataclass(frozen=True)
class Asked:
    """Which pull requests of which days are looked into, and by whom; `style` is how days are written."""

    reader: Reader
    comparison: Comparison
    wanted: Wanted
    style: str

    @cached_property
    def starts(self) -> tuple[date, ...]:
        """The first days of the weeks that are drawn."""
        return insights.week_starts(self.comparison, self.reader)

    @property
    def span(self) -> str:
        return span_words(self.comparison, self.reader, self.style)

    def now(self, pulls: Sequence[Pull]) -> insights.Figures:
        return insights.figures(pulls, self.comparison.current)

    def before(self, pulls: Sequence[Pull]) -> insights.Figures | None:
        """The window before; None for all time, which has none."""
        previous = self.comparison.previous
        return insights.figures(pulls, previous) if previous else None

    def weeks(self, pulls: Sequence[Pull]) -> list[Throughput]:
        return insights.weeks(pulls, self.starts, self.reader)


async def page(request: Request) -> Response:
    """GET /pulls/insights"""
    asked, site = _asked(request), site_of(request)
    reader, current = asked.reader, asked.comparison.current
    links = Links(current, asked.wanted, reader.zone)
    async with blocks_of(request) as block:
        kept = await kept_searches.kept(block.conn, reader.account_id, kept_searches.PULLS)
        freshness = await reports_sync.freshness(block.conn, reader)
        age = await stamps.read(block.conn, reader, freshness, {"pulls": (stamps.PULLS,)})
        pulls = await block.read(_pulls, asked)
        load = await block.read(reports_insights.load, reader, current, asked.wanted)
        given = await block.read(reports_insights.turnarounds, reader, current, asked.wanted)
        waiting = await block.read(reports_insights.unreviewed, reader, asked.wanted, limit=LISTED)
        now, before = block.made(asked.now, pulls), block.made(asked.before, pulls)
        tiles = block.made(insights_parts.tiles, now, before, block.made(_turnaround, given), links)
        cycle = block.made(insights_parts.cycle_rows, now, before)
        weeks = block.made(asked.weeks, pulls)
        bars = block.made(insights_parts.week_bars, asked.starts, weeks, asked.style)
        sizes = block.made(insights_parts.size_chart, now, links, site.pages.url)
    return show(
        request,
        "insights.html",
        "pulls",
        period=asked.comparison.period,
        span=asked.span,
        wanted=asked.wanted,
        freshness=freshness,
        stamps=age,
        lists=PULL_LISTS,
        kept=kept,
        links=links,
        now=now,
        tiles=tiles,
        cycle=cycle,
        weeks=weeks,
        bars=bars,
        sizes=sizes,
        load=load,
        waiting=waiting,
        people_shown=PEOPLE_SHOWN,
        listed=LISTED,
        query=_query(request),
    )


async def chart(request: Request) -> Response:
    """GET /pulls/insights/{chart}"""
    name, table = request.path_params["chart"], await _table(request)
    query = _query(request)
    path = f"/pulls/insights/{name}"
    return figure_page(
        request,
        "pulls",
        table,
        chart=address("/pulls/insights", **query),
        csv_file=address(f"{path}.csv", **query),
    )


async def chart_csv(request: Request) -> Response:
    """GET /pulls/insights/{chart}.csv"""
    return figure_csv(f"pull-requests-{request.path_params['chart']}", await _table(request))


async def _table(request: Request) -> TableOf:
    name, asked = request.path_params["chart"], _asked(request)
    if name not in ("weeks", "cycle", "sizes", "load"):
        raise NotFound("There is no such chart.", "Open the insights of pull requests.")
    async with site_of(request).db.read() as conn:
        if name == "load":
            window = asked.comparison.current
            load = await reports_insights.load(conn, asked.reader, window, asked.wanted)
            return insights_parts.load_table(load, asked.span)
        pulls = await _pulls(conn, asked)
    if name == "weeks":
        return insights_parts.weeks_table(asked.starts, asked.weeks(pulls))
    if name == "cycle":
        return insights_parts.cycle_table(asked.now(pulls).times, asked.before(pulls), asked.span)
    return insights_parts.sizes_table(asked.now(pulls).sizes, asked.span)


def _asked(request: Request) -> Asked:
    """Raises UsageError."""
    reader = reader_of(request)
    query = request.query_params
    wanted = Wanted(
        repository_in(request),
        # One word: a login stands in the searches behind the numbers.
        "".join(query.get("author", "").replace('"', "").split()).removeprefix("@")[:100],
        query.get("bots") == "1",
    )
    return Asked(reader, comparison_in(request, reader, PERIOD), wanted, style_of(request))


async def _pulls(conn: AsyncConnection, asked: Asked) -> tuple[Pull, ...]:
    """One query, for this period, the one before and the weeks."""
    window = insights.read_from(asked.comparison, asked.starts, asked.reader)
    return await reports_insights.pulls(conn, asked.reader, window, asked.wanted)


def _turnaround(given: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Spread:
    return spread(durations.review_turnaround(asked, reviewed) for asked, reviewed in given)


def _query(request: Request) -> dict[str, str]:
    names = ("period", "since", "until", "repo", "author", "bots")
    return {name: request.query_params[name] for name in names if request.query_params.get(name)}
