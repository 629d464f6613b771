"""A poll costs the same however many repositories are followed: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import start
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store.tables_revision import revision
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
PLENTY = 10**6


@pytest.fixture
def github(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """A GitHub with as many repositories as the test says, and budgets that a first sync cannot empty."""
    size = ("--repositories", str(request.param), "--commits", str(2 * request.param))
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path / "github"), *size)
    github = Sandbox(program.url)
    for resource in ("core", "graphql"):
        github.quota(resource, limit=PLENTY)
    yield github
    program.stop()


async def sync(db: Database, github: Sandbox) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), clock=github.now)


def busiest(github: Sandbox) -> str:
    """The repository with most pull requests: one that has commits."""
    return str(max(github.repositories(), key=lambda each: len(each["pulls"]))["full_name"])


def used(github: Sandbox) -> tuple[int, int]:
    return int(github.quota("core")["used"]), int(github.quota("graphql")["used"])


async def revision_of(db: Database) -> int:
    async with db.read() as conn:
        return int(await conn.scalar(select(revision.c.number)) or 0)


@pytest.mark.parametrize("github", [1, 100, 1_000], indirect=True)
async def test_a_poll_and_a_small_change(github: Sandbox, tmp_path: Path) -> None:
    """Idle: two requests, both 304, no quota. A push with a pull request: two, one point, two git POSTs."""
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    try:
        await sync(db, github)
        before, mark, known = used(github), github.mark(), await revision_of(db)
        idle = await sync(db, github)
        asked = [(each["path"], each["status"]) for each in github.log(mark)]
        assert asked == [("/api/v3/user/repos", 304), ("/api/v3/issues", 304)]
        assert (idle.git_posts, used(github)) == (0, before)
        # No figure has to be counted again.
        assert await revision_of(db) == known
        # By somebody whose address is known: finding out whose a new one is costs one point, once.
        github.change(busiest(github), "open-pull", author="alice")
        small = await sync(db, github)
        assert (small.costs.rest_requests, small.costs.graphql_points, small.git_posts) == (2, 1, 2)
        assert (small.found.pull_requests, small.found.commits) == (1, 2)
        assert await revision_of(db) > known
    finally:
        await db.close()
