"""The contribution calendar as a table and as CSV."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts_calendar, my_hours
from trackeep.instance.dashboard import COUNTED_WORDS, KIND_WORDS, kind_of, year_of
from trackeep.instance.figures import csv_response
from trackeep.instance.frame import reader_of, show
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import reports_mine
from trackeep.store.reports_mine import KINDS

PAGE_ROWS = 120


async def page(request: Request) -> Response:
    """GET /calendar: one row per day that has something, newest first, from the row `?from=` on."""
    rows, reader = await _rows(request), reader_of(request)
    kind, year = kind_of(request), year_of(request, reader)
    window = my_hours.window_of(request, reader)
    async with site_of(request).db.read() as conn:
        hours = await reports_mine.hours(conn, reader, window)
    text = request.query_params.get("from", "0")
    start = int(text) if text.isdecimal() and len(text) < 6 else 0
    end = start + PAGE_ROWS
    return show(
        request,
        "calendar.html",
        "dashboard",
        rows=rows[start:end],
        later=str(max(0, start - PAGE_ROWS)) if start else None,
        earlier=str(end) if end < len(rows) else None,
        kind=kind,
        year=year,
        kinds=KIND_WORDS,
        commits=sum(map(sum, hours)),
        commits_href=my_hours.commits_href(window, reader),
        clock=my_hours.CLOCK,
        punch=my_hours.drawn(hours, my_hours.CLOCK),
        note=COUNTED_WORDS[""][2],
    )


async def as_csv(request: Request) -> Response:
    """GET /calendar.csv"""
    header = ("day", "commits", "pull_requests", "reviews", "issues", "contributions")
    rows = ((day.isoformat(), *counts, sum(counts)) for day, counts in await _rows(request))
    return csv_response("contributions.csv", header, rows)


async def _rows(request: Request) -> list[tuple[date, tuple[int, ...]]]:
    reader, kind = reader_of(request), kind_of(request)
    async with site_of(request).db.read() as conn:
        days = await reports_mine.days(conn, reader)
    first, last = charts_calendar.span(day_of(reader.now, reader.zone), year_of(request, reader))
    kinds = [days.contributions.get(name, {}) if kind in ("", name) else {} for name in KINDS]
    shown = (last - timedelta(days=back) for back in range((last - first).days + 1))
    rows = ((day, tuple(counts.get(day, 0) for counts in kinds)) for day in shown)
    return [row for row in rows if any(row[1])]
