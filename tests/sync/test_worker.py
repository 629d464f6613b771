"""The worker serves every account in turn, gives back what it holds, and survives what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import func, select, update

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.github.transport import fingerprint
from trackeep.model import Email, Person
from trackeep.store import leases, people, schedule
from trackeep.store.people import Credential
from trackeep.store.tables import access, connection
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_sync import run
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.store.tables_sync import worker as worker_table
from trackeep.sync.credentials import Credentials
from trackeep.sync.lease import free_the_dead
from trackeep.sync.processes import process_name
from trackeep.sync.worker import Worker
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

VAULT = Vault({b"0000": bytes(32)})


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(sandbox: Program) -> Sandbox:
    return Sandbox(sandbox.url)


async def connect(
    db: Database, github: Sandbox, login: str, token: str = "", expires_at: int | None = None
) -> int:
    """Sign a person in as the web pages do, with what to follow still to be chosen."""
    now, account_id = int(time.time()), github.person_id(login)
    token = token or github.token(login)
    credential = Credential("token", token, fingerprint(token), ("repo", "read:org"), expires_at=expires_at)
    async with db.write() as conn:
        await people.save_account(conn, Person(account_id, login), [Email(f"{login}@x.example")], now)
        await people.save_credential(conn, VAULT, account_id, credential, now)
        await schedule.request_sync(conn, account_id, now)
    return account_id


def worker(db: Database, addresses: GitHubAddresses, poll_s: int = 60) -> Worker:
    return Worker(db, Credentials(db, VAULT), addresses, poll_s)


async def count(db: Database, table: object, *where: object) -> int:
    async with db.read() as conn:
        rows = select(func.count()).select_from(table).where(*where)  # type: ignore[arg-type]  # any table
        return int((await conn.execute(rows)).scalar_one())


async def test_choose_then_follow(db: Database, github: Sandbox) -> None:
    """The first pass lists what may be chosen; choosing makes the worker fetch exactly that."""
    account_id = await connect(db, github, "bob")
    at_work = worker(db, github.addresses)
    assert [each.state for each in await at_work.run_once()] == ["idle"]
    assert await count(db, access) > 1 and await count(db, commit) == 0
    chosen = github.repository("bob/otter-cli")
    async with db.write() as conn:
        await schedule.follow_repositories(conn, account_id, [chosen["id"]], int(time.time()))
    outcome = (await at_work.run_once())[0]
    assert outcome.found.pull_requests == len(chosen["pulls"])
    async with db.read() as conn:
        progress = await schedule.progress(conn, account_id)
    assert (progress.repositories_done, progress.repositories) == (1, 1)
    assert progress.commits == outcome.found.commits > 0


async def test_once_ends_however_long_it_takes(db: Database, github: Sandbox) -> None:
    """Everybody is served once, though the first is due again long before the last one's turn."""
    for login in ("alice", "bob", "carol"):
        await connect(db, github, login)
    times = itertools.count(int(time.time()), 30)
    at_work = Worker(db, Credentials(db, VAULT), github.addresses, 1, clock=lambda: next(times))
    assert len(await at_work.run_once()) == 3


async def test_accounts_are_served_side_by_side(db: Database, github: Sandbox) -> None:
    """Each with its own token; one whose token is dead is told to connect again and asked for no more."""
    for login in ("alice", "bob", "carol"):
        await connect(db, github, login)
    await connect(db, github, "mallory", token="ghp_sandboxrevoked0000000000000000000000")
    async with running(worker(db, github.addresses)):
        await until(db, run, 4, run.c.finished_at.is_not(None))
    async with db.read() as conn:
        states = dict((await conn.execute(select(connection.c.account_id, connection.c.state))).all())
    assert states.pop(github.person_id("mallory")) == "reconnect"
    assert set(states.values()) == {"ok"}
    async with db.write() as conn:
        await conn.execute(update(schedule_table).values(due_at=0))
        assert await leases.claim(conn, "next", int(time.time())) is not None
    assert github.person_id("mallory") not in await held(db)


async def test_it_leaves_nothing_behind(db: Database, github: Sandbox) -> None:
    """Stopped in the middle of its work, the worker gives the account back and takes its name away."""
    account_id = await connect(db, github, "alice")
    async with running(worker(db, github.addresses)):
        await until(db, run, 1)
        assert await count(db, worker_table) == 1
    assert await held(db) == set()
    assert await count(db, worker_table) == 0
    async with db.write() as conn:
        assert await leases.claim_account(conn, account_id, "next", int(time.time()))


async def test_expired_token_asks_to_reconnect(db: Database, github: Sandbox) -> None:
    """A token past its end is not sent at all."""
    await connect(db, github, "zoe-l", expires_at=int(time.time()) - 1)
    mark = github.mark()
    assert await worker(db, github.addresses).run_once() == []
    assert not [each for each in github.log(mark) if each["login"] == "zoe-l"]
    assert await count(db, connection, connection.c.state == "reconnect") == 1


async def test_unreachable_github_is_tried_later(db: Database, github: Sandbox) -> None:
    """Nobody answers: the run says so, and the next one waits longer each time."""
    account_id = await connect(db, github, "bob")
    nowhere = GitHubAddresses("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3", "http://127.0.0.1:9")
    outcome = (await worker(db, nowhere, poll_s=1).run_once())[0]
    assert outcome.state == "failed" and outcome.error is not None
    async with db.read() as conn:
        row = (await conn.execute(select(schedule_table))).one()
    assert (row.account_id, row.failures) == (account_id, 1)
    assert "cannot be reached" in row.problem and row.due_at > time.time() + 30


async def test_killed_worker_is_not_waited_for(db: Database, github: Sandbox) -> None:
    """The lease of a process of this computer that is gone ends at once; a living one's does not."""
    ids = [await connect(db, github, login) for login in ("alice", "bob")]
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    host = process_name().split(":")[0]
    async with db.write() as conn:
        for account_id, name in zip(ids, (f"{host}:{gone.pid}:x", process_name()), strict=True):
            await leases.claim_account(conn, account_id, name, int(time.time()))
    await free_the_dead(db)
    async with db.read() as conn:
        assert len(await leases.names(conn)) == 1
        assert await leases.holder(conn, ids[0]) == ""


@contextlib.asynccontextmanager
async def running(at_work: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(at_work.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def until(db: Database, table: object, rows: int, *where: object) -> None:
    async with asyncio.timeout(60):
        while await count(db, table, *where) < rows:
            await asyncio.sleep(0.05)


async def held(db: Database) -> set[int]:
    async with db.read() as conn:
        rows = select(schedule_table.c.account_id).where(schedule_table.c.leased_by.not_in(["", "next"]))
        return set((await conn.execute(rows)).scalars())
