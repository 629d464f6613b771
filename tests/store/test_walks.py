"""What an unfinished walk has stored passes for complete to nobody, whoever else walks or gives up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from trackeep.database import Database, upsert
from trackeep.model import Commit, Signature
from trackeep.store import activity, history, walks
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio
ATLAS, ALICE, BOB = 70001, 1001, 1002
SOMEBODY = Signature("Al", "al@x.example", 1_700_000_000, 0)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = await Database.open(database_url)
    async with db.write() as conn:
        await upsert(conn, repository, [{"id": ATLAS, "owner": "fernhill", "name": "atlas"}], key=["id"])
        # 9 is the newest; 0 the root.
        line = [
            Commit(str(n), (str(n - 1),) if n else (), SOMEBODY, SOMEBODY, f"Work {n}") for n in range(10)
        ]
        await history.save_commits(conn, ATLAS, line)
    yield db
    await db.close()


async def known(db: Database) -> str:
    """The commits that count as complete, as one word."""
    async with db.read() as conn:
        missing = await history.missing_commits(conn, ATLAS, map(str, range(10)))
        listed, others = await history.commits_to_have(conn, ATLAS, ["9"])
    assert {*listed, *others} == set(map(str, range(10))) - missing
    return "".join(sorted([*listed, *others]))


async def test_marked_commits_are_missing_and_not_to_have(db: Database) -> None:
    """Git is told of none of them, and they are wanted as if they were not there."""
    async with db.write() as conn:
        await walks.mark(conn, ATLAS, ALICE, ["7", "8", "9"])
        assert await walks.met(conn, ATLAS, ALICE, ["9", "6"]) == {"9", "6"}
        assert await walks.met(conn, ATLAS, BOB, ["9", "6"]) == {"6"}
    assert await known(db) == "0123456"


async def test_a_walk_that_is_through_is_through_for_everybody(db: Database) -> None:
    """Where two have walked, what one has completed is complete; the other's own part is still his."""
    async with db.write() as conn:
        await walks.mark(conn, ATLAS, ALICE, ["4", "5"])
        await walks.mark(conn, ATLAS, BOB, ["5", "9"])
        await walks.finish(conn, ATLAS, ALICE)
    assert await known(db) == "012345678"


async def test_a_walk_that_was_given_up_is_never_complete(db: Database) -> None:
    """Neither its own account nor another takes its commits for known; a history that holds them does."""
    async with db.write() as conn:
        await walks.mark(conn, ATLAS, ALICE, ["8", "9"])
        await walks.give_up(conn, ATLAS, ALICE)
        assert await walks.met(conn, ATLAS, ALICE, ["8", "9"]) == set()
        await walks.mark(conn, ATLAS, ALICE, ["9"])
        await walks.finish(conn, ATLAS, ALICE)
    assert await known(db) == "012345679"


async def test_what_saved_refs_reach_is_complete(db: Database) -> None:
    """Git has brought the ancestors: the marks of whoever was walking there go; others stay."""
    async with db.write() as conn:
        await walks.mark(conn, ATLAS, ALICE, ["3", "8", "9"])
        await conn.execute(commit.update().where(commit.c.sha.in_(["8", "9"])).values(reachable=True))
        await walks.settle(conn, ATLAS)
        assert await walks.are_any(conn, ATLAS)
    assert await known(db) == "012456789"


async def test_marks_go_with_the_repository(db: Database) -> None:
    """Whoever follows it later begins from nothing."""
    async with db.write() as conn:
        await walks.mark(conn, ATLAS, ALICE, ["9"])
        await activity.forget_activity(conn, [ATLAS])
        assert not await walks.are_any(conn, ATLAS)
