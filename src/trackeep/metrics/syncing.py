"""How fresh the copy is and what it costs."""

from __future__ import annotations

import math
from collections.abc import Collection

from trackeep.metrics.contributions import nearest_rank


def lag_s(now: float, succeeded_at: int | None) -> float | None:
    """Seconds since the last success; None before the first."""
    return None if succeeded_at is None else max(0.0, now - succeeded_at)


def hit_ratio(not_modified: int, conditional: int) -> float | None:
    """The share of conditional requests that GitHub answered with "unchanged"."""
    return not_modified / conditional if conditional else None


def budget_use(limit: int, remaining: int) -> float | None:
    """The share of a budget that is used up."""
    return (limit - remaining) / limit if limit else None


def seconds_left(done: int, total: int, elapsed_s: float) -> float | None:
    """How much longer at the pace so far; None while nothing is done."""
    if done <= 0 or total <= done:
        return 0.0 if total and done >= total else None
    return elapsed_s / done * (total - done)


def pages_left(total: int, read: int, per_page: int) -> int:
    """Requests until all is read; at least one, as nobody knows the end before it was seen."""
    return max(1, math.ceil(max(0, total - read) / max(1, per_page)))


def eta_s(pending: int, allowed: int, until_reset_s: float) -> float | None:
    """Pending requests at the pace that GitHub allows until the reset; None while it allows none."""
    if pending <= 0:
        return 0.0
    return pending / (allowed / until_reset_s) if allowed > 0 and until_reset_s > 0 else None


def behind(lags: Collection[float]) -> tuple[float, float] | None:
    """The longest lag, and what nineteen of twenty do not exceed; None where nothing was read yet."""
    return (max(lags), nearest_rank(lags, 95)) if lags else None
