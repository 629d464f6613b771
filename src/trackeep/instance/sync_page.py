"""Sync: is it working, when will it be done, what does it cost; every repository, every kind, every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance import charts, sync_words
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import reader_of, show, viewer_of
from trackeep.instance.repository_actions import done_in
from trackeep.instance.site import site_of
from trackeep.instance.sync_words import state_of, word_of
from trackeep.instance.words import moment
from trackeep.metrics.syncing import behind, budget_use, eta_s, hit_ratio, lag_s
from trackeep.model import Budget
from trackeep.store import hints, reports_connection, reports_queue, reports_sync, schedule, search_files
from trackeep.store.reports_sync import Freshness, RepositorySync, Run
from trackeep.sync import plan

RUNS_SHOWN = 10
RUNS_A_PAGE = 50
ROWS_A_PAGE = 25
LOW = 0.8
# Which budget pays for the pages of a stream.
PAID_BY = {"pulls": "graphql"}


@dataclass(frozen=True)
class BudgetCard:
    """`budget` is None while GitHub was never asked; `shares` are its use in the half hours of a day."""

    name: str
    budget: Budget | None
    is_low: bool
    is_renewed: bool
    shares: tuple[float | None, ...]

    @property
    def highest(self) -> float | None:
        return max((share for share in self.shares if share is not None), default=None)


@dataclass(frozen=True)
class Backlog:
    """How many kinds of things are not read to their end, in requests where known, and how long that takes.

    `eta_s` is None where GitHub allows nothing before the reset, or has not told its budget yet.
    """

    streams: int
    requests: int
    eta_s: float | None


async def page(request: Request) -> Response:
    """GET /sync"""
    site, reader = site_of(request), reader_of(request)
    async with site.db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
        repositories = await reports_sync.repositories(conn, reader)
        runs = await reports_sync.runs(conn, reader.account_id)
        losses = await reports_sync.losses(conn, reader)
        is_graphql_refused = await reports_connection.is_graphql_refused(conn, reader.account_id)
        delivered_at = await hints.last_delivery_at(conn)
        readings = await reports_queue.readings(conn, reader.account_id, reader.now)
        line = await reports_queue.line(conn, reader.now)
        lists = await reports_queue.account_streams(conn, reader.account_id)
    places = ("bad", "warn", "off", "ok")
    rows = sorted(repositories, key=lambda row: places.index(state_of(row, reader.now)))
    first = request.query_params.get("from", "0")
    start = min(int(first) if first.isdecimal() and len(first) < 10 else 0, len(rows))
    shown = rows[start : start + ROWS_A_PAGE]
    idle = [run for run in runs if run.trigger == "poll" and run.outcome == "idle"][: plan.RESTLESS_AFTER]
    return show(
        request,
        "sync.html",
        "sync",
        freshness=freshness,
        rows=[(row, state, word_of(row, state)) for row in shown if (state := state_of(row, reader.now))],
        start=start,
        in_all=len(rows),
        paused=sum(row.follow_state == schedule.PAUSED for row in rows),
        runs=runs[:RUNS_SHOWN],
        runs_in_all=len(runs),
        losses=losses,
        notices=sync_words.notices(freshness, rows, reader.now, reader.zone),
        is_graphql_refused=is_graphql_refused,
        is_restless=plan.is_restless([(run.rest_requests, run.not_modified) for run in idle]),
        unchanged=unchanged_of(runs),
        budgets=budget_cards(freshness, readings, reader.now),
        sparkline=charts.sparkline,
        line=line,
        lists=lists,
        backlog=backlog(repositories, freshness, reader.now),
        behind=behind(lags(repositories, reader.now)),
        aim_s=2 * site.settings.poll_seconds,
        sync_words=sync_words,
        hit_ratio=hit_ratio,
        done=done_in(request),
        # The owner alone: it is about everybody's repositories.
        has_webhook=bool(site.settings.webhook_secret) and viewer_of(request).role == "owner",
        delivered_at=delivered_at,
    )


async def repository(request: Request) -> Response:
    """GET /sync/r/{owner}/{name}: how far each kind of thing of one repository has come."""
    reader = reader_of(request)
    name = (request.path_params["owner"], request.path_params["name"])
    async with site_of(request).db.read() as conn:
        found = await reports_sync.repositories(conn, reader, only=name)
        if not found:
            raise NotFound("You follow no such repository.", "Check its name on the page of your sync.")
        freshness = await reports_sync.freshness(conn, reader)
        oldest = await reports_queue.oldest(conn, reader, found[0].id)
        files = await search_files.of_repository(conn, reader, found[0].id)
    state = state_of(found[0], reader.now)
    return show(
        request,
        "sync_repository.html",
        "sync",
        row=found[0],
        state=state,
        word=word_of(found[0], state),
        oldest=oldest,
        files=files,
        freshness=freshness,
        sync_words=sync_words,
        hit_ratio=hit_ratio,
        done=done_in(request),
    )


async def runs(request: Request) -> Response:
    """GET /sync/runs: the log of the last 200 runs, page by page."""
    reader, before = reader_of(request), request.query_params.get("before", "")
    if before and not (before.isdecimal() and len(before) < 19):
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    async with site_of(request).db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
        every = await reports_sync.runs(conn, reader.account_id)
    left = [run for run in every if not before or run.id < int(before)]
    shown = left[:RUNS_A_PAGE]
    return show(
        request,
        "sync_runs.html",
        "sync",
        runs=shown,
        in_all=len(every),
        next=f"/sync/runs?before={shown[-1].id}" if len(left) > len(shown) else "",
        before=before,
        freshness=freshness,
        unchanged=unchanged_of(every),
        sync_words=sync_words,
    )


async def budgets(request: Request) -> Response:
    """GET /sync/budgets: how a day used GitHub's budgets, as a table."""
    table = await _used_in_a_day(request)
    return figure_page(request, "sync", table, chart="/sync", csv_file="/sync/budgets.csv")


