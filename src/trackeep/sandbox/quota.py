"""The settable clock, the hourly budgets of each person and the optional secondary limits."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
ANONYMOUS = ""
DEFAULT_LIMITS = {"core": 5000, "graphql": 5000, "search": 30}
ANONYMOUS_LIMITS = {"core": 60, "graphql": 0, "search": 10}
WINDOW_S = {"core": 3600, "graphql": 3600, "search": 60}


class Clock:
    """Real time plus an offset; it keeps running after it was moved."""

    def __init__(self) -> None:
        self._offset_s = 0.0

    def now(self) -> float:
        return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        self._offset_s += seconds

    def set(self, at: float) -> None:
        """`at` is in unix seconds."""
        self._offset_s = at - time.time()

    def real(self) -> None:
        self._offset_s = 0.0


@dataclass
class Budget:
    """What one person may spend on one resource until `reset_at` (unix seconds)."""

    limit: int
    used: int
    reset_at: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass
class _Recent:
    in_flight: int = 0
    spent: deque[tuple[float, int]] = field(default_factory=deque)


class SecondaryLimits:
    """Limits on concurrency and on points in any minute; both are off until they are given a number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: dict[str, _Recent] = {}
        self.concurrent: int | None = None
        self.points_per_minute: int | None = None

    def enter(self, login: str, points: int) -> int | None:
        """Counts a request in. Returns seconds to wait when it is refused, else None; then call `leave`.

        Points: 1 for a reading request, 5 for a writing one
        (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
        """
        recent = self._recent.setdefault(login, _Recent())
        now = self._clock.now()
        while recent.spent and recent.spent[0][0] <= now - 60:
            recent.spent.popleft()
        if self.concurrent is not None and recent.in_flight >= self.concurrent:
            return 60
        spent = sum(cost for _, cost in recent.spent)
        if self.points_per_minute is not None and spent + points > self.points_per_minute:
            return max(1, int(recent.spent[0][0] + 60 - now) + 1) if recent.spent else 60
        recent.in_flight += 1
        recent.spent.append((now, points))
        return None

    def leave(self, login: str) -> None:
        self._recent[login].in_flight -= 1


class Quota:
    """Budgets per person and resource (core, graphql, search); all tokens of a person share them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._budgets: dict[tuple[str, str], Budget] = {}
        self.secondary = SecondaryLimits(clock)

    def look(self, login: str | None, resource: str) -> Budget:
        """The budget as it stands now; a new window starts with the first request after the last one."""
        key = (login or ANONYMOUS, resource)
        now = self._clock.now()
        budget = self._budgets.get(key)
        if budget is None:
            limits = DEFAULT_LIMITS if login else ANONYMOUS_LIMITS
            budget = Budget(limits[resource], 0, int(now) + WINDOW_S[resource])
        elif now >= budget.reset_at:
            budget = Budget(budget.limit, 0, int(now) + WINDOW_S[resource])
        self._budgets[key] = budget
        return budget

    def charge(self, login: str | None, resource: str, points: int = 1) -> Budget:
        """Spends points and returns the budget after it. Whoever calls has looked at `remaining` before."""
        budget = self.look(login, resource)
        budget.used = min(budget.limit, budget.used + points)
        return budget

    def set(
        self, login: str | None, resource: str, *, limit: int | None = None, used: int | None = None
    ) -> Budget:
        """Changes a budget; the resources `points_per_minute` and `concurrent` are the secondary limits.

        A secondary limit holds for every person alike, and a `limit` of None turns it off again.
        """
        if resource in ("points_per_minute", "concurrent"):
            setattr(self.secondary, resource, limit)
            return Budget(limit or 0, 0, 0)
        budget = self.look(login, resource)
        budget.limit = budget.limit if limit is None else limit
        budget.used = budget.used if used is None else used
        return budget

    def headers(self, login: str | None, resource: str) -> dict[str, str]:
        """The five headers that GitHub puts on every answer of its API."""
        budget = self.look(login, resource)
        return {
            "X-RateLimit-Limit": str(budget.limit),
            "X-RateLimit-Remaining": str(budget.remaining),
            "X-RateLimit-Reset": str(budget.reset_at),
            "X-RateLimit-Used": str(budget.used),
            "X-RateLimit-Resource": resource,
        }
