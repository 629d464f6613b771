"""Without GraphQL, which some tokens and proxies refuse, REST brings the same rows, and the way back loses none."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import Table, func, select

from trackeep.database import Database
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import identity, issue, pull_request, release, review, review_request
from trackeep.store.tables_sync import cursor
from trackeep.sync import fallback
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

FOR_GOOD = 1_000_000
DAY_S = 86_400
# Small ones with everything in them: drafts, teams, forks, releases, closed and merged.
NAMES = ["alice/almanac", "alice/lighthouse", "fernhill/reedbed"]
COMPARED = (repository, pull_request, review, review_request, issue, release, identity)
# What REST does not say of a pull request, and when we looked.
UNKNOWN = {"review_decision", "checks", "unresolved_threads", "detailed_at"}

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
async def by_graphql(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'graphql.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    """A sandbox to break; what a test broke is whole again afterwards."""
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/latency", {"ms": 0})
    changing.ask("/clock", {"real": True})


def refuse_graphql(github: Sandbox, status: int = 403) -> None:
    github.fault("POST .*/graphql", "status", times=FOR_GOOD, status=status)


async def sync(db: Database, github: Sandbox, *names: str, token: str = "") -> Outcome:
    return await sync_once(db, github.addresses, token or github.token(), names or NAMES, clock=github.now)


async def rows(db: Database, table: Table, without: set[str] = frozenset()) -> list[dict[str, Any]]:
    columns = [each for each in table.c if each.name not in without]
    async with db.read() as conn:
        found = await conn.execute(select(*columns).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]


def questions(github: Sandbox, mark: int) -> int:
    return sum(each["path"].endswith("/graphql") for each in github.log(mark))


@pytest.mark.parametrize("status", [403, 404])
async def test_the_same_rows(db: Database, by_graphql: Database, github: Sandbox, status: int) -> None:
    """Every column of every row is what GraphQL gives, but for those that REST does not know."""
    await sync(by_graphql, github)
    refuse_graphql(github, status)
    outcome = await sync(db, github)
    assert outcome.state == "done" and not outcome.failures
    for table in COMPARED:
        without = UNKNOWN if table is pull_request else set()
        assert await rows(db, table, without) == await rows(by_graphql, table, without), table.name
    assert await differences(db, github, NAMES) == {}
    people = {each["id"]: each["login"] for each in await rows(db, person)}
    assert people == {each["id"]: each["login"] for each in await rows(by_graphql, person)}
