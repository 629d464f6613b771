"""Where the parts of a sync meet: what one notices first, cannot manage or gives up is lost to no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import Table, func, select

from trackeep.database import Database
from trackeep.errors import LeaseLost
from trackeep.store import activity, schedule
from trackeep.store.tables_fetched import commit, pull_request
from trackeep.sync import engine, pulls
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio
NAME, LARGE = "alice/almanac", "fernhill/reedbed"
# No list of alice's shows it.
ELSEWHERE = "carol/heron"
FOR_GOOD = 1_000_000


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/latency", {"ms": 0})


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), names, clock=github.now)


@contextlib.asynccontextmanager
async def at_work(db: Database, github: Sandbox) -> AsyncIterator[Work]:
    """As the worker works, for nobody in particular."""
    async with aiohttp.ClientSession() as http:
        way = Way(http, github.addresses, github.token(), ("repo", "read:org"), github.now)
        yield await open_work(db, github.person_id(), way, Wishes())


async def poll(db: Database, github: Sandbox) -> Outcome:
    async with at_work(db, github) as work:
        return await engine.sync_account(work)


async def count(db: Database, table: Table, repository_id: int) -> int:
    async with db.read() as conn:
        rows = select(func.count()).select_from(table).where(table.c.repository_id == repository_id)
        return int((await conn.execute(rows)).scalar_one())


async def test_unfollowed_while_it_is_fetched(db: Database, github: Sandbox) -> None:
    """Nothing of it comes after its rows went, and followed again it comes as a whole."""
    key = github.repository(LARGE)["id"]
    github.ask("/latency", {"ms": 50})
    syncing = asyncio.create_task(sync(db, github, LARGE))
    while not await count(db, pull_request, key):
        await asyncio.sleep(0.01)
    async with db.write() as conn:
        await schedule.unfollow_repositories(conn, github.person_id(), [key])
    with pytest.raises(LeaseLost):
        await syncing
    assert [await count(db, table, key) for table in (commit, pull_request)] == [0, 0]
    github.ask("/latency", {"ms": 0})
    await sync(db, github, LARGE)
    assert await differences(db, github, [LARGE]) == {}


async def test_comments_that_details_notice_first(db: Database, github: Sandbox) -> None:
    """A pull request looked at for its checks brings new comments, which no list tells of any more."""
    github.change(NAME, "open-pull", author="alice")
    await sync(db, github, NAME)
    github.advance(2 * 3600)
    github.change(NAME, "review", comments=2, state="COMMENTED")
    async with at_work(db, github) as work:
        async with db.write() as conn:
            followed = await schedule.followed(conn, work.account_id)
        await pulls.details(work, followed)
    await poll(db, github)
    assert await differences(db, github, [NAME]) == {}


@pytest.mark.parametrize("kind", ["open-pull", "review"])
async def test_more_than_graphql_manages(db: Database, github: Sandbox, kind: str) -> None:
    """What GraphQL does not manage in its ten seconds, even alone, comes over REST and holds up nothing."""
    github.change(NAME, "open-pull", author="bob")
    await sync(db, github, NAME)
    github.fault("POST .*/graphql", "status", times=FOR_GOOD, status=502)
    github.change(NAME, kind)
    github.change(NAME, "open-issue")
    assert (await poll(db, github)).state == "done"
    github.ask("/faults", method="DELETE")
    assert set(await differences(db, github, [NAME])) <= {"details"}


async def test_a_hidden_pull_request_costs_nothing(db: Database, github: Sandbox) -> None:
    """GitHub hides those of people it has blocked: they are asked for once a day, not at every look."""
    await sync(db, github, NAME)
    key = github.repository(NAME)["id"]
    async with db.write() as conn:
        gone = {"number": 9001, "state": "open", "created_at": 1_700_000_000, "updated_at": 1_700_000_000}
        await conn.execute(pull_request.insert().values(repository_id=key, **gone))
    first, second = await poll(db, github), await poll(db, github)
    assert first.costs.graphql_points == 1
    assert (second.costs.graphql_points, second.costs.rest_requests, second.costs.not_modified) == (0, 2, 2)
    github.advance(86_400 + 60)
    assert (await poll(db, github)).costs.graphql_points > 0


async def test_a_lost_repository_that_fails_holds_up_nothing(db: Database, github: Sandbox) -> None:
    """GitHub fails whenever it is asked whether one is back: that waits, and the others are looked at."""
    await sync(db, github, NAME, ELSEWHERE)
    lost = github.repository(ELSEWHERE)["id"]
    async with db.write() as conn:
        await activity.lose_access(conn, github.person_id(), [lost], int(github.now()))
    github.fault(f"GET .*/repositories/{lost}", "status", times=FOR_GOOD, status=500)
    github.change(NAME, "open-issue")
    assert (await poll(db, github)).found.issues == 1
    mark = github.mark()
    await poll(db, github)
    assert not [each for each in github.log(mark) if each["path"].endswith(f"/repositories/{lost}")]
