"""Whose the addresses in commits are: exactly what the sandbox says, for a point, and once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import func, literal, select

from trackeep.database import Database
from trackeep.model import Budget, Waiting
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.sync import identities
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio
MONTH_S = 31 * 86_400


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def new_pass(db: Database, github: Sandbox, http: aiohttp.ClientSession, later_s: int = 0) -> Work:
    way = Way(http, github.addresses, github.token(), ("repo",), lambda: time.time() + later_s)
    return await open_work(db, github.person_id(), way, Wishes())


async def asked(db: Database, github: Sandbox, http: aiohttp.ClientSession, later_s: int = 0) -> int:
    """How many points one look at the addresses costs."""
    work = await new_pass(db, github, http, later_s)
    await identities.resolve(work)
    return work.github.costs.graphql_points


async def forget(db: Database) -> None:
    """As before GitHub was asked for the first time."""
    commit = fetched.commit.c
    one_each = select(commit.author_email, commit.repository_id, func.min(commit.sha), literal(0))
    by = (commit.author_email, commit.repository_id)
    names = ["email", "repository_id", "sha", "due_at"]
    async with db.write() as conn:
        await conn.execute(fetched.identity.delete().where(fetched.identity.c.source == "github"))
        await conn.execute(fetched.unclaimed_address.delete())
        await conn.execute(fetched.unclaimed_address.insert().from_select(names, one_each.group_by(*by)))


async def known(db: Database) -> dict[str, int]:
    async with db.read() as conn:
        rows = await conn.execute(select(fetched.identity.c.email, fetched.identity.c.person_id))
        return {row.email: row.person_id for row in rows}


async def in_commits(db: Database) -> set[str]:
    async with db.read() as conn:
        commits = await conn.execute(select(fetched.commit.c.author_email, fetched.commit.c.committer_email))
        return {address for row in commits for address in row}


def owners(github: Sandbox) -> dict[str, int]:
    """Address to number, as GitHub attributes commits: verified addresses and noreply ones."""
    found = {}
    for each in github.ask("/people"):
        found[f"{each['id']}+{each['login']}@users.noreply.github.com"] = each["id"]
        found |= {email["address"]: each["id"] for email in each["emails"] if email["verified"]}
    return found


async def test_addresses_belong_to_whom_github_says(
    db: Database, sandbox: Program, http: aiohttp.ClientSession
) -> None:
    """Every address of every commit, and none of the unverified ones; then nothing is asked for a month."""
    github = Sandbox(sandbox.url)
    await sync_once(db, github.addresses, github.token())
    true, ours, addresses = owners(github), await known(db), await in_commits(db)
    assert "amoreau@old-college.example" in addresses and "bob@fernhill.example" in addresses
    assert {address: ours.get(address) for address in addresses} == {
        address: true.get(address) for address in addresses
    }
    assert await asked(db, github, http) == 0
    assert await asked(db, github, http, MONTH_S) == 1, "what nobody had may have become somebody's"
    async with db.read() as conn:
        rows = await conn.execute(select(tables.person.c.login, tables.person.c.name))
        assert ("bob", "Bob Okafor") in [tuple(row) for row in rows]


async def test_a_failure_waits_and_fails_nothing(
    db: Database, fresh_sandbox: Program, http: aiohttp.ClientSession
) -> None:
    """GitHub breaks on this question alone: no error, a pause, and then one point for all that is left."""
    github = Sandbox(fresh_sandbox.url)
    await sync_once(db, github.addresses, github.token(), ["alice/almanac"])
    complete = await known(db)
    await forget(db)
    github.fault("POST /api/graphql", "status", times=100, status=500)
    await asked(db, github, http)
    mark = github.mark()
    assert await asked(db, github, http) == 0 and github.log(mark) == []
    github.ask("/faults", method="DELETE")
    assert await asked(db, github, http, 120) == 1
    assert await known(db) == complete
    assert (await new_pass(db, github, http)).cursor(0, identities.STREAM).failures == 0


async def test_the_reserve_is_left_alone(db: Database, sandbox: Program, http: aiohttp.ClientSession) -> None:
    """With little left of the hour's points nothing is sent, and the pass goes on as if nothing was."""
    github = Sandbox(sandbox.url)
    await sync_once(db, github.addresses, github.token(), ["alice/almanac"])
    await forget(db)
    work, now = await new_pass(db, github, http), int(time.time())
    work.github.turns.remember([Budget("graphql", 5000, 900, now + 1800, now)], Waiting())
    mark = github.mark()
    await identities.resolve(work)
    assert work.github.costs.graphql_requests == 0
    assert not [
        each for each in github.log(mark) if each["resource"] == "graphql" and each["login"] == "alice"
    ]
