"""What somebody does with the repositories they follow changes theirs alone, never what is stored."""

from __future__ import annotations

import pytest
from small_world import ALICE, ATLAS, BOB, HERON, NOW, fill
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.model import Budget
from trackeep.store import following, leases, schedule, wishes
from trackeep.store.schedule import READING_S, READINGS, Cursor
from trackeep.store.tables import follow
from trackeep.store.tables_choices import repository_tag
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_sync import budget_reading, cursor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def states(db: Database, account_id: int = ALICE) -> dict[int, tuple[str, bool]]:
    async with db.read() as conn:
        rows = await conn.execute(select(follow).where(follow.c.account_id == account_id))
        return {row.repository_id: (row.state, row.hidden) for row in rows}


async def test_paused_archived_and_on_again(db: Database) -> None:
    """A paused repository is not asked about, an archived one is out of sight too; tracking ends both."""
    async with db.write() as conn:
        await following.pause(conn, ALICE, [ATLAS])
        await following.archive(conn, ALICE, [HERON])
        assert await schedule.followed(conn, ALICE) == []
        assert len(await schedule.followed(conn, BOB)) == 2
    assert await states(db) == {ATLAS: ("paused", False), HERON: ("paused", True)}
    async with db.write() as conn:
        await following.track(conn, ALICE, [HERON], NOW)
        await following.resume(conn, ALICE, [ATLAS], NOW)
    assert await states(db) == {ATLAS: ("tracked", False), HERON: ("tracked", False)}
    assert (await states(db, BOB))[ATLAS] == ("tracked", False)


async def test_tags_are_somebodys_own(db: Database) -> None:
    """Twice is once, others' stay, they go with the repository, and there is an end to how many."""
    async with db.write() as conn:
        for who in (ALICE, ALICE, BOB):
            assert await following.tag(conn, who, [ATLAS], "work")
        await following.untag(conn, BOB, [ATLAS], "work")
        for number in range(following.MOST_TAGS - 1):
            assert await following.tag(conn, ALICE, [HERON], f"tag {number}")
        assert not await following.tag(conn, ALICE, [HERON], "one more")
        assert await following.tag(conn, ALICE, [HERON], "work")
        await schedule.unfollow_repositories(conn, ALICE, [HERON])
        left = (await conn.execute(select(repository_tag))).all()
    assert [(row.account_id, row.repository_id, row.tag) for row in left] == [(ALICE, ATLAS, "work")]


async def test_looked_at_again(db: Database) -> None:
    """What failed waits no longer, the daily look is due, and how far it had come stays."""
    async with db.write() as conn:
        daily = Cursor({"looked_at": NOW, "first_at": 5}, complete=True)
        await schedule.advance(conn, ALICE, (ATLAS, schedule.DAILY), daily, NOW)
        await schedule.fail(conn, ALICE, (ATLAS, "pulls"), "broken", NOW + 999)
        await schedule.fail(conn, ALICE, (HERON, "pulls"), "broken", NOW + 999)
        await following.look_again(conn, ALICE, [ATLAS], NOW)
        found = await schedule.cursors(conn, ALICE)
        assert await leases.most_urgent(conn, NOW) is None, "alice has no token that may be used"
    assert found[ATLAS, schedule.DAILY].position == {"looked_at": 0, "first_at": 5}
    assert (found[ATLAS, "pulls"].due_at, found[HERON, "pulls"].due_at) == (0, NOW + 999)


async def test_read_from_scratch(db: Database) -> None:
    """Nothing is known to have been read, all rows stay, and whoever reads just now loses the account."""
    async with db.write() as conn:
        claimed = await leases.claim_account(conn, ALICE, "worker", NOW)
        assert claimed is not None
        await following.read_again(conn, ALICE, [ATLAS], NOW)
        found = await schedule.cursors(conn, ALICE)
        assert not await leases.is_held_by(conn, claimed)
        rows = select(func.count()).where(commit.c.repository_id == ATLAS)
        assert (await conn.execute(rows)).scalar_one() == 9
    assert {place: at.position for place, at in found.items() if place[0] == ATLAS} == {
        (ATLAS, "commits"): {"deep": True}
    }
    assert (HERON, "issues") in found


async def test_wishes_are_few_and_answered(db: Database) -> None:
    """The same name waits once; too many wait no more; an answer is kept for a day."""
    async with db.write() as conn:
        assert await wishes.make(conn, ALICE, "Fernhill/New", NOW)
        assert await wishes.make(conn, ALICE, "fernhill/new", NOW)
        for number in range(wishes.MOST_WAITING - 1):
            assert await wishes.make(conn, ALICE, f"a/b{number}", NOW + 1)
        assert not await wishes.make(conn, ALICE, "one/more", NOW + 1)
        await wishes.answer(conn, ALICE, "fernhill/new", NOW + 2, problem="No.")
        await wishes.dismiss(conn, ALICE, "a/b0")
        assert await wishes.make(conn, ALICE, "one/more", NOW + 3)
        first = (await wishes.of(conn, ALICE))[0]
        assert (first.name, first.state, first.problem) == ("fernhill/new", wishes.REFUSED, "No.")
        assert "fernhill/new" not in await wishes.waiting(conn, ALICE)
        await wishes.make(conn, ALICE, "a/b1", NOW + wishes.ANSWERS_KEPT_S + 3)
        assert "fernhill/new" not in {each.name for each in await wishes.of(conn, ALICE)}
        assert await wishes.of(conn, BOB) == ()


async def test_budget_readings_are_bounded(db: Database) -> None:
    """The highest use of each half hour of the last day stays, however often it is told."""
    start = NOW // READING_S * READING_S
    async with db.write() as conn:
        for remaining, second in ((4000, 1), (3000, 2), (4900, 3)):
            seen = Budget("core", 5000, remaining, start + 3600, start + second)
            await schedule.save_budgets(conn, ALICE, [seen])
        rows = (await conn.execute(select(budget_reading))).all()
        assert [(row.slot_at, row.used, row.limit) for row in rows] == [(start, 2000, 5000)]
        for number in range(READINGS + 10):
            at = start + number * READING_S
            await schedule.save_budgets(conn, ALICE, [Budget("core", 5000, 4000, at + 60, at)])
        assert len((await conn.execute(select(budget_reading))).all()) == READINGS


async def test_costs_add_up(db: Database) -> None:
    """What streams cost is added to what they had cost; a stream that never was stays away."""
    async with db.write() as conn:
        for _ in range(2):
            await schedule.add_costs(conn, ALICE, {(ATLAS, "pulls"): (3, 2, 1), (ATLAS, "never"): (1, 1, 1)})
        these = (cursor.c.account_id == ALICE) & (cursor.c.repository_id == ATLAS) & (cursor.c.requests > 0)
        (row,) = (await conn.execute(select(cursor).where(these))).all()
    assert (row.stream, row.requests, row.conditional, row.not_modified) == ("pulls", 6, 4, 2)
