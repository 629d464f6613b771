"""Where git is refused a sync leaves exactly what GitHub has, even if it is killed, and says which way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.store import reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.tables_fetched import commit, walked
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
FOR_GOOD = 10**6
ALMANAC, REEDBED = "alice/almanac", "fernhill/reedbed"

DRIVER = """
import asyncio, sys
from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.sync.once import sync_once

async def main(url, database_url, token, *names):
    db = await Database.open(database_url)
    await sync_once(db, GitHubAddresses(url, url + "/api/v3", url), token, names)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    changing.fault("POST .*/git-upload-pack", "status", status=403, times=FOR_GOOD)
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/latency", {"ms": 0})


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), names, clock=github.now)


async def ways(db: Database, github: Sandbox) -> set[str]:
    async with db.read() as conn:
        reader = Reader(github.person_id(), int(github.now()), ZoneInfo("UTC"))
        rows = await reports_sync.repositories(conn, reader)
    return {row.instead_of_git for row in rows}


async def stored(db: Database, table: object) -> int:
    async with db.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]  # any table


@pytest.mark.parametrize("way", ["graphql", "rest"])
async def test_a_copy_without_git_is_exact(db: Database, github: Sandbox, way: str) -> None:
    """A first sync and one after changes equal the sandbox's sets; the sync page is told of the way."""
    if way == "rest":
        github.fault("POST /api/graphql", "status", status=403, times=FOR_GOOD)
    outcome = await sync(db, github, ALMANAC, REEDBED)
    assert not outcome.failures and await differences(db, github, [ALMANAC, REEDBED]) == {}
    github.change(ALMANAC, "merge-old-branch")
    github.change(REEDBED, "force-push")
    await sync(db, github, ALMANAC, REEDBED)
    assert await differences(db, github, [ALMANAC, REEDBED]) == {}
    assert await ways(db, github) == {way} and await stored(db, walked) == 0


async def test_killed_between_pages(db: Database, github: Sandbox) -> None:
    """After kill -9 in the middle of a walk the next run goes on behind the last page."""
    github.ask("/latency", {"ms": 60})
    arguments = [github.url, db.url, github.token(), "fernhill/atlas"]
    first, mark = subprocess.Popen([sys.executable, "-c", DRIVER, *arguments]), github.mark()
    while await stored(db, walked) < 200:
        assert first.poll() is None, "it was done before it could be killed"
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert await stored(db, walked) == await stored(db, commit)
    killed_at = github.mark()
    github.ask("/latency", {"ms": 0})
    await sync(db, github, "fernhill/atlas")
    assert await differences(db, github, ["fernhill/atlas"]) == {} and await stored(db, walked) == 0
    # Asked for again are the page in hand, and what every run begins with.
    finished, again = questions(github, mark, killed_at), questions(github, killed_at, github.mark())
    assert len(finished.keys() & again.keys()) <= 3


def questions(github: Sandbox, since: int, until: int) -> Counter[str]:
    """What GraphQL was asked, by the bodies' digests."""
    entries = [each for each in github.log(since) if each["n"] <= until and each["status"] == 200]
    return Counter(each["digest"] for each in entries if each["resource"] == "graphql")
