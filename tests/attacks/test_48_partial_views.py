"""Attack 48: mallory's token is shown less, or more, of a repository than the others who follow it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_control import Sandbox
from small_world import ALICE, ATLAS, BOB, NOW, fill
from sqlalchemy import Table, func, select

from trackeep.database import Database
from trackeep.model import PullRequest, Release, Review
from trackeep.store import activity, inventory
from trackeep.store.tables_fetched import issue, pull_request, release, review
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
OTTER = "bob/otter-cli"
PENDING = Review(71, None, "PENDING", None)
REVIEWS = (PENDING, replace(PENDING, id=72, state="APPROVED", submitted_at=NOW))
PULL = PullRequest(1, "P", 90, "t", "open", False, None, "main", "x", "a1", NOW, NOW, reviews=REVIEWS)
TOLD: dict[str, Any] = {"name": "", "prerelease": False, "author": None, "created_at": NOW}
RELEASES = (
    Release(81, "v9", draft=True, published_at=None, **TOLD),
    Release(82, "v8", draft=False, published_at=NOW, **TOLD),
)


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")


async def how_many(db: Database, table: Table, repository_id: int) -> int:
    rows = select(func.count()).where(table.c.repository_id == repository_id)
    async with db.read() as conn:
        return int((await conn.execute(rows)).scalar_one())


@pytest.mark.parametrize("table", [issue, pull_request])
async def test_an_empty_list_takes_nothing_from_others(db: Database, table: Table) -> None:
    """A token that may not see issues is given an empty list: what alice and bob share stays."""
    await fill(db)
    before = await how_many(db, table, ATLAS)
    async with db.write() as conn:
        assert await inventory.forget_others(conn, table, (BOB, ATLAS), set(), NOW + 1) == 0
        await activity.lose_access(conn, BOB, [ATLAS], NOW)
        assert await inventory.forget_others(conn, table, (ALICE, ATLAS), set(), NOW + 1) == before > 0


async def test_releases_that_a_token_may_not_see_stay(github: Sandbox, tmp_path: Path) -> None:
    """Refused GraphQL and a repository's releases, a second follower does not delete those of the first."""
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    key = github.repository(OTTER)["id"]
    await sync_once(db, github.addresses, github.token("bob"), [OTTER], clock=github.now)
    before = await how_many(db, release, key)
    github.fault("POST /api/graphql", "status", times=99, status=403)
    github.fault("GET /api/v3/repos/bob/otter-cli/releases", "status", times=9, status=403)
    await sync_once(db, github.addresses, github.token("alice"), [OTTER], clock=github.now)
    assert await how_many(db, release, key) == before > 0
    await db.close()


async def test_what_only_some_may_see_is_not_shared(db: Database) -> None:
    """Drafts of releases, which need the right to push, and reviews that are not submitted are not stored."""
    await fill(db)
    async with db.write() as conn:
        await activity.save_releases(conn, ATLAS, RELEASES)
        await activity.save_pulls(conn, ATLAS, [PULL])
        saved = select(release.c.id).where(release.c.repository_id == ATLAS)
        assert list(await conn.scalars(saved)) == [82]
        saved = select(review.c.id).where(review.c.repository_id == ATLAS, review.c.number == 90)
        assert list(await conn.scalars(saved)) == [72]
