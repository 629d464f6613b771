"""How many lines commits changed: as git counts them, asked for late, cheaply and once."""

from __future__ import annotations

import math
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import aiohttp
import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.github import graphql
from trackeep.store.tables_fetched import commit
from trackeep.sync import line_counts
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio

Counts = dict[str, tuple[int, int, int]]


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
    way = Way(http, github.addresses, github.token(), ("repo",), lambda: github.now() + later_s)
    return await open_work(db, github.person_id(), way, Wishes())


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
    return {row.sha: None if row.additions is None else tuple(row[1:]) for row in rows}  # type: ignore[misc]


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


async def test_as_git_counts_them(db: Database, fresh_sandbox: Program, http: aiohttp.ClientSession) -> None:
    """Every commit, merges against their first parent; then nothing is asked for until the next day."""
    github = Sandbox(fresh_sandbox.url)
    await sync_once(db, github.addresses, github.token(), ["alice/almanac"], clock=github.now)
    commits = await counted(db)
    assert set(commits.values()) == {None}, "the sync that brings commits does not ask"
    assert await questions(db, github, http) == 0, "nor does another one at once"
    expected = math.ceil(len(commits) / graphql.COUNTS_PAGE)
    spent = [await questions(db, github, http, 400 + n) for n in range(8)]
    assert sum(spent) == expected and max(spent) <= line_counts.QUESTIONS_A_PASS
    assert await counted(db) == git_counts(github.repository("alice/almanac")["git_dir"], commits)
    async with db.read() as conn:
        merges = select(func.count()).where(commit.c.parent_count > 1, commit.c.additions > 0)
        assert (await conn.execute(merges)).scalar_one() > 0
