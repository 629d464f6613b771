"""How many lines commits changed: as git counts them, asked for late, cheaply and once."""

from __future__ import annotations

import asyncio
import contextlib
import math
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path

import aiohttp
import pytest
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.errors import GitHubUnavailable
from trackeep.github import graphql
from trackeep.model import Budget
from trackeep.store import line_counts as stored
from trackeep.store import schedule
from trackeep.store.reports_access import is_mine
from trackeep.store.tables_fetched import commit
from trackeep.sync import line_counts
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio

Counts = dict[str, tuple[int, int, int]]
BIG, SMALL = "alice/almanac", "alice/tide-tables"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def first_sync(db: Database, github: Sandbox, name: str) -> None:
    await sync_once(db, github.addresses, github.token(), [name])


async def new_pass(db: Database, github: Sandbox, http: aiohttp.ClientSession, later_s: int = 0) -> Work:
    way = Way(http, github.addresses, github.token(), ("repo",), lambda: time.time() + later_s)
    return await open_work(db, github.person_id(), way, Wishes())


async def left(db: Database, github: Sandbox, points: int) -> None:
    """So many of the hour's 5,000 points are left, as the pass before was told."""
    now = int(time.time())
    async with db.write() as conn:
        budget = Budget("graphql", 5000, points, now + 1800, now)
        await schedule.save_budgets(conn, github.person_id(), [budget])


async def questions(db: Database, github: Sandbox, http: aiohttp.ClientSession, later_s: int = 0) -> int:
    """How many points one look at the lines costs."""
    work = await new_pass(db, github, http, later_s)
    await line_counts.count(work)
    return work.github.costs.graphql_points


async def counted(db: Database) -> dict[str, tuple[int, int, int] | None]:
    """By sha; None for a commit whose lines are unknown."""
    columns = (commit.c.sha, commit.c.additions, commit.c.deletions, commit.c.changed_files)
    async with db.read() as conn:
        rows = (await conn.execute(select(*columns))).all()
    return {row.sha: None if row.additions is None else tuple(row[1:]) for row in rows}


def git_counts(git_dir: str, shas: Iterable[str]) -> Counts:
    """What git itself counts against the first parent; a binary file counts as changed, without lines."""
    ask = ["git", "-C", git_dir, "log", "--stdin", "--no-walk=unsorted", "--format=%x01%H"]
    ask += ["--numstat", "--diff-merges=first-parent", "--no-renames"]
    out = subprocess.run(ask, input="\n".join(shas), capture_output=True, text=True, check=True).stdout
    found = {}
    for part in out.split("\x01")[1:]:
        sha, *rows = part.split("\n")
        lines = [row.split("\t")[:2] for row in rows if row]
        added, deleted = (sum(int(pair[side]) for pair in lines if pair[side] != "-") for side in (0, 1))
        found[sha] = (added, deleted, len(lines))
    return found


async def test_as_git_counts_them(db: Database, changing: Sandbox, http: aiohttp.ClientSession) -> None:
    """Every commit, merges against their first parent; then nothing is asked for until the next day."""
    await first_sync(db, changing, BIG)
    commits = await counted(db)
    assert set(commits.values()) == {None}, "the sync that brings commits does not ask"
    assert await questions(db, changing, http) == 0, "nor does another one at once"
    points = math.ceil(len(commits) / graphql.COUNTS_PAGE)
    assert [await questions(db, changing, http, later_s) for later_s in (400, 500, 600)] == [points, 0, 0]
    assert await counted(db) == git_counts(changing.repository(BIG)["git_dir"], commits)
    async with db.read() as conn:
        merges = select(func.count()).where(commit.c.parent_count > 1, commit.c.additions > 0)
        assert (await conn.execute(merges)).scalar_one() > 0


