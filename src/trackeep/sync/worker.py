"""The loop of the background work: claim an account, sync it, record when it is due again, sleep."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.errors import TrackeepError
from trackeep.store import leases, schedule, wrong_clocks
from trackeep.store.leases import Claim
from trackeep.store.schedule import BACKFILL, CLICK, POLL
from trackeep.sync import engine, plan, turns
from trackeep.sync.credentials import Credentials
from trackeep.sync.engine import Outcome
from trackeep.sync.lease import free_the_dead, leased
from trackeep.sync.processes import process_name
from trackeep.sync.stopping import in_full, until_stopped
from trackeep.sync.turns import Pace, Turn
from trackeep.sync.work import Way, Wishes, open_work

LOOK_EVERY_S = 1.0
ANNOUNCE_EVERY_S = 15
LOOK_AGAIN_AFTER_S = 15

log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """One worker process's settings; `poll_s` is how often an account is looked at."""

    db: Database
    credentials: Credentials
    addresses: GitHubAddresses
    poll_s: int = 60
    clock: Callable[[], float] = time.time
    pace: Pace = field(default_factory=Pace)
    # The claims that were not given back: at a start, what an earlier run of this process had to leave held.
    _held: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    async def run(self) -> None:
        """Work until cancelled; accounts in hand are given back, so that another worker can go on."""
        name = process_name()
        await in_full(free_the_dead(self.db, self._held))
        self._held.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._announce(name))
                await self._loop(tasks)
        finally:
            await in_full(self._leave(name))

    async def run_once(self) -> list[Outcome]:
        """Sync every account that is due, one after the other, and return."""
        outcomes = []
        await in_full(free_the_dead(self.db))
        # Many take longer than the time after which the first is due again, which is for the next run.
        until = int(self.clock())
        while (claimed := await in_full(self._claim(until))) is not None:
            outcome = await self._work(claimed, Turn(time.monotonic()))
            outcomes += [outcome] if outcome else []
            if outcome and outcome.state == engine.RECONNECT:
                # A token died in the middle: with a new one it goes on, due from this moment.
                until = int(self.clock())
        return outcomes

    async def _loop(self, tasks: asyncio.TaskGroup) -> None:
        at_work: dict[asyncio.Task[Any], Turn] = {}
        while True:
            await self._place(at_work)
            claimed = await in_full(self._claim(int(self.clock())))
            if claimed is None:
                await asyncio.sleep(LOOK_EVERY_S * (0.75 + random.random() / 2))
                continue
            turn = Turn(time.monotonic())
            task = tasks.create_task(self._work(claimed, turn))
            at_work[task] = turn
            task.add_done_callback(at_work.pop)

    async def _place(self, at_work: dict[asyncio.Task[Any], Turn]) -> None:
        """Return when a place is free; while somebody waits for one, turns that lasted long enough end."""
        while len(at_work) >= self.pace.at_once:
            waiting = await in_full(self._most_urgent(int(self.clock())))
            if waiting is not None:
                turns.end_one(at_work.values(), self.pace.least_s(waiting), time.monotonic())
            await asyncio.wait(at_work, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)

    async def _most_urgent(self, now: int) -> int | None:
        async with self.db.read() as conn:
            return await leases.most_urgent(conn, now)

    async def _claim(self, now: int) -> Claim | None:
        # Looked at without a lock first: most of the time nobody is due.
        if await self._most_urgent(now) is None:
            return None
        # A name for this claim alone: an earlier pass of ours that lost the account must know it too.
        name = process_name()
        self._held.add(name)
        async with self.db.write() as conn:
            found = await leases.claim(conn, name, now, lease_s=self.pace.lease_s)
        if found is None:
            self._held.discard(name)
        return found

    async def _work(self, claimed: Claim, turn: Turn) -> Outcome | None:
        """One pass; whatever happens the account is given back, later when it went wrong."""
        outcome, problem, failures = None, "", claimed.failures + 1
        try:
            async with leased(self.db, claimed) as db:
                outcome = await self._sync(db, claimed, turn)
            problem = outcome.error.sentence if outcome.error else ""
            failures = claimed.failures + 1 if outcome.state == engine.FAILED else 0
        except asyncio.CancelledError:
            # This process ends; the next one goes on at once.
            await in_full(self._give_back(claimed, int(self.clock()), claimed.failures, problem))
            raise
        except TrackeepError as error:
            problem = error.sentence
            log.warning("sync failed", account=claimed.account_id, problem=problem)
        except Exception:
            # One account's surprise must not end the work for all others.
            problem = "Something unexpected happened; the log has the details."
            log.exception("sync failed", account=claimed.account_id)
        has_more = outcome is not None and outcome.state == engine.MORE
        due_at = int(self.clock()) if has_more else await self._due_at(claimed, outcome, failures)
        priority = BACKFILL if has_more else POLL
        await in_full(self._give_back(claimed, due_at, failures, problem, priority))
        return outcome

    async def _sync(self, db: Database, claimed: Claim, turn: Turn) -> Outcome:
        found = await in_full(self.credentials.working(claimed.account_id))
        wishes = Wishes(
            trigger=_trigger(claimed),
            urgent=claimed.priority == CLICK,
            is_time_up=turn.is_up,
        )
        async with open_http() as http:
            way = Way(http, self.addresses, found.access_token, found.scopes, self.clock)
            work = await open_work(db, claimed.account_id, way, wishes)
            return await until_stopped(http, engine.sync_account(work))

    async def _due_at(self, claimed: Claim, outcome: Outcome | None, failures: int) -> int:
        now = int(self.clock())
        if outcome and outcome.state == engine.RECONNECT:
            # Due for nothing but a new token: there is one at once, or nobody works until the person helps.
            return now
        jittered = max(1, round(self.poll_s * (0.9 + random.random() / 5)))
        visited = outcome.last_visit_at if outcome else None
        async with self.db.read() as conn:
            polls = await schedule.idle_polls(conn, claimed.account_id, plan.RESTLESS_AFTER)
        due_at = plan.next_due_at(
            now, jittered, last_visit_at=visited, failures=failures, restless=plan.is_restless(polls)
        )
        if outcome and outcome.retry_at:
            # One bucket alone may be empty: git and the other one go on meanwhile, a little slower.
            due_at = max(due_at, min(outcome.retry_at, now + 5 * self.poll_s))
        elif outcome and outcome.state == engine.IDLE and claimed.is_hinted:
            # GitHub's answers may be a little behind its deliveries: one more look, before the poll.
            due_at = min(due_at, now + LOOK_AGAIN_AFTER_S)
        return due_at

    async def _give_back(
        self, claimed: Claim, due_at: int, failures: int, problem: str, priority: int = POLL
    ) -> None:
        async with self.db.write() as conn:
            await leases.release(conn, claimed, due_at, priority=priority, failures=failures, problem=problem)
        self._held.discard(claimed.worker)

    async def _announce(self, name: str) -> None:
        """Say now and then that this worker lives, and free what others held that do not."""
        started_at = int(self.clock())
        while True:
            await in_full(self._say_alive(name, started_at))
            await asyncio.sleep(ANNOUNCE_EVERY_S)
            await in_full(free_the_dead(self.db))

    async def _say_alive(self, name: str, started_at: int) -> None:
        now = int(self.clock())
        async with self.db.write() as conn:
            await leases.save_worker(conn, name, started_at, now)
            ended = await wrong_clocks.put_right(conn, now, plan.SLOWER * self.poll_s)
        if ended:
            log.warning("the clock was ahead; waits until far times have ended", rows=ended)

    async def _leave(self, name: str) -> None:
        async with self.db.write() as conn:
            await leases.remove_worker(conn, name)


@contextlib.asynccontextmanager
async def open_http() -> AsyncIterator[aiohttp.ClientSession]:
    """The HTTP session of everything this process asks GitHub; it keeps no cookies."""
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield http


def _trigger(claimed: Claim) -> str:
    if claimed.priority == CLICK:
        return "click"
    if claimed.is_hinted:
        return "webhook"
    return "backfill" if claimed.priority == BACKFILL else "poll"
