"""The contribution calendar as SVG: a grid of days in columns of weeks, Sunday first; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from markupsafe import Markup

from trackeep.instance import words
from trackeep.metrics.contributions import levels

STEP_PX, CELL_PX, TOP_PX = 13, 11, 16


@dataclass(frozen=True)
class Calendar:
    """Days from `first` to `last` with their counts; while `is_filling` an empty day may just not be read."""

    first: date
    last: date
    today: date
    counts: Mapping[date, int]
    is_filling: bool = False

    @cached_property
    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))

    @cached_property
    def total(self) -> int:
        return sum(self.counts.get(day, 0) for day in self.days)

    @cached_property
    def busiest(self) -> tuple[date, int] | None:
        day = max(self.days, key=lambda one: self.counts.get(one, 0))
        return (day, self.counts[day]) if self.counts.get(day) else None


def span(today: date, year: int | None) -> tuple[date, date]:
    """The last 365 days up to today; or one calendar year up to today."""
    if year is not None:
        return date(year, 1, 1), min(date(year, 12, 31), today)
    return today - timedelta(days=364), today


def draw(calendar: Calendar) -> Markup:
    """The calendar; its cells carry day and count for the script, which makes them reachable."""
    lead = (calendar.first.weekday() + 1) % 7
    days = calendar.days
    grade = levels(calendar.counts.get(day, 0) for day in days)
    columns = (len(days) + lead + 6) // 7
    parts = months(calendar, lead, columns)
    graded = enumerate(zip(days, grade, strict=True), start=lead)
    parts.append(Markup("".join(_cell(calendar, day, level, place) for place, (day, level) in graded)))
    if calendar.first <= calendar.today <= calendar.last:
        place = lead + (calendar.today - calendar.first).days
        ring = '<rect class="today" x="{}" y="{}" width="14" height="14" rx="3.5"/>'
        parts.append(Markup(ring).format(place // 7 * STEP_PX - 1.5, place % 7 * STEP_PX + TOP_PX - 1.5))
    return _frame(calendar, columns * STEP_PX, Markup("").join(parts))


def _frame(calendar: Calendar, width: int, body: Markup) -> Markup:
    names = Markup("").join(
        Markup('<text x="0" y="{}">{}</text>').format(row * STEP_PX + 25, name)
        for row, name in ((1, "Mon"), (3, "Wed"), (5, "Fri"))
    )
    return Markup(
        '<div class="heat"><svg class="hd" viewBox="0 0 28 108" aria-hidden="true">{names}</svg>'
        '<svg class="hm" viewBox="0 0 {width} 108" preserveAspectRatio="xMaxYMid slice" role="img" '
        'aria-labelledby="hm-t hm-d"><title id="hm-t">Contribution calendar</title>'
        '<desc id="hm-d">{text}</desc>{body}</svg></div>'
    ).format(names=names, width=width, text=_description(calendar), body=body)


def _description(calendar: Calendar) -> str:
    whole = (
        f"{words.counted(calendar.total, 'contribution')} "
        f"from {words.day(calendar.first)} to {words.day(calendar.last)}."
    )
    busiest = calendar.busiest
    most = f" Busiest day {words.day(busiest[0])} with {busiest[1]:,}." if busiest else ""
    return f"{whole}{most} Today is outlined."


def months(calendar: Calendar, lead: int, columns: int) -> list[Markup]:
    """The name of each month above the first column that begins in its first week."""
    labels, seen = [], 0
    for column in range(columns - 2):
        start = calendar.first + timedelta(days=column * 7 - lead)
        shown = max(start, calendar.first)
        if shown.day <= 7 and shown.month != seen:
            seen = shown.month
            labels.append(Markup('<text x="{}" y="10">{}</text>').format(column * STEP_PX, f"{shown:%b}"))
    return labels


def _cell(calendar: Calendar, day: date, level: int, place: int) -> str:
    # Put together without escaping, which takes most of a page's time for 365 cells: all of it is numbers.
    cls = "k-un" if calendar.is_filling and not level else f"k-l{level:d}"
    return (
        f'<rect class="{cls}" x="{place // 7 * STEP_PX:d}" y="{place % 7 * STEP_PX + TOP_PX:d}"'
        f' width="11" height="11" rx="2.5"'
        f' data-d="{day.isoformat()}" data-n="{calendar.counts.get(day, 0):d}"/>'
    )