async def budgets_csv(request: Request) -> Response:
    """GET /sync/budgets.csv"""
    return figure_csv("budgets", await _used_in_a_day(request))


async def _used_in_a_day(request: Request) -> TableOf:
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        readings = await reports_queue.readings(conn, reader.account_id, reader.now)
    seen = [name for name in sync_words.BUDGETS if name in readings]
    first = reader.now // schedule.READING_S - schedule.READINGS + 1
    rows = []
    for slot in range(schedule.READINGS if seen else 0):
        shares = [readings[name][slot] for name in seen]
        figures = tuple(None if share is None else round(share * 100) for share in shares)
        rows.append((moment((first + slot) * schedule.READING_S, reader.zone), figures))
    columns = tuple(f"{sync_words.BUDGETS[name]}, % used" for name in seen)
    return TableOf("Budgets of the last 24 hours", "Half hour from", columns, tuple(rows))


def budget_cards(
    freshness: Freshness, readings: dict[str, tuple[float | None, ...]], now: int
) -> list[BudgetCard]:
    """One for each bucket of GitHub's, also for what was never asked."""
    seen = {one.resource: one for one in freshness.budgets}
    names = [*sync_words.BUDGETS, *(name for name in seen if name not in sync_words.BUDGETS)]
    return [budget_card(name, seen.get(name), readings.get(name, ()), now) for name in names]


def budget_card(
    resource: str, budget: Budget | None, shares: tuple[float | None, ...], now: int
) -> BudgetCard:
    """A budget whose reset has passed is full again, whatever was seen last."""
    name = sync_words.BUDGETS.get(resource, resource)
    if budget is None:
        return BudgetCard(name, None, False, False, shares)
    use = budget_use(budget.limit, budget.remaining) or 0.0
    renewed = budget.reset_at <= now
    return BudgetCard(name, budget, use > LOW and not renewed, renewed, shares)


def backlog(repositories: Sequence[RepositorySync], freshness: Freshness, now: int) -> Backlog:
    """What is still to be read of what is not paused, and how long GitHub's budgets make it last."""
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


def lags(repositories: Sequence[RepositorySync], now: int) -> list[float]:
    """How long ago each kind of thing of each repository was last known to be as it is at GitHub."""
    every = (
        lag_s(now, row.fresh_at(stream))
        for row in repositories
        if row.follow_state == schedule.TRACKED
        for stream in row.streams
        if stream.name in schedule.STREAMS
    )
    return [lag for lag in every if lag is not None]


def unchanged_of(some: Sequence[Run]) -> float | None:
    """Of the conditional requests of these runs, the share that was answered "unchanged"."""
    return hit_ratio(sum(run.not_modified for run in some), sum(run.conditional for run in some))


def _time_s(budget: Budget | None, pages: int, now: int) -> float | None:
    if budget is None:
        return None if pages else 0.0
    if budget.reset_at <= now:
        return eta_s(pages, plan.spendable(budget.limit, budget.limit), 3_600.0)
    return eta_s(pages, plan.spendable(budget.limit, budget.remaining), budget.reset_at - now)
