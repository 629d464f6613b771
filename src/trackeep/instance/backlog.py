"""How much is still to be read, and how long GitHub's budgets make that last; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trackeep.instance import words
from trackeep.metrics.syncing import eta_s
from trackeep.model import Budget
from trackeep.store import schedule
from trackeep.store.reports_sync import Freshness, RepositorySync
from trackeep.sync import plan

# Which budget pays for the pages of a stream.
PAID_BY = {"pulls": "graphql"}


@dataclass(frozen=True)
class Backlog:
    """How many kinds of things are not read to their end, in requests where known, and how long that takes.

    `eta_s` is None where GitHub allows nothing before the reset, or has not told its budget yet.
    """

    streams: int
    requests: int
    eta_s: float | None

    @property
    def left(self) -> str:
        """ "about 4 min left", or nothing where nobody knows."""
        return f"about {words.duration(self.eta_s)} left" if self.eta_s else ""


def backlog(repositories: Sequence[RepositorySync], freshness: Freshness, now: int) -> Backlog:
    """What is still to be read of what is not paused, and how long GitHub's budgets make it last.

    Repositories that are read to their end add nothing, and may be left out.
    """
    pending: dict[str, int] = {}
    streams = 0
    for row in repositories:
        if row.follow_state != schedule.TRACKED:
            continue
        known = {stream.name: stream for stream in row.streams}
        for name in schedule.STREAMS:
            stream = known.get(name)
            if stream is not None and stream.complete:
                continue
            streams += 1
            pages = stream.pages_left if stream is not None else int(name != "commits")
            resource = PAID_BY.get(name, "core")
            pending[resource] = pending.get(resource, 0) + pages
    times = [_time_s(freshness.budget(resource), pages, now) for resource, pages in pending.items()]
    known_times = [time for time in times if time is not None]
    eta = max(known_times, default=0.0) if len(known_times) == len(times) else None
    return Backlog(streams, sum(pending.values()), eta)


def _time_s(budget: Budget | None, pages: int, now: int) -> float | None:
    if budget is None:
        return None if pages else 0.0
    if budget.reset_at <= now:
        return eta_s(pages, plan.spendable(budget.limit, budget.limit), 3_600.0)
    return eta_s(pages, plan.spendable(budget.limit, budget.remaining), budget.reset_at - now)
