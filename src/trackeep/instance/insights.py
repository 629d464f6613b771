"""The figures of many pull requests, from the rows that were read; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from trackeep.metrics import durations, reviews
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.pulls import Throughput, merge_rate, sizes, throughput, weekly
from trackeep.metrics.windows import CUSTOM, Comparison, Window, midnight, weeks_back
from trackeep.store.reports_access import Reader
from trackeep.store.reports_insights import Pull

# How many spans of seven days are drawn for a period.
WEEKS = {"7d": 12, "30d": 12, "90d": 13, "12m": 52, "all": 52}
MOST_WEEKS = 52
# How many of those that nobody looked at are named.
LISTED = 5


@dataclass(frozen=True)
class Times:
    """Where the time of merged pull requests went; each spread is over those where it is known."""

    merged: int
    coding: Spread
    pickup: Spread
    review: Spread
    to_merge: Spread
    cycle: Spread


@dataclass(frozen=True)
class Figures:
    """What happened in one window; `unreviewed` are the newest of those merged without a review."""

    counts: Throughput
    times: Times
    merge_rate: float | None
    depth: float | None
    sizes: dict[str | None, int]
    unreviewed: tuple[Pull, ...]
    unreviewed_count: int


@dataclass(frozen=True)
class Summary:
    """What many pull requests come to: in a window, in the one before it, and week by week."""

    now: Figures
    before: Figures | None
    weeks: tuple[Throughput, ...]


def summary(
    pulls: Sequence[Pull], windows: tuple[Window, Window | None], starts: Sequence[date], reader: Reader
) -> Summary:
    """Of all that `read_from` names; `windows` are the current one and the one before."""
    current, previous = windows
    before = figures(pulls, previous) if previous else None
    return Summary(figures(pulls, current), before, tuple(weeks(pulls, starts, reader)))


def figures(pulls: Iterable[Pull], window: Window) -> Figures:
    """Each event is counted in its own cohort; what is said of merged ones is by the time of the merge."""
    pulls = tuple(pulls)
    counts = throughput((each.moments for each in pulls), window)
    merged = tuple(each for each in pulls if each.merged_at is not None and window.holds(each.merged_at))
    comments, given = sum(each.comments for each in merged), sum(each.reviews for each in merged)
    without = tuple(each for each in merged if reviews.is_merged_without(each.merged_at, each.reviews))
    return Figures(
        counts=counts,
        times=times(merged),
        merge_rate=merge_rate(counts.merged, counts.closed),
        depth=reviews.depth(comments, given, len(merged)),
        sizes=sizes((each.additions, each.deletions) for each in merged),
        unreviewed=tuple(sorted(without, key=lambda each: -(each.merged_at or 0))[:LISTED]),
        unreviewed_count=len(without),
    )


def times(merged: Sequence[Pull]) -> Times:
    """Medians and 90th percentiles of the parts of these pull requests' time."""
    ready = [durations.ready_at(each.created_at, each.ready_at) for each in merged]
    both = list(zip(merged, ready, strict=True))
    return Times(
        merged=len(merged),
        coding=spread(durations.coding_time(each.first_commit_at, at) for each, at in both),
        pickup=spread(durations.pickup_time(at, each.first_review_at) for each, at in both),
        review=spread(durations.review_time(each.first_review_at, each.merged_at) for each in merged),
        to_merge=spread(durations.time_to_merge(at, each.merged_at) for each, at in both),
        cycle=spread(durations.cycle_time(each.first_commit_at, each.merged_at) for each in merged),
    )


def week_starts(comparison: Comparison, reader: Reader) -> tuple[date, ...]:
    """The first days of the weeks that are drawn; the newest one ends with today, or with the chosen days."""
    if comparison.period != CUSTOM:
        return weeks_back(WEEKS[comparison.period], reader.now, reader.zone)
    end = min(reader.now, comparison.current.end - 1)
    return weeks_back(min(MOST_WEEKS, -(-comparison.days // 7)), end, reader.zone)


def weeks(pulls: Iterable[Pull], starts: Sequence[date], reader: Reader) -> list[Throughput]:
    """What happened in each week."""
    edges = [midnight(day, reader.zone) for day in (*starts, starts[-1] + timedelta(days=7))]
    return weekly((each.moments for each in pulls), edges)


def read_from(comparison: Comparison, starts: Sequence[date], reader: Reader) -> Window:
    """The window that holds this period, the one before and the weeks that are drawn."""
    earliest = comparison.previous.start if comparison.previous else comparison.current.start
    return Window(min(earliest, midnight(starts[0], reader.zone)), comparison.current.end)
