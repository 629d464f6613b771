"""How fresh the copy is and what it costs."""

from __future__ import annotations


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
