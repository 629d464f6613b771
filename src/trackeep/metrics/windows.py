"""Time in a person's zone: days, windows, the window before, and where the zone's offset changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PERIOD_DAYS = {"7d": 7, "30d": 30, "90d": 90, "12m": 365}
PERIODS = (*PERIOD_DAYS, "all")
WEEK_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """Instants from `start` up to, but not including, `end`; unix seconds."""

    start: int
    end: int

    def holds(self, at: int) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window of whole days that ends today, and the equal one before it (None for all time)."""

    period: str
    days: int
    current: Window
    previous: Window | None


def day_of(at: float, zone: ZoneInfo) -> date:
    """The calendar date of an instant in `zone`."""
    return datetime.fromtimestamp(at, zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """The instant at which `day` begins in `zone`."""
    return int(datetime.combine(day, time(), zone).timestamp())


def compare(period: str, now: float, zone: ZoneInfo) -> Comparison:
    """The period that ends with today, and the same length immediately before.

    Today is still running, so the window before ends at the same time of day: like is compared with like.
    """
    today = day_of(now, zone)
    end = midnight(today + timedelta(days=1), zone)
    days = PERIOD_DAYS.get(period)
    if days is None:
        return Comparison("all", 0, Window(0, end), None)
    start = midnight(today - timedelta(days=days - 1), zone)
    clock = datetime.fromtimestamp(now, zone).time()
    last = datetime.combine(today - timedelta(days=days), clock, zone)
    previous = Window(midnight(today - timedelta(days=2 * days - 1), zone), int(last.timestamp()))
    return Comparison(period, days, Window(start, end), previous)


def weeks_back(count: int, now: float, zone: ZoneInfo) -> tuple[date, ...]:
    """The first days of the last `count` spans of seven days; the newest span ends with today."""
    today = day_of(now, zone)
    return tuple(today - timedelta(days=7 * back + 6) for back in reversed(range(count)))


def day_number(day: date) -> int:
    """Days since 1 January 1970, as the database counts them."""
    return (day - date(1970, 1, 1)).days


def day_from_number(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


@lru_cache(maxsize=64)
def zone_offsets(zone: ZoneInfo, first_year: int, last_year: int) -> tuple[tuple[int, int], ...]:
    """((until, offset_s), ...): before the instant `until` the zone is `offset_s` ahead of UTC.

    The last pair holds for ever after. With it a database without time zones can find local days.
    """
    at = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    found: list[tuple[int, int]] = []
    while at < end:
        step = min(at + WEEK_S, end)
        if offset_s(zone, step) != offset_s(zone, at):
            change = _first_change(zone, at, step)
            found.append((change, offset_s(zone, at)))
        at = step
    return (*found, (end, offset_s(zone, end)))


def offset_s(zone: ZoneInfo, at: int) -> int:
    """Seconds that clocks in `zone` are ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _first_change(zone: ZoneInfo, low: int, high: int) -> int:
    before = offset_s(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_s(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
