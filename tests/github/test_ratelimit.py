"""GitHub's rules about time are obeyed to the second, whatever its answers look like."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.github.ratelimit import (
    budget_of,
    graphql_refusal,
    pause_s,
    refusal,
    wait_until,
)
from trackeep.model import Budget

NOW = 1_700_000_000
EMPTY = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW + 300)}
LIMITED = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@pytest.mark.parametrize(
    ("status", "headers", "message", "earlier", "expected"),
    [
        (403, {"Retry-After": "90", **EMPTY}, LIMITED, 0, (90, True)),
        (429, {"Retry-After": "0"}, "", 0, (1, True)),
        (403, EMPTY, "API rate limit exceeded for user ID 1.", 0, (301, False)),
        (429, EMPTY, "", 0, (301, False)),
        (403, {"X-RateLimit-Remaining": "4000"}, LIMITED, 0, (60, True)),
        (429, {}, "", 0, (60, True)),
        (429, {}, "", 1, (120, True)),
        (429, {}, "", 3, (480, True)),
        (429, {}, "", 99, (3600, True)),
        (403, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, LIMITED, 0, (60, True)),
    ],
)
def test_a_limit_says_when_to_come_back(
    status: int, headers: dict[str, str], message: str, earlier: int, expected: tuple[int, bool]
) -> None:
    """`Retry-After` first, then the reset of an empty bucket, else a minute that doubles."""
    found = refusal(status, headers, message, NOW, earlier=earlier)
    assert found is not None
    assert (found.retry_at - NOW, found.secondary) == expected


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (200, ""),
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
        (401, "Bad credentials"),
    ],
)
def test_other_refusals_are_no_limits(status: int, message: str) -> None:
    """A missing permission must not be waited for."""
    assert refusal(status, {"X-RateLimit-Remaining": "4999"}, message, NOW) is None


def test_graphql_limits_hide_in_successful_answers() -> None:
    """`RATE_LIMITED` waits for the reset when the bucket is empty, else like a secondary limit."""
    empty, full = Budget("graphql", 5000, 0, NOW + 120), Budget("graphql", 5000, 4000, NOW + 120)
    primary = graphql_refusal("RATE_LIMITED", "API rate limit exceeded", empty, NOW)
    secondary = graphql_refusal("", LIMITED, full, NOW)
    assert primary is not None and (primary.retry_at, primary.secondary) == (NOW + 121, False)
    assert secondary is not None and (secondary.retry_at, secondary.secondary) == (NOW + 60, True)
    assert graphql_refusal("NOT_FOUND", "Could not resolve to a node", full, NOW) is None


@given(limit=st.integers(1, 15_000), remaining=st.integers(0, 15_000), left_s=st.integers(-5, 3600))
def test_the_reserve_is_never_touched(limit: int, remaining: int, left_s: int) -> None:
    """A request goes out only above a fifth of the bucket, or after its reset."""
    budget = Budget("core", limit, min(limit, remaining), NOW + left_s)
    goes = wait_until(budget, NOW) <= NOW
    assert goes == (left_s <= 0 or budget.remaining * 5 > limit)


def test_budget_is_read_from_any_answer() -> None:
    """Limit, remaining and reset come from the headers; an answer without them says nothing."""
    headers = {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": "4990",
        "X-RateLimit-Reset": "1700000100",
    }
    assert budget_of({**headers, "X-RateLimit-Resource": "graphql"}, NOW) == Budget(
        "graphql", 5000, 4990, 1_700_000_100
    )
    assert budget_of({}, NOW) is None


@given(gaps=st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_holds_too_many_requests(gaps: list[float]) -> None:
    """However fast answers come, any 60 seconds see at most the allowed number of requests."""
    allowed, now, times = 5, 0.0, list[float]()
    sent: deque[float] = deque(maxlen=allowed)
    for gap in gaps:
        now += gap
        now += pause_s(sent, now, allowed)
        sent.append(now)
        times.append(now)
    assert all(later - first >= 59.999 for first, later in zip(times, times[allowed:], strict=False))
