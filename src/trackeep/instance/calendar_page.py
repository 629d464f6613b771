"""The contribution calendar as a table and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts_calendar, my_hours, stamps
from trackeep.instance.blocks import blocks_of
from trackeep.instance.dashboard import COUNTED_WORDS, KIND_WORDS, SOURCES_OF_KIND, kind_of, year_of
from trackeep.instance.figures import csv_response
from trackeep.instance.frame import reader_of, show
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import reports_mine, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_mine import KINDS

PAGE_ROWS = 120
# A day and its counts, in the order of KINDS.
Row = tuple[date, tuple[int, ...]]


async def page(request: Request) -> Response:
    """GET /calendar: one row per day that has something, newest first, from the row `?from=` on."""
    reader = reader_of(request)
    kind, year = kind_of(request), year_of(request, reader)
    window = my_hours.window_of(request, reader)
    text = request.query_params.get("from", "0")
    start = int(text) if text.isdecimal() and len(text) < 6 else 0
    async with blocks_of(request) as block:
        freshness = await reports_sync.freshness(block.conn, reader)
        age = await stamps.read(block.conn, reader, freshness, _sources(kind))
        rows = await block.read(_rows, reader, kind, year)
        hours = await block.read(reports_mine.hours, reader, window)
        punch = block.made(my_hours.drawn, hours, my_hours.CLOCK)
        shown = block.made(_shown, rows, start)
    return show(
        request,
        "calendar.html",
        "dashboard",
        freshness=freshness,
        stamps=age,
        shown=shown,
        later=str(max(0, start - PAGE_ROWS)) if start else None,
        kind=kind,
        year=year,
        kinds=KIND_WORDS,
        hours=hours,
        commits_href=my_hours.commits_href(window, reader),
        clock=my_hours.CLOCK,
        punch=punch,
        note=COUNTED_WORDS[""][2],
    )


def _sources(kind: str) -> stamps.Sources:
    days = SOURCES_OF_KIND[kind]
    return {"days": days, "hours": (stamps.COMMITS,)} if kind in ("", "commit") else {"days": days}


async def as_csv(request: Request) -> Response:
    """GET /calendar.csv"""
    header = ("day", "commits", "pull_requests", "reviews", "issues", "contributions")
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        found = await _rows(conn, reader, kind_of(request), year_of(request, reader))
    rows = ((day.isoformat(), *counts, sum(counts)) for day, counts in found)
    return csv_response("contributions.csv", header, rows)


def _shown(rows: Sequence[Row], start: int) -> tuple[Sequence[Row], str | None]:
    """The rows of the page that begins with `start`, and where the next one does."""
    end = start + PAGE_ROWS
    return rows[start:end], str(end) if end < len(rows) else None


async def _rows(conn: AsyncConnection, reader: Reader, kind: str, year: int | None) -> list[Row]:
    days = await reports_mine.days(conn, reader)
    first, last = charts_calendar.span(day_of(reader.now, reader.zone), year)
    kinds = [days.contributions.get(name, {}) if kind in ("", name) else {} for name in KINDS]
    seen = sorted({day for counts in kinds for day in counts if first <= day <= last}, reverse=True)
    return [(day, tuple(counts.get(day, 0) for counts in kinds)) for day in seen]