async def test_the_persons_own_come_first(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """With half of the hour's points gone only own commits and recent ones are counted; the rest waits."""
    await first_sync(db, changing, BIG)
    before = await counted(db)
    for later_s in (400, 401):
        await left(db, changing, 2400)
        work = await new_pass(db, changing, http, later_s)
        await line_counts.count(work)
    done = {sha for sha, counts in (await counted(db)).items() if counts}
    assert 0 < len(done) < len(before)
    async with db.read() as conn:
        recent = commit.c.committed_at >= work.now - line_counts.WINDOW_S
        wanted = select(commit.c.sha).where(is_mine(changing.person_id()) | recent)
        assert set(await conn.scalars(wanted)) == done


async def test_what_github_does_not_know_is_asked_once(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """A commit that is gone there costs one question a month, and the others are counted."""
    await first_sync(db, changing, SMALL)
    async with db.write() as conn:
        first = dict((await conn.execute(select(commit).limit(1))).mappings().one())
        del first["id"]
        await conn.execute(commit.insert(), [{**first, "sha": "0123456789" * 4}])
    assert await questions(db, changing, http, 400) > 0
    assert [sha for sha, counts in (await counted(db)).items() if counts is None] == ["0123456789" * 4]
    day, month = 86_400, stored.UNKNOWN_FOR_S
    costs = [await questions(db, changing, http, later_s) for later_s in (500, 2 * day, month + day)]
    assert costs == [0, 0, 1]


async def test_a_question_too_large_is_asked_in_parts(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """GitHub gives up on large questions: smaller ones follow, and all commits are counted in the end."""
    await first_sync(db, changing, SMALL)
    changing.fault("POST /api/graphql", "status", times=3, status=502)
    for later_s in (400, 500, 600):
        await questions(db, changing, http, later_s)
    assert None not in (await counted(db)).values()


async def test_a_failure_waits_and_fails_nothing(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """GitHub breaks on this question alone: no error and a pause; what it gave up on holds up nothing."""
    await first_sync(db, changing, SMALL)
    changing.fault("POST /api/graphql", "status", times=1000, status=502)
    await questions(db, changing, http, 400)
    mark = changing.mark()
    assert await questions(db, changing, http, 401) == 0 and changing.log(mark) == []
    changing.ask("/faults", method="DELETE")
    for later_s in range(500, 520):
        await questions(db, changing, http, later_s)
    assert list((await counted(db)).values()).count(None) == 1
    assert await questions(db, changing, http, 600 + 2 * 86_400) == 1
    assert None not in (await counted(db)).values()


async def test_the_reserve_is_left_alone(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """With little left of the hour's points nothing is sent, and the pass goes on as if nothing was."""
    await first_sync(db, changing, SMALL)
    await left(db, changing, 900)
    mark = changing.mark()
    assert await questions(db, changing, http, 400) == 0 and changing.log(mark) == []


async def test_an_answered_question_is_never_asked_again(
    db: Database, changing: Sandbox, http: aiohttp.ClientSession
) -> None:
    """The line is cut in the middle of everything: what was stored stays, and the rest is asked for once."""
    await first_sync(db, changing, BIG)
    wanted = math.ceil(len(await counted(db)) / graphql.COUNTS_PAGE)
    work = await new_pass(db, changing, http, 400)
    async with aiohttp.ClientSession() as cut:
        way = Way(cut, changing.addresses, changing.token(), ("repo",), lambda: time.time() + 400)
        work = await open_work(db, changing.person_id(), way, Wishes())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(cut_off(db, cut))
            counting = tasks.create_task(quietly(line_counts.count(work)))
        await counting
    done = sum(counts is not None for counts in (await counted(db)).values())
    assert 0 < done < len(await counted(db)) and done % graphql.COUNTS_PAGE == 0
    later = sum([await questions(db, changing, http, 5000 + n) for n in range(3)])
    assert later == wanted - done // graphql.COUNTS_PAGE
    assert None not in (await counted(db)).values()


async def quietly(work: Awaitable[None]) -> None:
    """Until the program is told to stop."""
    with contextlib.suppress(GitHubUnavailable):
        await work


async def cut_off(db: Database, http: aiohttp.ClientSession) -> None:
    """Stop, as the program is stopped, once something was stored."""
    while not any((await counted(db)).values()):
        await asyncio.sleep(0.01)
    await http.close()


async def test_of_a_hostile_history(db: Database, changing: Sandbox, http: aiohttp.ClientSession) -> None:
    """Merges of many parents, odd encodings and impossible times are counted like any other commit."""
    made = changing.make("alice/oddities", "hostile")
    await first_sync(db, changing, "alice/oddities")
    commits = await counted(db)
    await questions(db, changing, http, 400)
    assert await counted(db) == git_counts(made["git_dir"], commits)
