"""When a person works: a punch card of their own commits by the clock each was made on, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts, charts_calendar, words
from trackeep.instance.charts import Caption
from trackeep.instance.dashboard import year_of
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import address, days_of, reader_of, style_of
from trackeep.instance.site import site_of
from trackeep.metrics.contributions import levels
from trackeep.metrics.windows import Window, day_of, midnight
from trackeep.store import reports_mine
from trackeep.store.reports_access import Reader

CLOCK = "by the clock that each was made on"


async def page(request: Request) -> Response:
    """GET /calendar/hours"""
    year = _given_year(request)
    back, file = (address(path, year=year) for path in ("/calendar", "/calendar/hours.csv"))
    return figure_page(request, "dashboard", await _table(request), chart=back, csv_file=file)


async def as_csv(request: Request) -> Response:
    """GET /calendar/hours.csv"""
    return figure_csv("my-hours", await _table(request))


def window_of(request: Request, reader: Reader) -> Window:
    """The days that the calendar shows: those of `?year=`, or the last twelve months."""
    first, last = charts_calendar.span(day_of(reader.now, reader.zone), year_of(request, reader))
    last = max(first, last)
    return Window(midnight(first, reader.zone), midnight(last + timedelta(days=1), reader.zone))


def commits_href(window: Window, reader: Reader) -> str:
    """The list of the commits that the card counts."""
    return address("/commits", author="me", by="author", only="counted", **days_of(window, reader.zone))


def drawn(hours: Sequence[Sequence[int]], clock: str) -> Markup:
    """A punch card of counts by weekday (Monday first) and hour; `clock` says in words whose hours."""
    grades = levels(count for row in hours for count in row)
    busiest = max((count, row, hour) for row, counts in enumerate(hours) for hour, count in enumerate(counts))
    most = f" Most were made {_hour(busiest)}." if busiest[0] else ""
    caption = Caption("pc", "Punch card", f"Commits by weekday and hour {clock}.{most}")
    return charts.punch_card([grades[row * 24 : row * 24 + 24] for row in range(7)], caption)


def _hour(cell: tuple[int, int, int]) -> str:
    count, weekday, hour = cell
    return f"on {charts.WEEKDAYS[weekday]} between {hour:02} and {hour + 1:02}, {count:,}"


def _given_year(request: Request) -> str | None:
    year = year_of(request, reader_of(request))
    return str(year) if year else None


async def _table(request: Request) -> TableOf:
    reader = reader_of(request)
    window = window_of(request, reader)
    async with site_of(request).db.read() as conn:
        counts = await reports_mine.hours(conn, reader, window)
    rows = tuple(
        (f"{hour:02}:00", tuple(counts[weekday][hour] for weekday in range(7))) for hour in range(24)
    )
    first, last = (words.day(_day(at, reader), style_of(request)) for at in (window.start, window.end - 1))
    title = f"Your commits by hour and weekday, {first} to {last}, {CLOCK}"
    return TableOf(title, "Hour", charts.WEEKDAYS, rows)


def _day(at: int, reader: Reader) -> date:
    return day_of(at, reader.zone)
