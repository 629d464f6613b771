"""What a person's days add up to: levels of the calendar, streaks, active days, and change against before."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil


@dataclass(frozen=True, slots=True)
class Streaks:
    """Runs of days with at least one contribution, in days."""

    current: int
    longest: int


def of_day(
    commits: Iterable[str],
    opened: Iterable[Hashable],
    reviewed: Iterable[Hashable],
    issues: Iterable[Hashable],
) -> int:
    """One day's contributions: shas of counted commits outside forks, and keys of pulls and issues.

    Each counts once, however often it is named: two reviews of a pull request are one contribution.
    """
    return sum(len(set(each)) for each in (commits, opened, reviewed, issues))


def nearest_rank(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed; values must not be empty."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def levels(counts: Iterable[int]) -> tuple[int, ...]:
    """The calendar's level, 0 to 4, of each day's count, by quartiles of the days that are not empty.

    With fewer than four different counts the quartiles say nothing, so the count itself is the level.
    """
    counts = tuple(counts)
    busy = [count for count in counts if count]
    if len(set(busy)) < 4:
        return tuple(min(4, count) for count in counts)
    quartiles = [nearest_rank(busy, percent) for percent in (25, 50, 75)]
    return tuple(1 + sum(count > q for q in quartiles) if count else 0 for count in counts)


def streaks(days: Mapping[date, int], today: date) -> Streaks:
    """Current and longest run; a run that ends yesterday is current, because today is still open."""
    active = {day for day, count in days.items() if count and day <= today}
    longest = max((_run_until(day, active) for day in active if day + _DAY not in active), default=0)
    last = today if today in active else today - _DAY
    return Streaks(_run_until(last, active), longest)


def active_days(counts: Iterable[int]) -> int:
    """How many days have at least one contribution."""
    return sum(1 for count in counts if count)


def change_percent(current: float, previous: float) -> int | None:
    """Growth in whole percent, rounded half away from zero; None when there is nothing to compare with."""
    if not previous:
        return None
    exact = (current - previous) * 100 / previous
    return int(exact + (0.5 if exact >= 0 else -0.5))


_DAY = timedelta(days=1)


def _run_until(day: date, active: set[date]) -> int:
    length = 0
    while day - length * _DAY in active:
        length += 1
    return length
