"""Insights into pull requests: how many, where their time goes, how big they are, and who looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import insights, insights_parts
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import address, comparison_in, reader_of, repository_in, show, span_words
from trackeep.instance.insights_parts import Links
from trackeep.instance.lists import PULL_LISTS
from trackeep.instance.site import site_of
from trackeep.metrics import durations
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.reviews import Load
from trackeep.metrics.windows import Comparison, Window
from trackeep.store import kept_searches, reports_insights
from trackeep.store.kept_searches import Saved
from trackeep.store.reports_access import Reader
from trackeep.store.reports_insights import Person, Pull, Waits, Wanted

PERIOD = "90d"
PEOPLE_SHOWN = 8
LISTED = 5


@dataclass(frozen=True)
class Found:
    """Everything that was read for one question, and what it comes to."""

    reader: Reader
    comparison: Comparison
    wanted: Wanted
    pulls: tuple[Pull, ...]
    load: tuple[tuple[Person, Load], ...]
    asked: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    waiting: tuple[int, tuple[Waits, ...]]
    kept: tuple[Saved, ...]

    @cached_property
    def now(self) -> insights.Figures:
        return insights.figures(self.pulls, self.comparison.current)

    @cached_property
    def before(self) -> insights.Figures | None:
        previous = self.comparison.previous
        return insights.figures(self.pulls, previous) if previous else None

    @property
    def turnaround(self) -> Spread:
        return spread(durations.review_turnaround(asked, given) for asked, given in self.asked)


async def page(request: Request) -> Response:
    """GET /pulls/insights"""
    found = await _read(request)
    links = Links(found.comparison.current, found.wanted, found.reader.zone)
    starts = insights.week_starts(found.comparison, found.reader)
    weeks = insights.weeks(found.pulls, starts, found.reader)
    load = found.load
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
        bars=insights_parts.week_bars(starts, weeks),
        sizes=insights_parts.size_chart(found.now.sizes, links, site_of(request).pages.url),
        big=insights_parts.share_of_big(found.now.sizes),
        unsized=found.now.sizes[None],
        load=load[:PEOPLE_SHOWN],
        people=len(load),
        most=max((each.pulls for _, each in load), default=1),
        unreviewed=found.now.unreviewed[:LISTED],
        unreviewed_count=len(found.now.unreviewed),
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
        starts = insights.week_starts(found.comparison, found.reader)
        return insights_parts.weeks_table(starts, insights.weeks(found.pulls, starts, found.reader))
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
    window = insights.read_from(comparison, insights.week_starts(comparison, reader), reader)
    current: Window = comparison.current
    async with site_of(request).db.read() as conn:
        return Found(
            reader=reader,
            comparison=comparison,
            wanted=wanted,
            pulls=await reports_insights.pulls(conn, reader, window, wanted),
            load=await reports_insights.load(conn, reader, current, wanted),
            asked=await reports_insights.turnarounds(conn, reader, current, wanted),
            waiting=await reports_insights.unreviewed(conn, reader, wanted, limit=LISTED),
            kept=await kept_searches.kept(conn, reader.account_id, kept_searches.PULLS),
        )


def _query(request: Request) -> dict[str, str]:
    names = ("period", "since", "until", "repo", "author", "bots")
    return {name: request.query_params[name] for name in names if request.query_params.get(name)}
