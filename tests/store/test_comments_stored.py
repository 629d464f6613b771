"""Comments on lines in both databases: counted in their reviews whichever comes first, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from trackeep.database import Database, upsert
from trackeep.model import Person, PullRequest, Review, ReviewComment
from trackeep.store import comments, tables
from trackeep.store.activity import forget_activity, save_people, save_pulls
from trackeep.store.comments import OVERLAP_S
from trackeep.store.tables_fetched import review, review_comment

pytestmark = pytest.mark.anyio
ALICE, BOB = Person(1001, "alice"), Person(1002, "bob")
ATLAS, NOW = 1, 1_795_500_000
PULL = PullRequest(
    id=7,
    node_id="PR_7",
    number=3,
    title="T",
    state="open",
    draft=False,
    author=ALICE,
    base_ref="main",
    head_ref="topic",
    head_sha="a" * 40,
    created_at=NOW,
    updated_at=NOW,
    reviews=(Review(51, BOB, "COMMENTED", NOW), Review(52, ALICE, "APPROVED", NOW)),
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = await Database.open(database_url)
    async with db.write() as conn:
        await upsert(conn, tables.repository, [{"id": ATLAS, "owner": "alice", "name": "r"}], key=("id",))
        await save_people(conn, [ALICE, BOB])
    yield db
    await db.close()


def remark(number: int, review_id: int | None = 51) -> ReviewComment:
    return ReviewComment(number, PULL.number, review_id, BOB, NOW, NOW + number)


async def save(db: Database, *given: ReviewComment, seen_at: int = NOW) -> None:
    async with db.write() as conn:
        await comments.save_comments(conn, ATLAS, given, seen_at)


async def pull(db: Database, pulls: Sequence[PullRequest] = (PULL,)) -> None:
    async with db.write() as conn:
        await save_pulls(conn, ATLAS, pulls)


async def counts(db: Database) -> dict[int, int]:
    """By review."""
    async with db.read() as conn:
        rows = await conn.execute(
            select(review.c.id, review.c.comments).where(review.c.repository_id == ATLAS)
        )
        return {row.id: row.comments for row in rows}


@pytest.mark.parametrize("comments_first", [True, False])
async def test_a_review_knows_how_many_comments_it_has(db: Database, comments_first: bool) -> None:
    """Whether the comments or the pull request came first, and however often either comes again."""
    if not comments_first:
        await pull(db)
    await save(db, remark(1), remark(2), remark(3, 52), remark(4, None))
    assert comments_first or await counts(db) == {51: 2, 52: 1}
    await pull(db)
    assert await counts(db) == {51: 2, 52: 1}
    await save(db, remark(2), remark(1))
    assert await counts(db) == {51: 2, 52: 1}
    async with db.read() as conn:
        assert await comments.reviewed(conn, [ATLAS, 2]) == {ATLAS}


async def test_a_whole_list_shows_what_was_deleted(db: Database) -> None:
    """What it did not hold goes, but not what another account has just seen."""
    await pull(db)
    await save(db, remark(1), remark(2), seen_at=NOW - 7 * 86_400)
    began_at = NOW
    await save(db, remark(2), remark(3), seen_at=began_at + 1)
    await save(db, remark(4), seen_at=began_at - OVERLAP_S + 1)
    async with db.write() as conn:
        assert await comments.forget_unseen(conn, ATLAS, began_at) == 1
        assert await comments.forget_unseen(conn, ATLAS, began_at) == 0
    assert await counts(db) == {51: 3, 52: 0}


async def test_they_go_with_everything_else(db: Database) -> None:
    """When the last follower leaves nothing of a repository stays."""
    await pull(db)
    await save(db, remark(1))
    async with db.write() as conn:
        await forget_activity(conn, [ATLAS])
        assert (await conn.execute(select(review_comment))).all() == []


async def test_pulls_and_comments_written_at_once(db: Database) -> None:
    """Workers of several accounts with one repository: nobody waits for ever, and the counts are right."""
    last = 60
    pulls = [
        replace(PULL, id=n, node_id=f"PR_{n}", number=n, reviews=(Review(500 - n, BOB, "COMMENTED", NOW),))
        for n in range(1, last)
    ]
    await pull(db, pulls)

    async def comment(base: int) -> None:
        await save(db, *(ReviewComment(base + n, n, 500 - n, BOB, NOW, NOW) for n in range(1, last)))

    await asyncio.gather(*(work for each in range(1, 7) for work in (pull(db, pulls), comment(1000 * each))))
    assert await counts(db) == {500 - n: 6 for n in range(1, last)}
