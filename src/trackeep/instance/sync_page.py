"""Sync: is it working, when will it be done, what does it cost; and its progress as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trackeep.instance.frame import reader_of, show, viewer_of
from trackeep.instance.sessions import current
from trackeep.instance.site import Site, site_of
from trackeep.metrics.syncing import budget_use, hit_ratio
from trackeep.model import Budget
from trackeep.store import hints, reports_connection, reports_sync, wishes
from trackeep.store.reports_access import Reader
from trackeep.store.reports_sync import Freshness, RepositorySync
from trackeep.sync import plan

LOOK_EVERY_S = 2.0
ALIVE_EVERY_S = 15.0
LONGEST_STREAM_S = 300.0
LATE_AFTER_S = 3_600
RUNS_SHOWN = 12
BUDGET_WORDS = {"core": "REST", "graphql": "GraphQL", "search": "Search"}
LOW = 0.8


@dataclass(frozen=True)
class BudgetCard:
    name: str
    budget: Budget
    is_low: bool
    is_renewed: bool


async def page(request: Request) -> Response:
    """GET /sync"""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
        repositories = await reports_sync.repositories(conn, reader)
        runs = await reports_sync.runs(conn, reader.account_id, limit=RUNS_SHOWN)
        is_graphql_refused = await reports_connection.is_graphql_refused(conn, reader.account_id)
        delivered_at = await hints.last_delivery_at(conn)
        losses = await reports_sync.losses(conn, reader)
    rows = sorted(repositories, key=lambda row: ("bad", "warn", "off", "ok").index(state_of(row, reader.now)))
    last = next((run for run in runs if run.finished_at is not None), None)
    conditional = sum(run.rest_requests for run in runs)
    idle = [run for run in runs if run.trigger == "poll" and run.outcome == "idle"][: plan.RESTLESS_AFTER]
    return show(
        request,
        "sync.html",
        "sync",
        freshness=freshness,
        rows=[(row, state_of(row, reader.now)) for row in rows],
        runs=runs,
        losses=losses,
        last=last,
        is_graphql_refused=is_graphql_refused,
        is_restless=plan.is_restless([(run.rest_requests, run.not_modified) for run in idle]),
        unchanged=hit_ratio(sum(run.not_modified for run in runs), conditional),
        budgets=[budget_card(budget, reader.now) for budget in freshness.budgets],
        sentence=sentence(freshness, reader.now),
        # The owner alone: it is about everybody's repositories.
        has_webhook=bool(site_of(request).settings.webhook_secret) and viewer_of(request).role == "owner",
        delivered_at=delivered_at,
    )


def budget_card(budget: Budget, now: int) -> BudgetCard:
    """A budget whose reset has passed is full again, whatever was seen last."""
    use = budget_use(budget.limit, budget.remaining) or 0.0
    renewed = budget.reset_at <= now
    return BudgetCard(
        BUDGET_WORDS.get(budget.resource, budget.resource), budget, use > LOW and not renewed, renewed
    )


def state_of(row: RepositorySync, now: int) -> str:
    """ok, warn (late, or something failed), bad (no access) or off (paused)."""
    if row.state == "gone":
        return "bad"
    if row.follow_state == "paused":
        return "off"
    late = row.succeeded_at is not None and row.succeeded_at < now - 86_400
    return "warn" if row.problem or late else "ok"


def sentence(freshness: Freshness, now: int) -> tuple[str, str] | None:
    """What is wrong, and what that means; None when nothing is."""
    if not freshness.connection_kind:
        return "Not connected to GitHub.", "Connect to go on; what is stored stays."
    if freshness.connection_state not in ("", "ok"):
        said = freshness.problem or "GitHub no longer accepts the token."
        return said, "Reconnect to go on. Everything that was stored is kept."
    if freshness.problem:
        return freshness.problem, "We keep what we have and try again by ourselves."
    heartbeat = freshness.heartbeat_at
    if heartbeat is None or heartbeat < now - 120:
        return "No worker is running.", "Start one with trackeep serve or trackeep worker."
    return None


# ---- progress as it happens ---------------------------------------------------------------------


async def events(request: Request) -> Response:
    """GET /sync/events: server-sent events, one whenever the state has changed."""
    site, reader = site_of(request), reader_of(request)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_changes(request, site, reader), media_type="text/event-stream", headers=headers)


async def _changes(request: Request, site: Site, reader: Reader) -> AsyncIterator[str]:
    said, silent_s, spent_s = "", 0.0, 0.0
    # Asked anew each time: who signs out, or is removed, reads no further on a stream opened before.
    while spent_s < LONGEST_STREAM_S and not await request.is_disconnected() and await current(request):
        state = json.dumps(await _state(site, Reader(reader.account_id, site.now(), reader.zone)))
        if state != said:
            said, silent_s = state, 0.0
            yield f"data: {state}\n\n"
        elif silent_s >= ALIVE_EVERY_S:
            silent_s = 0.0
            yield ": alive\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
        silent_s, spent_s = silent_s + LOOK_EVERY_S, spent_s + LOOK_EVERY_S


async def _state(site: Site, reader: Reader) -> dict[str, object]:
    async with site.db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
        stored = await reports_sync.stored(conn, reader)
        known = await reports_sync.known_repositories(conn, reader)
        asked = await wishes.waiting(conn, reader.account_id)
    return {
        "wishes": len(asked),
        "known": known,
        "followed": freshness.followed,
        "read": freshness.read,
        "commits": stored.commits,
        "pulls": stored.pulls,
        "running": freshness.running_since is not None,
        "succeeded_at": freshness.succeeded_at,
        "problem": freshness.problem,
    }
