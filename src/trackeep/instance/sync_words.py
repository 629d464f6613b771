"""What the sync is doing and waiting for, in words; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from trackeep.instance import words
from trackeep.model import Budget
from trackeep.store import schedule
from trackeep.store.leases import SILENT_AFTER_S
from trackeep.store.reports_sync import Freshness, RepositorySync
from trackeep.sync import plan

LATE_S = 86_400
BUDGETS = {"core": "REST", "graphql": "GraphQL", "search": "Search"}
# By severity, the worst first.
STATES = {"bad": "No access", "warn": "Late", "off": "Paused", "ok": "On time"}
STREAMS = {
    "commits": "Commits, branches and tags",
    "pulls": "Pull requests and reviews",
    "issues": "Issues",
    "comments": "Review comments",
    "releases": "Releases and languages",
    "pulse": "Newest changes",
    "look": "Newest changes, over REST",
    "reconcile": "Weekly comparison",
    "access": "Access",
    "repositories": "List of your repositories",
    "changed": "List of everything that changed",
    "details": "Details of pull requests",
    "identities": "Who commits are by",
    "line_counts": "Lines of commits",
    "files": "Files of commits",
    "teams": "Your teams",
    "graphql": "GraphQL",
}
TRIGGERS = {
    "click": "You asked",
    "poll": "Poll",
    "webhook": "Webhook",
    "backfill": "Reading the past",
    "command": "Command line",
}
OUTCOMES = {
    "done": "Something new",
    "idle": "Nothing new",
    "more": "Others’ turn came",
    "limited": "Waited for GitHub",
    "reconnect": "Token refused",
    "failed": "Failed",
    "stopped": "Stopped",
}


@dataclass(frozen=True)
class Notice:
    """What is wrong or waited for, and what that means; `retry` where trying again at once may help."""

    title: str
    text: str
    retry: bool = False
    reconnect: bool = False


def notices(
    freshness: Freshness, rows: Sequence[RepositorySync], now: int, zone: ZoneInfo
) -> tuple[Notice, ...]:
    """Everything that keeps the copy from being fresh; nothing when nothing does."""
    if not freshness.connection_kind:
        return (
            Notice("Not connected to GitHub.", "Connect to go on; what is stored stays.", reconnect=True),
        )
    if freshness.connection_state not in ("", "ok"):
        said = freshness.problem or "GitHub no longer accepts the token."
        text = "Reconnect to go on. Everything that was stored is kept."
        return (Notice(said, text, reconnect=True),)
    waits = _waits(freshness, now, zone)
    found = list(waits)
    if freshness.problem and not waits:
        found.append(Notice(freshness.problem, "We keep what we have and try again by ourselves."))
    failed = [row for row in rows if row.problem and row.follow_state == schedule.TRACKED]
    if failed:
        found.append(_failed(failed, now, zone))
    heartbeat = freshness.heartbeat_at
    if heartbeat is None or heartbeat < now - SILENT_AFTER_S:
        found.append(Notice("No worker is running.", "Start one with trackeep serve or trackeep worker."))
    return tuple(found)


def state_of(row: RepositorySync, now: int) -> str:
    """ok, warn (late, or something failed), bad (no access) or off (paused)."""
    if row.state == "gone":
        return "bad"
    if row.follow_state == schedule.PAUSED:
        return "off"
    late = row.succeeded_at is not None and row.succeeded_at < now - LATE_S
    return "warn" if row.problem or late else "ok"


def word_of(row: RepositorySync, state: str) -> str:
    """The state in words."""
    if state == "warn" and row.problem:
        return "Error"
    if state == "ok" and not row.streams:
        return "Waiting"
    return STATES[state] if state != "ok" or row.is_whole else "Reading"


def _waits(freshness: Freshness, now: int, zone: ZoneInfo) -> list[Notice]:
    if freshness.retry_at is not None and freshness.retry_at > now:
        text = (
            "Requests came faster than it likes (its secondary limit). We stopped asking, keep what we have, "
            f"and go on at {words.clock(freshness.retry_at, zone)}. Nothing is lost and there is nothing you "
            "need to do."
        )
        return [Notice("GitHub asked this instance to slow down.", text)]
    empty = [each for each in freshness.budgets if _is_empty(each, now)]
    return [
        Notice(
            f"The budget for {BUDGETS.get(each.resource, each.resource)} is used up for now.",
            "A fifth of it is left to your other tools. It is full again at "
            f"{words.clock(each.reset_at, zone)}; git and the other budget go on meanwhile.",
        )
        for each in empty
    ]


def _is_empty(budget: Budget, now: int) -> bool:
    return budget.reset_at > now and not plan.spendable(budget.limit, budget.remaining)


def _failed(rows: Sequence[RepositorySync], now: int, zone: ZoneInfo) -> Notice:
    first, others = rows[0], len(rows) - 1
    name = f"{first.owner}/{first.name}"
    more = (
        f" and {words.counted(others, 'other')} wait after an error." if others else " waits after an error."
    )
    again = min((row.retry_at for row in rows if row.retry_at is not None), default=None)
    at = f" Tried again by itself {_when(again, now, zone)}." if again else ""
    return Notice(
        f"{name}{more}", f"{first.problem}{at} Everything else goes on, and nothing is lost.", retry=True
    )


def _when(at: int, now: int, zone: ZoneInfo) -> str:
    return f"at {words.clock(at, zone)}" if at > now else "with the next look"
