"""The loop of the background work: claim an account, sync it, record when it is due again, sleep."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import structlog

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.errors import TrackeepError
from trackeep.store import schedule
from trackeep.store.schedule import Claim
from trackeep.sync import engine, plan
from trackeep.sync.credentials import Credentials
from trackeep.sync.engine import Outcome
from trackeep.sync.processes import is_dead, process_name
from trackeep.sync.stopping import in_full, until_stopped
from trackeep.sync.work import Way, Wishes, open_work

LEASE_S = 90
LOOK_EVERY_S = 1.0
ANNOUNCE_EVERY_S = 15
AT_ONCE = 4

log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """One worker process's settings; `poll_s` is how often an account is looked at."""

    db: Database
    credentials: Credentials
    addresses: GitHubAddresses
    poll_s: int = 60
    clock: Callable[[], float] = time.time

    async def run(self) -> None:
        """Work until cancelled; accounts in hand are given back, so that another worker can go on."""
        name = process_name()
        await in_full(free_the_dead(self.db))
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._loop(name, tasks)
        finally:
            await in_full(self._leave(name))

    async def run_once(self) -> list[Outcome]:
        """Sync every account that is due, one after the other, and return."""
        outcomes = []
        name = process_name()
        await in_full(free_the_dead(self.db))
        while (claimed := await in_full(self._claim(name))) is not None:
            outcome = await self._work(claimed)
            outcomes += [outcome] if outcome else []
        return outcomes

    async def _loop(self, name: str, tasks: asyncio.TaskGroup) -> None:
        tasks.create_task(self._announce(name))
        places = asyncio.Semaphore(AT_ONCE)
        while True:
            await places.acquire()
            claimed = await in_full(self._claim(name))
            if claimed is None:
                places.release()
                await asyncio.sleep(LOOK_EVERY_S * (0.75 + random.random() / 2))
                continue
            task = tasks.create_task(self._work(claimed))
            task.add_done_callback(lambda _: places.release())

    async def _claim(self, name: str) -> Claim | None:
        now = int(self.clock())
        # Looked at without a lock first: most of the time nobody is due.
        async with self.db.read() as conn:
            soonest = await schedule.next_due_at(conn)
        if soonest is None or soonest > now:
            return None
        async with self.db.write() as conn:
            return await schedule.claim(conn, name, now, lease_s=LEASE_S)

    async def _work(self, claimed: Claim) -> Outcome | None:
        """One pass; whatever happens the account is given back, later when it went wrong."""
        outcome, problem, failures = None, "", claimed.failures + 1
        try:
            async with leased(self.db, claimed, self.clock):
                outcome = await self._sync(claimed)
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
        due_at = self._due_at(outcome, failures)
        await in_full(self._give_back(claimed, due_at, failures, problem))
        return outcome

    async def _sync(self, claimed: Claim) -> Outcome:
        found = await in_full(self.credentials.working(claimed.account_id))
        is_click = claimed.priority == schedule.CLICK
        wishes = Wishes(trigger="click" if is_click else "poll", urgent=is_click)
        async with open_http() as http:
            way = Way(http, self.addresses, found.access_token, found.scopes, self.clock)
            work = await open_work(self.db, claimed.account_id, way, wishes)
            return await until_stopped(http, engine.sync_account(work))

    def _due_at(self, outcome: Outcome | None, failures: int) -> int:
        now = int(self.clock())
        jittered = max(1, round(self.poll_s * (0.9 + random.random() / 5)))
        visited = outcome.last_visit_at if outcome else None
        due_at = plan.next_due_at(now, jittered, last_visit_at=visited, failures=failures)
        if outcome and outcome.retry_at:
            # One bucket alone may be empty: git and the other one go on meanwhile, a little slower.
            due_at = max(due_at, min(outcome.retry_at, now + 5 * self.poll_s))
        return due_at

    async def _give_back(self, claimed: Claim, due_at: int, failures: int, problem: str) -> None:
        async with self.db.write() as conn:
            await schedule.release(conn, claimed, due_at, failures=failures, problem=problem)

    async def _announce(self, name: str) -> None:
        started_at = int(self.clock())
        while True:
            await in_full(self._say_alive(name, started_at))
            await asyncio.sleep(ANNOUNCE_EVERY_S)

    async def _say_alive(self, name: str, started_at: int) -> None:
        async with self.db.write() as conn:
            await schedule.save_worker(conn, name, started_at, int(self.clock()))

    async def _leave(self, name: str) -> None:
        async with self.db.write() as conn:
            await schedule.remove_worker(conn, name)


@contextlib.asynccontextmanager
async def leased(db: Database, claimed: Claim, clock: Callable[[], float]) -> AsyncIterator[None]:
    """Hold the lease while the body runs; a body whose lease was lost ends with a TrackeepError."""
    body = asyncio.current_task()
    assert body is not None
    keeper = asyncio.create_task(_keep(db, claimed, clock))
    keeper.add_done_callback(lambda done: None if done.cancelled() else body.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not keeper.done() or keeper.cancelled():
            raise
        body.uncancel()
        raise TrackeepError("Another worker has taken over this account.", "It goes on there.") from None
    finally:
        keeper.cancel()


async def _keep(db: Database, claimed: Claim, clock: Callable[[], float]) -> None:
    """Returns when the lease is lost."""
    held = True
    while held:
        await asyncio.sleep(LEASE_S / 4)
        held = await in_full(_beat(db, claimed, int(clock())))


async def _beat(db: Database, claimed: Claim, now: int) -> bool:
    async with db.write() as conn:
        return await schedule.heartbeat(conn, claimed, now, lease_s=LEASE_S)


@contextlib.asynccontextmanager
async def open_http() -> AsyncIterator[aiohttp.ClientSession]:
    """The HTTP session of everything this process asks GitHub; it keeps no cookies."""
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield http


async def free_the_dead(db: Database) -> None:
    """End the leases of processes of this computer that were killed, so that nobody waits for them."""
    async with db.read() as conn:
        holders = await schedule.leaseholders(conn)
    dead = [name for name in holders if is_dead(name)]
    if dead:
        async with db.write() as conn:
            for name in dead:
                await schedule.free(conn, name)
