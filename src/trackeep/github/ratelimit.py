"""GitHub's rules on how often it may be asked, as pure functions of its answers and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trackeep.model import Budget

# The share of each bucket that is left to the person's other tools.
RESERVE = 0.2
# GitHub allows 900 points a minute to REST, where a GET is one, and 2,000 to GraphQL; no query of ours
# costs more than what is left out here.
REST_PER_MINUTE = 850
GRAPHQL_PER_MINUTE = 1900
FIRST_WAIT_S = 60
LONGEST_WAIT_S = 3600


@dataclass(frozen=True, slots=True)
class Refusal:
    """GitHub will not answer before `retry_at`; a secondary limit holds for every kind of request."""

    retry_at: float
    secondary: bool


def budget_of(headers: Mapping[str, str], now: float) -> Budget | None:
    """The bucket that an answer reports, or None when it reports none.

    Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
    """
    limit, remaining = (_number(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining"))
    reset_at = _number(headers.get("X-RateLimit-Reset"))
    if limit is None or remaining is None or reset_at is None:
        return None
    resource = headers.get("X-RateLimit-Resource", "core")
    return Budget(resource, limit, remaining, reset_at, int(now))


def wait_until(budget: Budget | None, now: float, *, reserve: float = RESERVE) -> float:
    """The earliest time for a request that this bucket pays for; `now` when it may go at once."""
    if budget is None or now >= budget.reset_at:
        return now
    return budget.reset_at if budget.remaining <= budget.limit * reserve else now


def has_plenty(budget: Budget | None, now: float, *, share: float = 0.5) -> bool:
    """True when so much of this bucket is left that work nobody waits for may use it."""
    return budget is None or now >= budget.reset_at or budget.remaining > budget.limit * share


def pause_s(sent: Sequence[float], now: float, per_minute: int = REST_PER_MINUTE) -> float:
    """Seconds to wait so that no minute holds more than `per_minute` requests; `sent` is oldest first."""
    if len(sent) < per_minute:
        return 0.0
    # Never longer, also when the clock was set back meanwhile.
    return min(60.0, max(0.0, sent[-per_minute] + 60 - now))


def refusal(
    status: int, headers: Mapping[str, str], message: str, now: float, *, earlier: int = 0
) -> Refusal | None:
    """What a 403, 429 or 503 says about time, or None when it is a refusal of another kind.

    `earlier` is how many refusals without a date came just before. The order is GitHub's own:
    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
    """
    if status not in (403, 429, 503):
        return None
    retry_after = _number(headers.get("Retry-After"))
    if retry_after is not None:
        return Refusal(now + max(1, retry_after), secondary=True)
    if status == 503:
        return None
    if headers.get("X-RateLimit-Remaining") == "0":
        reset_at = _number(headers.get("X-RateLimit-Reset"))
        # The reset is a whole second; a request inside that second is still refused.
        return Refusal(max(now, reset_at or now + FIRST_WAIT_S) + 1, secondary=False)
    if status == 429 or _speaks_of_limits(message):
        return Refusal(now + _doubled(earlier), secondary=True)
    return None


def graphql_refusal(
    kind: str, message: str, budget: Budget | None, now: float, *, earlier: int = 0
) -> Refusal | None:
    """The same for an error inside a GraphQL answer with status 200; `kind` is the error's `type`."""
    if kind == "RATE_LIMITED" and budget is not None and budget.remaining == 0:
        return Refusal(max(now, budget.reset_at) + 1, secondary=False)
    if kind == "RATE_LIMITED" or _speaks_of_limits(message):
        return Refusal(now + _doubled(earlier), secondary=True)
    return None


def _speaks_of_limits(message: str) -> bool:
    text = message.lower()
    return "rate limit" in text or "abuse detection" in text


def _doubled(earlier: int) -> int:
    return int(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(earlier, 10)))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
