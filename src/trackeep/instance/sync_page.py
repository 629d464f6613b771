"""Sync: is it working, when will it be done, what does it cost; every repository, every kind, every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance import charts, sync_words
from trackeep.instance.backlog import Backlog, backlog
from trackeep.instance.blocks import Failed, blocks_of
from trackeep.instance.figures import TableOf, figure_csv, figure_page
from trackeep.instance.frame import reader_of, show, viewer_of
from trackeep.instance.repository_actions import done_in
from trackeep.instance.site import site_of
from trackeep.instance.sync_words import state_of, word_of
from trackeep.metrics.syncing import behind, budget_use, hit_ratio, lag_s
from trackeep.model import Budget
from trackeep.store import hints, reports_connection, reports_queue, reports_sync, schedule, search_files
from trackeep.store.reports_queue import Line
from trackeep.store.reports_sync import Freshness, RepositorySync, Run
from trackeep.sync import plan

RUNS_SHOWN = 10
RUNS_A_PAGE = 50
ROWS_A_PAGE = 25
LOW = 0.8


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
class Listed:
    """Every followed repository, those with problems first, and the rows of this page with state and word."""

    every: Sequence[RepositorySync]
    rows: Sequence[tuple[RepositorySync, str, str]]
    start: int

    @property
    def paused(self) -> int:
        return sum(row.follow_state == schedule.PAUSED for row in self.every)


@dataclass(frozen=True)
class Pace:
    """Who works, what is left for them, and how far the copy is behind: (longest, 19 of 20), in seconds."""

    line: Line
    backlog: Backlog
    behind: tuple[float, float] | None


@dataclass(frozen=True)
class Log:
    """The newest runs of `in_all`; whether lists are called changed that are not; the share of unchanged."""

    runs: Sequence[Run]
    in_all: int
    is_restless: bool
    unchanged: float | None


async def page(request: Request) -> Response:
    """GET /sync"""
    site, reader = site_of(request), reader_of(request)
    async with blocks_of(request) as block:
        freshness = await reports_sync.freshness(block.conn, reader)
        is_graphql_refused = await reports_connection.is_graphql_refused(block.conn, reader.account_id)
        delivered_at = await hints.last_delivery_at(block.conn)
        repositories = await block.read(reports_sync.repositories, reader)
        runs = await block.read(reports_sync.runs, reader.account_id)
        losses = await block.read(reports_sync.losses, reader)
        readings = await block.read(reports_queue.readings, reader.account_id, reader.now)
        line = await block.read(reports_queue.line, reader.now)
        lists = await block.read(reports_queue.account_streams, reader.account_id)
        first = request.query_params.get("from", "0")
        start = int(first) if first.isdecimal() and len(first) < 10 else 0
        listed = block.made(_listed, repositories, start, reader.now)
        pace = block.made(_pace, repositories, line, freshness, reader.now)
        budgets = block.made(budget_cards, freshness, readings, reader.now)
        log = block.made(_log, runs)
    return show(
        request,
        "sync.html",
        "sync",
        freshness=freshness,
        listed=listed,
        pace=pace,
        log=log,
        losses=losses,
        notices=sync_words.notices(
            freshness, () if isinstance(listed, Failed) else listed.every, reader.now, reader.zone
        ),
        is_graphql_refused=is_graphql_refused,
        budgets=budgets,
        sparkline=charts.sparkline,
        lists=lists,
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
    """GET /sync/budgets: how a day used GitHub's budgets, as a table; the CSV has the idle half hours too."""
    table = await _used_in_a_day(request)
    asked = tuple(row for row in table.rows if any(share is not None for share in row[1]))
    table = replace(table, title="Budgets of the last 24 hours, where GitHub was asked", rows=asked)
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
        rows.append((datetime.fromtimestamp((first + slot) * schedule.READING_S, reader.zone), figures))
    columns = tuple(f"{sync_words.BUDGETS[name]}, % used" for name in seen)
    return TableOf("Budgets of the last 24 hours", "Half hour from", columns, tuple(rows))


def _listed(repositories: Sequence[RepositorySync], start: int, now: int) -> Listed:
    places = ("bad", "warn", "off", "ok")
    every = sorted(repositories, key=lambda row: places.index(state_of(row, now)))
    start = min(start, len(every))
    shown = [(row, state_of(row, now)) for row in every[start : start + ROWS_A_PAGE]]
    return Listed(every, [(row, state, word_of(row, state)) for row, state in shown], start)


def _pace(repositories: Sequence[RepositorySync], line: Line, freshness: Freshness, now: int) -> Pace:
    return Pace(line, backlog(repositories, freshness, now), behind(lags(repositories, now)))


def _log(runs: Sequence[Run]) -> Log:
    idle = [run for run in runs if run.trigger == "poll" and run.outcome == "idle"][: plan.RESTLESS_AFTER]
    is_restless = plan.is_restless([(run.rest_requests, run.not_modified) for run in idle])
    return Log(runs[:RUNS_SHOWN], len(runs), is_restless, unchanged_of(runs))


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
