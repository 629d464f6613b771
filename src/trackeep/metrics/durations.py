"""How long changes take: medians and 90th percentiles, never a mean; unix seconds in, seconds out."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from trackeep.metrics.contributions import nearest_rank

FEW = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Half of `n` values are at most `p50`, nine in ten at most `p90`; None where nothing is known."""

    n: int
    p50: float | None
    p90: float | None

    @property
    def is_few(self) -> bool:
        """Too few values to lean on; shown grey."""
        return self.n < FEW


def spread(values: Iterable[float | None]) -> Spread:
    """p50 is the usual median, p90 the nearest rank; missing values are left out, not counted as 0."""
    known = [value for value in values if value is not None]
    if not known:
        return Spread(0, None, None)
    return Spread(len(known), statistics.median(known), nearest_rank(known, 90))


def ready_at(created_at: int, ready_for_review_at: int | None) -> int:
    """When it asked for attention: the last "ready for review" if it was a draft, else the creation."""
    return created_at if ready_for_review_at is None else ready_for_review_at


def time_to_merge(ready: int, merged_at: int | None) -> int | None:
    """From ready to merged; None while it is not merged or where the times contradict each other."""
    return _from_to(ready, merged_at)


def cycle_time(first_commit_at: int | None, merged_at: int | None) -> int | None:
    """From the first commit's author date to the merge."""
    return _from_to(first_commit_at, merged_at)


def coding_time(first_commit_at: int | None, ready: int) -> int | None:
    """From the first commit's author date until ready for review."""
    return _from_to(first_commit_at, ready)


def pickup_time(ready: int, first_review_at: int | None) -> int | None:
    """From ready until the first review by somebody else who is no bot; None while it waits."""
    return _from_to(ready, first_review_at)


def review_time(first_review_at: int | None, merged_at: int | None) -> int | None:
    """From the first review to the merge."""
    return _from_to(first_review_at, merged_at)


def review_turnaround(requests: Iterable[int], reviews: Iterable[int]) -> int | None:
    """From the latest request to me that came before my first review, until that review."""
    first = min(reviews, default=None)
    asked = [] if first is None else [at for at in requests if at <= first]
    return _from_to(max(asked, default=None), first)


def age(now: int, created_at: int, ready_for_review_at: int | None, *, draft: bool) -> int:
    """How long a pull request has been waiting; a draft waits from its creation."""
    since = created_at if draft else ready_at(created_at, ready_for_review_at)
    return max(0, now - since)


def _from_to(start: int | None, end: int | None) -> int | None:
    if start is None or end is None or end < start:
        return None
    return end - start
