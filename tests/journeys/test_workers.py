"""Three worker processes share fifty accounts on PostgreSQL while one of them is killed every few seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import programs
import pytest
from copy_of_github import differences
from guests import KEY, connect_all, is_complete
from postgres import Server
from programs import github_environment
from sandbox_control import Sandbox
from sqlalchemy import func, select
from worker_processes import WorkerProcess, start_worker

from trackeep.database import Database
from trackeep.store import schedule
from trackeep.store.tables_sync import run

pytestmark = pytest.mark.anyio

ACCOUNTS, WORKERS, KILL_EVERY_S = 50, 3, 3.0
# What a pass has in hand when it is killed: a page of each API, and three looks at git with their packs.
IN_HAND = {"core": 1, "graphql": 1, "git": 6}


@dataclass
class Crew:
    """The workers, and when one of them was killed: moments of the monotonic clock before and after."""

    env: dict[str, str]
    workers: list[WorkerProcess] = field(default_factory=list)
    kills: list[tuple[float, float]] = field(default_factory=list)

    def begin(self) -> None:
        self.workers = [start_worker(self.env) for _ in range(WORKERS)]

    def kill_one(self) -> None:
        self.kills.append(self.workers.pop(0).kill())
        self.workers.append(start_worker(self.env))

    def end(self) -> None:
        while self.workers:
            assert self.workers.pop().stop() == 0


@pytest.fixture
async def db(postgres_server: Server) -> AsyncIterator[Database]:
    database = await Database.open(postgres_server.create("fifty"))
    yield database
    await database.close()
    postgres_server.drop("fifty")


@pytest.fixture
def crew(db: Database, changing: Sandbox, tmp_path: Path) -> Iterator[Crew]:
    settings = {
        "TRACKEEP_DATABASE_URL": db.url,
        "TRACKEEP_DATA_DIR": str(tmp_path),
        "TRACKEEP_SECRET_KEY": KEY,
        "TRACKEEP_POLL_SECONDS": "3600",
        "TRACKEEP_LOG_FORMAT": "json",
    }
    crew = Crew(github_environment(changing.url) | settings)
    with ExitStack() as ended:
        ended.callback(crew.end)
        yield crew


async def test_killed_workers_lose_and_repeat_nothing(
    db: Database, changing: Sandbox, crew: Crew, tmp_path: Path
) -> None:
    """Copies are exact, nobody had two workers at once, no page came twice, quota was counted once."""
    guests = changing.ask("/people", {"count": ACCOUNTS, "shared": 1})
    await connect_all(db, changing, guests, tmp_path)
    crew.begin()
    async with asyncio.timeout(240):
        while not await is_complete(db):
            await asyncio.sleep(KILL_EVERY_S)
            await asyncio.to_thread(crew.kill_one)
    crew.end()
    names = {name for each in guests for name in each["repositories"]}
    assert await differences(db, changing, sorted(names)) == {}
    log = [each for each in changing.log() if each["login"] in {guest["login"] for guest in guests}]
    assert len(crew.kills) > 1 and two_at_once(log, crew.kills) == []
    assert await fetched_again(db, guests, log) == []
    for guest in guests:
        await counted_once(db, changing, guest)


async def test_once_for_cron(db: Database, changing: Sandbox, crew: Crew, tmp_path: Path) -> None:
    """`trackeep worker --once` syncs whoever is due and ends; right after it nobody is due."""
    guests = changing.ask("/people", {"count": 2, "shared": 1})
    await connect_all(db, changing, guests, tmp_path)
    for said in ("Accounts synced: 2", "Accounts synced: 0"):
        finished = await asyncio.to_thread(programs.run, "worker", "--once", env=crew.env)
        assert (finished.returncode, finished.stdout.strip()) == (0, said), finished.stderr
    assert await is_complete(db)


def two_at_once(log: Iterable[dict[str, Any]], kills: Iterable[tuple[float, float]]) -> list[Any]:
    """Pairs of one person's requests to one API in flight together; a killed sender's last one is no pair."""
    found, last = [], {}
    for each in sorted(log, key=lambda entry: entry["began"]):
        if each["resource"] not in ("core", "graphql"):
            continue
        lane = (each["token"], each["resource"])
        before = last.get(lane)
        last[lane] = each
        if before is None or (before["ended"] is not None and before["ended"] <= each["began"]):
            continue
        if not any(before["began"] <= after and early <= each["began"] for early, after in kills):
            found.append((before, each))
    return found


async def fetched_again(db: Database, guests: Iterable[Any], log: Iterable[dict[str, Any]]) -> list[Any]:
    """People for whom more was asked again than what was in hand when their passes were killed."""
    cut = select(run.c.account_id, func.count()).where(run.c.finished_at.is_(None)).group_by(run.c.account_id)
    async with db.read() as conn:
        kills = {row[0]: row[1] for row in await conn.execute(cut)}
    asked: dict[tuple[str, str], Counter[str]] = {}
    for each in log:
        is_page = each["resource"] != "core" or "/repos/" in each["path"]
        if each["status"] == 200 and is_page and not each["path"].endswith("/info/refs"):
            key = f"{each['path']}?{each['query']} {each['digest']}"
            asked.setdefault((each["login"], each["resource"]), Counter())[key] += 1
    return [
        (guest["login"], lane, kills.get(guest["id"], 0), counted)
        for guest in guests
        for lane, most in IN_HAND.items()
        if (counted := asked.get((guest["login"], lane), Counter()))
        and counted.total() - len(counted) > most * kills.get(guest["id"], 0)
    ]


async def counted_once(db: Database, github: Sandbox, guest: dict[str, Any]) -> None:
    """What is left of the quota as the instance knows it is what GitHub counted."""
    async with db.read() as conn:
        known = {each.resource: each for each in await schedule.budgets(conn, guest["id"])}
        assert set(guest["repositories"]) <= set(await names_of(conn, guest["id"]))
    real = github.quota("core", guest["login"])
    assert known["core"].limit - known["core"].remaining == real["used"]


async def names_of(conn: Any, account_id: int) -> list[str]:
    return [each.full_name for each in await schedule.followed(conn, account_id)]
