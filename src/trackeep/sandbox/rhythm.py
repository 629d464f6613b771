"""When people work: weekdays and weekends, holidays, streaks, their own hours in their own time zone."""

import random
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

DAY = 86_400
HOUR = 3_600


@dataclass(frozen=True)
class Habit:
    """`weekend` is a Saturday's share of a weekday's work; `holidays` are (month, first day, last day).

    `streaks` are (first, last) in days before the end on which something always happens, `gaps` days off.
    """

    zone: str
    weekend: float = 0.15
    first_hour: float = 8.5
    last_hour: float = 18.5
    holidays: tuple[tuple[int, int, int], ...] = ()
    streaks: tuple[tuple[int, int], ...] = ()
    gaps: tuple[int, ...] = ()


class Rhythm:
    """One person's calendar from `start` to `end` (unix seconds); draws moments of work from it."""

    def __init__(self, habit: Habit, start: int, end: int) -> None:
        self.habit = habit
        self.start, self.end = start, end
        self._zone = ZoneInfo(habit.zone)
        self._first = datetime.fromtimestamp(start, UTC).date()
        self.days = (datetime.fromtimestamp(end, UTC).date() - self._first).days + 1
        self._weights = [self._weight(index) for index in range(self.days)]
        self._sums = list(accumulate(self._weights))
        self._offsets: dict[int, int] = {}

    def offset_min(self, at: int) -> int:
        """The zone's distance from UTC at that moment, looked up once per hour."""
        hour = at // HOUR
        if hour not in self._offsets:
            offset = datetime.fromtimestamp(hour * HOUR, self._zone).utcoffset() or timedelta()
            self._offsets[hour] = int(offset.total_seconds() // 60)
        return self._offsets[hour]

    def moments(self, rng: random.Random, count: int, start: int, end: int) -> list[int]:
        """`count` moments between start and end, more of them on busy days; sorted."""
        low = self._sums[self._index(start) - 1] if self._index(start) else 0.0
        high = self._sums[self._index(end)]
        drawn = (rng.uniform(low, high) for _ in range(count))
        return sorted(self._clamp(rng, self.on_day(rng, self._day_of(x)), start, end) for x in drawn)

    def after(self, rng: random.Random, at: int, hours: float) -> int:
        """A moment of work about `hours` later; never on a day off. It may lie after the end."""
        found = at + int(rng.expovariate(1 / hours) * HOUR) + 300
        index = self._index(found)
        if self._weights[index] > 0.05 or found >= self.end:
            return found
        free = (i for i in range(index + 1, self.days) if self._weights[i] > 0.3)
        day = next(free, None)
        return self.end + DAY if day is None else self.on_day(rng, day)

    def on_day(self, rng: random.Random, index: int) -> int:
        """A moment within the working hours of the day with this index."""
        habit = self.habit
        hour = rng.triangular(habit.first_hour, habit.last_hour, habit.first_hour + 2)
        if rng.random() < 0.12:
            hour = rng.uniform(20, 23.5)
        midnight = self.midnight(index)
        return midnight + int(hour * HOUR) - self.offset_min(midnight + 12 * HOUR) * 60

    def midnight(self, index: int) -> int:
        first = datetime(self._first.year, self._first.month, self._first.day, tzinfo=UTC)
        return int(first.timestamp()) + index * DAY

    def streak_days(self) -> list[int]:
        """The indexes of all days on which this person always does something."""
        last = self.days - 1
        backs = (back for first, end in self.habit.streaks for back in range(first, end + 1))
        return [last - back for back in backs if back <= last]

    def _weight(self, index: int) -> float:
        habit, day = self.habit, self._first + timedelta(days=index)
        back = self.days - 1 - index
        if back in habit.gaps:
            return 0.0
        growth = 0.6 + 0.7 * index / self.days
        return growth * (habit.weekend if day.weekday() > 4 else 1.0) * self._season(day)

    def _season(self, day: date) -> float:
        if (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 2):
            return 0.03
        if any(day.month == month and first <= day.day <= last for month, first, last in self.habit.holidays):
            return 0.0
        return 1.5 if day.month in (3, 10) else 1.0

    def _index(self, at: int) -> int:
        return min(max((at - self.midnight(0)) // DAY, 0), self.days - 1)

    def _day_of(self, drawn: float) -> int:
        return min(bisect_left(self._sums, drawn), self.days - 1)

    @staticmethod
    def _clamp(rng: random.Random, at: int, start: int, end: int) -> int:
        if start <= at <= end:
            return at
        span = max(60, min(4 * HOUR, end - start))
        return end - rng.randrange(span) if at > end else start + rng.randrange(span)
