"""Insights into pull requests: how many, where their time goes, how big they are, and who looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import insights, insights_parts
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import address, comparison_in, reader_of, repository_in, show, span_words
from trackeep.instance.insights import LISTED, Summary
from trackeep.instance.insights_parts import Links
from trackeep.instance.lists import PULL_LISTS
from trackeep.instance.site import site_of
from trackeep.metrics import durations
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.reviews import Load
from trackeep.metrics.windows import Comparison, Window
from trackeep.store import kept_searches, reports_insights
from trackeep.store.counted_once import counted_once, once
from trackeep.store.kept_searches import Saved
from trackeep.store.reports_access import Reader
from trackeep.store.reports_insights import Person, Waits, Wanted

PERIOD = "90d"
PEOPLE_SHOWN = 8


@dataclass(frozen=True)
class Found:
    """Everything that was read for one question, and what it comes to."""

    reader: Reader
    comparison: Comparison
    wanted: Wanted
    made: Summary
    load: tuple[tuple[Person, Load], ...]
    turnaround: Spread
    waiting: tuple[int, tuple[Waits, ...]]
    kept: tuple[Saved, ...]

    @property
    def now(self) -> insights.Figures:
        return self.made.now

    @property
    def before(self) -> insights.Figures | None:
        return self.made.before

    @property
    def starts(self) -> tuple[date, ...]:
        return insights.week_starts(self.comparison, self.reader)


async def page(request: Request) -> Response:
    """GET /pulls/insights"""
    found = await _read(request)
    links = Links(found.comparison.current, found.wanted, found.reader.zone)
    weeks, load = found.made.weeks, found.load
    return show(
        request,
        "insights.html",
        "pulls",
        period=found.comparison.period,
        span=span_words(found.comparison, found.reader),
        wanted=found.wanted,
        lists=PULL_LISTS,
        kept=found.kept,
        links=links,
        counts=found.now.counts,
        tiles=insights_parts.tiles(found.now, found.before, found.turnaround, links),
        cycle=insights_parts.cycle_rows(found.now.times, found.before.times if found.before else None),
        weeks=len(weeks),
        weeks_total=(sum(each.opened for each in weeks), sum(each.merged for each in weeks)),
        bars=insights_parts.week_bars(found.starts, weeks),
        sizes=insights_parts.size_chart(found.now.sizes, links, site_of(request).pages.url),
        big=insights_parts.share_of_big(found.now.sizes),
        unsized=found.now.sizes[None],
        load=load[:PEOPLE_SHOWN],
        people=len(load),
        most=max((each.pulls for _, each in load), default=1),
        unreviewed=found.now.unreviewed,
        unreviewed_count=found.now.unreviewed_count,
        waiting=found.waiting[1],
        waiting_count=found.waiting[0],
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
    name = request.path_params["chart"]
    if name not in ("weeks", "cycle", "sizes", "load"):
        raise NotFound("There is no such chart.", "Open the insights of pull requests.")
    found = await _read(request)
    span = span_words(found.comparison, found.reader)
    if name == "weeks":
        return insights_parts.weeks_table(found.starts, found.made.weeks)
    if name == "cycle":
        return insights_parts.cycle_table(found.now.times, found.before, span)
    if name == "sizes":
        return insights_parts.sizes_table(found.now.sizes, span)
    return insights_parts.load_table(found.load, span)


async def _read(request: Request) -> Found:
    reader = reader_of(request)
    comparison = comparison_in(request, reader, PERIOD)
    query = request.query_params
    wanted = Wanted(
        repository_in(request),
        # One word: a login stands in the searches behind the numbers.
        "".join(query.get("author", "").replace('"', "").split()).removeprefix("@")[:100],
        query.get("bots") == "1",
    )
    current: Window = comparison.current
    async with site_of(request).db.read() as conn:
        return Found(
            reader=reader,
            comparison=comparison,
            wanted=wanted,
            made=await _made(conn, reader, comparison, wanted),
            load=await reports_insights.load(conn, reader, current, wanted),
            turnaround=await _turnaround(conn, reader, current, wanted),
            waiting=await reports_insights.unreviewed(conn, reader, wanted, limit=LISTED),
            kept=await kept_searches.kept(conn, reader.account_id, kept_searches.PULLS),
        )


async def _made(conn: AsyncConnection, reader: Reader, comparison: Comparison, wanted: Wanted) -> Summary:
    """Counted once: the window before ends by the clock, but is another one only with the next event."""
    previous = comparison.previous
    if previous is not None:
        previous = await reports_insights.settled(conn, reader, previous)
    starts = insights.week_starts(comparison, reader)
    read = insights.read_from(comparison, starts, reader)
    windows = (comparison.current, previous)

    async def count() -> Summary:
        pulls = await reports_insights.pulls(conn, reader, read, wanted)
        return insights.summary(pulls, windows, starts, reader)

    return await once(conn, reader, ("insights", wanted, windows, starts), count)


@counted_once
async def _turnaround(conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted) -> Spread:
    found = await reports_insights.turnarounds(conn, reader, window, wanted)
    return spread(durations.review_turnaround(asked, given) for asked, given in found)


def _query(request: Request) -> dict[str, str]:
    names = ("period", "since", "until", "repo", "author", "bots")
    return {name: request.query_params[name] for name in names if request.query_params.get(name)}
