"""When the next request may go out: one lane each for REST, GraphQL and git, and what GitHub said of time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from trackeep.errors import GitHubRateLimited
from trackeep.github import ratelimit
from trackeep.github.ratelimit import Refusal
from trackeep.model import Budget, Waiting


@dataclass
class Lane:
    """Requests of one kind: none goes out before `open_at`; `sent` holds the time of each recent point."""

    resource: str
    per_minute: int
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    budget: Budget | None = None
    open_at: float = 0.0
    refusals: int = 0
    sent: deque[float] = field(default_factory=deque)


class Turns:
    """The lanes of one account; `on_refused` hears of a refusal first, so that a process may die after it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.rest = Lane("core", ratelimit.REST_PER_MINUTE)
        self.graphql = Lane("graphql", ratelimit.GRAPHQL_PER_MINUTE)
        self.git = Lane("git", ratelimit.REST_PER_MINUTE)
        self.on_refused: Callable[[], Awaitable[None]] | None = None
        self._lanes = (self.rest, self.graphql, self.git)
        self._clock = clock

    def remember(self, budgets: Iterable[Budget], waiting: Waiting) -> None:
        """Take over what an earlier run was told."""
        known, now = {budget.resource: budget for budget in budgets}, self._clock()
        for lane in self._lanes:
            lane.budget = known.get(lane.resource, lane.budget)
            lane.open_at = max(lane.open_at, waiting.until)
            lane.refusals = waiting.refusals.get(lane.resource, 0)
            lane.sent.extend([now] * min(lane.per_minute, waiting.spent.get(lane.resource, 0)))

    async def wait(self, lane: Lane) -> None:
        """Sleeps what keeps the pace, and takes the turn.

        Raises GitHubRateLimited when GitHub has named a later time, or the reserve is reached.
        """
        while lane.sent and lane.sent[0] <= self._clock() - 60:
            lane.sent.popleft()
        await asyncio.sleep(ratelimit.pause_s(lane.sent, self._clock(), lane.per_minute))
        now = self._clock()
        open_at = max(lane.open_at, ratelimit.wait_until(lane.budget, now))
        if open_at > now:
            raise _limited(open_at, now)
        lane.sent.append(now)

    def spent(self, lane: Lane, points: int) -> None:
        """The request that took its turn last cost `points` instead of one."""
        lane.sent.extend([self._clock()] * (points - 1))

    async def heed(self, lane: Lane, refused: Refusal | None) -> None:
        """An answer came; a refusal closes its lane, a secondary one all lanes. Raises GitHubRateLimited."""
        if refused is None:
            lane.refusals = 0
            return
        lane.refusals += 1
        for each in self._lanes if refused.secondary else (lane,):
            each.open_at = max(each.open_at, refused.retry_at)
        if self.on_refused is not None:
            await self.on_refused()
        raise _limited(refused.retry_at, self._clock())

    @property
    def closed_until(self) -> float:
        """Until when GitHub wants no request of any kind (a secondary limit); the past when it is open."""
        return min(lane.open_at for lane in self._lanes)

    @property
    def refusals(self) -> dict[str, int]:
        """How many have come in a row, by resource, where there are any."""
        return {lane.resource: lane.refusals for lane in self._lanes if lane.refusals}


def _limited(retry_at: float, now: float) -> GitHubRateLimited:
    minutes = max(1, round((retry_at - now) / 60))
    unit = "minute" if minutes == 1 else "minutes"
    return GitHubRateLimited(
        f"GitHub asks to wait {minutes} {unit}.",
        "It goes on by itself; other programs with your account use the same quota.",
        retry_at=retry_at,
    )
