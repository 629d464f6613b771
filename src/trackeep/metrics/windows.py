"""Time in a person's zone: days, windows, the window before, and where the zone's offset changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PERIOD_DAYS = {"7d": 7, "30d": 30, "90d": 90, "12m": 365}
PERIODS = (*PERIOD_DAYS, "all")
CUSTOM = "custom"
WEEK_S = 7 * 86_400
# More points than this would not be seen in a chart.
MOST_STEPS = 110
_SPANS = (7, 28, 91, 364)
_SINGLE_DAYS = 14
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Window:
    """Instants from `start` up to, but not including, `end`; unix seconds."""

    start: int
    end: int

    def holds(self, at: int) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window of whole days, and the equal one before it (None for all time)."""

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
    days = PERIOD_DAYS.get(period)
    if days is None:
        return Comparison("all", 0, Window(0, midnight(today + _DAY, zone)), None)
    return replace(between(today - timedelta(days=days - 1), today, now, zone), period=period)


def between(first: date, last: date, now: float, zone: ZoneInfo) -> Comparison:
    """The days from `first` to `last`, and as many days immediately before.

    While the last days are still to come, both are as long as what has passed of them. Raises ValueError
    when `last` is before `first`.
    """
    if last < first:
        raise ValueError(f"{last} is before {first}")
    days = (last - first).days + 1
    length = timedelta(days=days)
    current = Window(midnight(first, zone), midnight(last + _DAY, zone))
    until = current.start
    if current.holds(int(now)):
        elapsed = datetime.combine(day_of(now, zone) - length, datetime.fromtimestamp(now, zone).time(), zone)
        until = int(elapsed.timestamp())
    return Comparison(CUSTOM, days, current, Window(midnight(first - length, zone), until))


@dataclass(frozen=True, slots=True)
class Steps:
    """Spans of `days` days each, by their first days; together they cover a window and end with it."""

    days: int
    starts: tuple[date, ...]

    @property
    def word(self) -> str:
        """What one span is called: day, week, 4 weeks, 13 weeks or 52 weeks."""
        if self.days % 7:
            return "day"
        return "week" if self.days == 7 else f"{self.days // 7} weeks"


def steps(first: date, last: date, *, most: int = MOST_STEPS) -> Steps:
    """Days up to two weeks, then weeks, and longer spans where there would be more than `most` of them.

    The oldest span may begin before `first`, so that the newest one is whole.
    """
    length = max(1, (last - first).days + 1)
    spans = (1, *_SPANS) if length <= _SINGLE_DAYS else _SPANS
    days = next((span for span in spans if -(-length // span) <= most), _SPANS[-1])
    count = -(-length // days)
    return Steps(days, tuple(last - timedelta(days=days * back - 1) for back in range(count, 0, -1)))


def weeks_back(count: int, now: float, zone: ZoneInfo) -> tuple[date, ...]:
    """The first days of the last `count` spans of seven days; the newest span ends with today."""
    today = day_of(now, zone)
    return tuple(today - timedelta(days=7 * back + 6) for back in reversed(range(count)))


def day_number(day: date) -> int:
    """Days since 1 January 1970, as the database counts them."""
    return day.toordinal() - _EPOCH


def day_from_number(number: int) -> date:
    return date.fromordinal(_EPOCH + number)


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
