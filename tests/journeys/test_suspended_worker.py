"""Whoever lost an account writes nothing more, and who has much to fetch gives way to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from guests import KEY, connect_all, is_complete
from postgres import Server
from sandbox_control import Sandbox
from sqlalchemy import select, update
from worker_processes import WorkerProcess, start_worker

from trackeep.database import Database
from trackeep.errors import LeaseLost
from trackeep.model import Person
from trackeep.store import leases, people
from trackeep.store.tables_sync import cursor, run, schedule
from trackeep.sync.lease import leased

pytestmark = pytest.mark.anyio

PROGRAM = str(Path(__file__).parents[1] / "short_worker.py")
Start = Callable[[int, int, int], WorkerProcess]


@pytest.fixture
async def db(postgres_server: Server) -> AsyncIterator[Database]:
    database = await Database.open(postgres_server.create("suspended"))
    yield database
    await database.close()
    postgres_server.drop("suspended")


@pytest.fixture
def begin(db: Database, changing: Sandbox, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as ended:

        def start(lease_s: int, turn_s: int, at_once: int) -> WorkerProcess:
            pace = [str(each) for each in (lease_s, turn_s, at_once)]
            words = (PROGRAM, db.url, changing.url, str(tmp_path), KEY, *pace)
            worker = start_worker({}, words)
            ended.callback(worker.stop)
            return worker

        ended.callback(changing.ask, "/latency", {"ms": 0})
        yield start


async def test_awake_again_it_writes_nothing(
    db: Database, changing: Sandbox, begin: Start, tmp_path: Path
) -> None:
    """Suspended for longer than its lease, a worker finds the account taken and its pages refused."""
    guests = changing.ask("/people", {"count": 1})
    await connect_all(db, changing, guests, tmp_path)
    changing.ask("/latency", {"ms": 400})
    first = begin(3, 60, 4)
    await until(db, select(cursor.c.stream).where(cursor.c.stream == "pulls"))
    first.suspend()
    changing.ask("/latency", {"ms": 0})
    begin(3, 60, 4)
    async with asyncio.timeout(60):
        while not await is_complete(db):
            await asyncio.sleep(0.1)
    before = await everything(db)
    first.resume()
    async with asyncio.timeout(60):
        while "does not hold the account any more" not in first.said():
            await asyncio.sleep(0.1)
    assert first.stop() == 0
    assert await everything(db) == before
    assert sorted(row[2] is None for row in before["run"]) == [False, True]
    assert await differences(db, changing, guests[0]["repositories"]) == {}


async def test_much_to_fetch_gives_way(db: Database, changing: Sandbox, begin: Start, tmp_path: Path) -> None:
    """One place for two people: a turn ends at a page while the other one waits; both become complete."""
    guests = changing.ask("/people", {"count": 2})
    await connect_all(db, changing, guests, tmp_path)
    changing.ask("/latency", {"ms": 250})
    begin(90, 2, 1)
    async with asyncio.timeout(90):
        while not await is_complete(db):
            await asyncio.sleep(0.1)
    assert await differences(db, changing, {name for each in guests for name in each["repositories"]}) == {}
    async with db.read() as conn:
        rows = (await conn.execute(select(run).order_by(run.c.id))).all()
    assert "more" in {row.outcome for row in rows}
    assert "backfill" in {row.trigger for row in rows}
    # In turn: nobody was served twice in a row while the other waited.
    first_four = [row.account_id for row in rows[:4]]
    assert first_four[0] == first_four[2] != first_four[1] == first_four[3]


async def test_without_its_database_a_worker_stops_in_time(db: Database, postgres_server: Server) -> None:
    """A lease that cannot be made longer ends the work before anybody else can begin it."""
    async with db.write() as conn:
        await people.save_account(conn, Person(1, "alice"), [], 0)
        claimed = await leases.claim_account(conn, 1, "here", 0, lease_s=2)
    assert claimed is not None
    await db.close()
    postgres_server.drop("suspended")
    try:
        with pytest.raises(LeaseLost):
            async with leased(db, claimed):
                await asyncio.sleep(60)
    finally:
        postgres_server.create("suspended")


async def test_taken_over_it_is_told(db: Database) -> None:
    """Who sleeps through its lease is stopped at the next heartbeat, and may not write before that either."""
    async with db.write() as conn:
        await people.save_account(conn, Person(1, "alice"), [], 0)
        claimed = await leases.claim_account(conn, 1, "here", 0, lease_s=3)
    assert claimed is not None
    with pytest.raises(LeaseLost):
        async with leased(db, claimed) as mine:
            await taken_over(db)
            with pytest.raises(LeaseLost):
                await mine.write().__aenter__()
            await asyncio.sleep(60)


async def taken_over(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(update(schedule).values(leased_by="there"))


async def until(db: Database, rows: Any) -> None:
    async with asyncio.timeout(60):
        while not await has(db, rows):
            await asyncio.sleep(0.02)


async def has(db: Database, rows: Any) -> bool:
    async with db.read() as conn:
        return (await conn.execute(rows)).first() is not None


async def everything(db: Database) -> dict[str, list[Any]]:
    """Cursors and runs, whatever a pass writes along with its pages."""
    tables = {"cursor": select(cursor), "run": select(run.c.id, run.c.outcome, run.c.finished_at)}
    async with db.read() as conn:
        return {name: sorted(tuple(row) for row in await conn.execute(rows)) for name, rows in tables.items()}
