"""One pass over one account: look at the lists, fetch what moved, and leave a row that says what it cost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from trackeep.errors import GitHubRateLimited, GitHubTokenDead, TrackeepError
from trackeep.github.transport import Costs
from trackeep.model import Repository
from trackeep.store import renewals, schedule
from trackeep.sync import (
    comments,
    files,
    identities,
    issues,
    line_counts,
    lost,
    plan,
    pulls,
    reconcile,
    repositories,
    teams,
    wishes,
)
from trackeep.sync.commit_sources import fetch_commits
from trackeep.sync.stopping import in_full
from trackeep.sync.work import ACCOUNT, SIZES, Found, Work, save_waiting

GIT_AT_ONCE = 3
DONE, IDLE, LIMITED, RECONNECT, FAILED, STOPPED = "done", "idle", "limited", "reconnect", "failed", "stopped"
# The turn was over with something left to fetch.
MORE = "more"

log = structlog.get_logger()


@dataclass(frozen=True)
class Outcome:
    """How a pass ended; `error` ended it early, `failures` says why repositories will be tried again."""

    state: str
    found: Found
    costs: Costs
    git_posts: int = 0
    git_bytes: int = 0
    last_visit_at: int | None = None
    error: TrackeepError | None = None
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def retry_at(self) -> int | None:
        return int(self.error.retry_at) + 1 if isinstance(self.error, GitHubRateLimited) else None


async def sync_account(work: Work) -> Outcome:
    """Fetch everything that is new for this account; errors end up in the outcome and in its run row."""
    async with work.db.write() as conn:
        run_id = await schedule.start_run(conn, work.account_id, work.wishes.trigger, work.began_at)
    outcome = _outcome(work, STOPPED)
    try:
        await _pass(work)
        nothing = work.found == Found() and not work.failures
        outcome = _outcome(work, MORE if work.leaves_more else IDLE if nothing else DONE)
    except GitHubTokenDead as error:
        outcome = _outcome(work, RECONNECT, error)
    except GitHubRateLimited as error:
        outcome = _outcome(work, LIMITED, error)
    except Exception as error:
        # A closed door is how a pass is told to stop (see stopping.until_stopped).
        if not work.github.is_closed:
            if not isinstance(error, TrackeepError):
                raise
            outcome = _outcome(work, FAILED, error)
    finally:
        await in_full(_record(work, run_id, outcome))
    return outcome


async def _pass(work: Work) -> None:
    # A limit of GraphQL or REST alone leaves the other and git free to go on; it is raised at the end.
    limits = Limits()
    async with limits.put_off():
        with work.charged((ACCOUNT, repositories.STREAM)):
            await repositories.poll_list(work)
        await lost.look_again(work)
        await wishes.grant(work)
    covered = repositories.listed(work)
    followed = await repositories.followed(work)
    only = work.wishes.only
    chosen = [
        each for each in followed if (not only or each.id in only) and each.pushed_at >= work.wishes.since
    ]
    work.notify()
    polled = work.cursor(ACCOUNT, issues.CHANGED).position.get("polled")
    if polled:
        async with limits.put_off():
            with work.charged((ACCOUNT, issues.CHANGED)):
                await issues.poll_changed(work, followed)
    async with limits.put_off():
        chosen = await _watch_uncovered(work, chosen, covered)
    async with limits.put_off():
        unknown = plan.steps(chosen, work.cursors, work.now, urgent=work.wishes.urgent).unknown
        await repositories.first_look(work, unknown)
    async with limits.put_off():
        await _fetch_missing(work, chosen)
    if not polled and not limits.reached:
        await issues.poll_changed(work, followed)
    await teams.look(work)
    async with limits.put_off():
        with work.charged((ACCOUNT, pulls.DETAILS)):
            await pulls.details(work, chosen)
    async with limits.put_off():
        # After whatever shows that there may be new ones.
        await comments.sync(work, chosen)
    async with limits.put_off():
        await reconcile.run(work, chosen)
    async with limits.put_off():
        await files.sync(work, chosen)
    if limits.reached:
        raise limits.reached[0]
    await identities.resolve(work)
    await line_counts.count(work)


@dataclass
class Limits:
    """The limits that parts of a pass ran into."""

    reached: list[GitHubRateLimited] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def put_off(self) -> AsyncIterator[None]:
        try:
            yield
        except GitHubRateLimited as error:
            self.reached.append(error)


async def _watch_uncovered(
    work: Work, chosen: Sequence[Repository], covered: frozenset[int]
) -> list[Repository]:
    """Look at repositories that the two lists do not cover, and once a day at all of them.

    Returns those that are still to be read.
    """
    daily = plan.steps(chosen, work.cursors, work.now, urgent=False).looks
    looked_at = {each.id for each in daily}
    refused = issues.is_refused(work)
    apart = [each for each in chosen if (refused or each.id not in covered) and each.id not in looked_at]
    pulses = await repositories.watch(work, apart) | await repositories.watch(work, daily, releases=True)
    by_id = {each.id: each for each in chosen}
    gone = {each.id for each in (*apart, *daily)} - pulses.keys()
    known = {key: pulse for key, pulse in pulses.items() if "total" in work.cursor(key, "pulls").position}
    await issues.fetch_moved(work, by_id, known)
    fresh = {key: pulse.repository for key, pulse in pulses.items()}
    return [fresh.get(each.id, each) for each in chosen if each.id not in gone]


async def _fetch_missing(work: Work, chosen: Sequence[Repository]) -> None:
    """Fill in what these repositories lack: git, GraphQL and REST side by side, each in its own order."""
    steps = plan.steps(chosen, work.cursors, work.now, urgent=work.wishes.urgent)
    await _together(
        _commits(work, steps.commits),
        pulls.backfill(work, steps.pulls),
        issues.backfill(work, steps.issues),
    )


async def _commits(work: Work, moved: Sequence[Repository]) -> None:
    places = asyncio.Semaphore(GIT_AT_ONCE)

    async def one(repository: Repository) -> None:
        async with places, work.guarded(repository, "commits"):
            if work.has_time():
                await fetch_commits(work, repository)

    await _together(*(one(each) for each in moved))


async def _together(*lanes: Coroutine[Any, Any, None]) -> None:
    """Run all to their end, then raise the gravest error: a dead token, then a limit, then any other."""
    results = await asyncio.gather(*lanes, return_exceptions=True)
    errors = [each for each in results if isinstance(each, BaseException)]
    order = (GitHubTokenDead, GitHubRateLimited, TrackeepError)
    errors.sort(key=lambda error: next((i for i, kind in enumerate(order) if isinstance(error, kind)), -1))
    if errors:
        raise errors[0]


def _outcome(work: Work, state: str, error: TrackeepError | None = None) -> Outcome:
    return Outcome(
        state,
        work.found,
        work.github.costs,
        git_posts=work.git_posts,
        git_bytes=work.git_bytes,
        last_visit_at=work.last_visit_at,
        error=error,
        failures=work.failures,
    )


async def _record(work: Work, run_id: int, outcome: Outcome) -> None:
    problem = outcome.error.sentence if outcome.error else "; ".join(outcome.failures.values())[:2000]
    figures = {
        "rest_requests": outcome.costs.rest_requests,
        "conditional": outcome.costs.conditional,
        "not_modified": outcome.costs.not_modified,
        "graphql_points": outcome.costs.graphql_points,
        "git_posts": work.git_posts,
        "bytes": outcome.costs.bytes + work.git_bytes,
        "commits": work.found.commits,
        "pull_requests": work.found.pull_requests,
        "reviews": work.found.reviews,
        "outcome": outcome.state,
        "problem": problem,
    }
    async with work.db.write() as conn:
        await schedule.finish_run(conn, run_id, figures, work.now)
        await schedule.add_costs(conn, work.account_id, work.costs)
        sizes = work.github.sizes.as_json()
        if sizes != work.cursor(ACCOUNT, SIZES).position:
            await work.advance(conn, ACCOUNT, SIZES, schedule.Cursor(sizes, complete=True))
        if outcome.state == RECONNECT:
            await renewals.refused(conn, work.github.token_fingerprint, problem, work.now)
        else:
            await schedule.connection_state(conn, work.github.token_fingerprint, "ok", problem)
    await save_waiting(work.db, work.account_id, work.github, work.budgets)
    report = log.debug if outcome.state == IDLE else log.info
    report("synced", account=work.account_id, **figures)
