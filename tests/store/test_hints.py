"""A hint makes those look again whom it concerns, soon and seldom enough, and a delivery counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from trackeep.database import Database
from trackeep.model import Email, Person, Repository
from trackeep.store import activity, hints, leases, people, schedule
from trackeep.store.hints import GAP_AFTER_FAILURE_S, GAP_S, KEPT_S, Moved
from trackeep.store.people import Credential
from trackeep.store.tables import follow
from trackeep.store.tables_sync import delivery
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
LATER = NOW + 3_600
VAULT = Vault({b"0000": bytes(32)})
ALICE, BOB, CAROL = (Person(1000 + n, name) for n, name in enumerate(("alice", "bob", "carol"), 1))
ATLAS = Repository(70001, "R_1", "fernhill", "atlas", False, False, False, "main", "", "", 1, NOW, NOW, NOW)
HERON = Repository(70002, "R_2", "carol", "heron", False, False, False, "main", "", "", 1, NOW, NOW, NOW)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """Alice and bob follow atlas, carol follows heron; nobody is due for an hour."""
    database = await Database.open(database_url)
    async with database.write() as conn:
        await activity.save_repositories(conn, [ATLAS, HERON])
        for who, where in ((ALICE, ATLAS), (BOB, ATLAS), (CAROL, HERON)):
            await people.save_account(conn, who, [Email(f"{who.login}@example.org", verified=True)], NOW)
            credential = Credential("token", f"token of {who.login}", f"print {who.login}")
            await people.save_credential(conn, VAULT, who.id, credential, NOW)
            await activity.grant_access(conn, who.id, {where.id: "admin"}, NOW)
            await schedule.follow_repositories(conn, who.id, [where.id], NOW)
        await conn.execute(update(schedule_table).values(due_at=LATER, priority=schedule.POLL))
    yield database
    await database.close()


async def hint(db: Database, moved: Moved, now: int = NOW) -> None:
    async with db.write() as conn:
        await hints.hint(conn, moved, now)


async def due(db: Database, now: int = NOW) -> set[int]:
    """Who is due at `now`."""
    async with db.read() as conn:
        rows = await conn.execute(select(schedule_table).where(schedule_table.c.due_at <= now))
        return {row.account_id for row in rows}


async def row_of(db: Database, who: Person) -> Any:
    async with db.read() as conn:
        rows = await conn.execute(select(schedule_table).where(schedule_table.c.account_id == who.id))
        return rows.one()


async def claim(db: Database, now: int = NOW) -> leases.Claim:
    async with db.write() as conn:
        claimed = await leases.claim(conn, f"worker at {now}", now)
    assert claimed is not None
    return claimed


async def release(db: Database, claimed: leases.Claim, due_at: int, failures: int = 0) -> None:
    async with db.write() as conn:
        await leases.release(conn, claimed, due_at, failures=failures)


PUSH = Moved(frozenset({ATLAS.id}))


async def test_those_who_follow_and_may_read_look_again(db: Database) -> None:
    """A push concerns nobody who lost access, paused, or follows something else."""
    async with db.write() as conn:
        await activity.lose_access(conn, BOB.id, [ATLAS.id], NOW)
    await hint(db, PUSH)
    assert await due(db) == {ALICE.id}
    async with db.write() as conn:
        await conn.execute(update(schedule_table).values(due_at=LATER, hinted_at=None))
        await conn.execute(update(follow).values(state=schedule.PAUSED))
    await hint(db, PUSH)
    assert await due(db) == set()


@pytest.mark.parametrize(
    ("moved", "concerned"),
    [
        (Moved(frozenset({ATLAS.id}), is_access=True), {ALICE.id, BOB.id}),
        (Moved(owners=frozenset({"fernhill"}), is_access=True), {ALICE.id, BOB.id}),
        (Moved(people=frozenset({CAROL.id}), is_access=True), {CAROL.id}),
        (Moved(frozenset({999}), frozenset({"nobody"}), frozenset({998}), is_access=True), set()),
        (Moved(), set()),
    ],
)
async def test_a_change_of_access_has_the_whole_list_walked(
    db: Database, moved: Moved, concerned: set[int]
) -> None:
    """It also concerns who lost access, everybody with something of that owner, and the person named."""
    async with db.write() as conn:
        await activity.lose_access(conn, BOB.id, [ATLAS.id], NOW)
    await hint(db, moved)
    assert await due(db) == concerned
    async with db.read() as conn:
        asked = {who.id: await hints.walk_asked_at(conn, who.id) for who in (ALICE, BOB, CAROL)}
    assert {key for key, at in asked.items() if at == NOW} == concerned


async def test_a_flood_of_hints_is_no_flood_of_passes(db: Database) -> None:
    """However many come, the next pass begins no sooner than five seconds after the last one began."""
    await hint(db, PUSH)
    first = await claim(db)
    assert (first.priority, first.is_hinted) == (schedule.POLL, True)
    await release(db, first, LATER)
    for second in range(4):
        await hint(db, PUSH, NOW + second)
    assert first.account_id not in await due(db, NOW + GAP_S - 1)
    assert first.account_id in await due(db, NOW + GAP_S)


async def test_what_moves_during_a_pass_is_looked_at_after_it(db: Database) -> None:
    """A hint while the worker is busy is not lost when it gives the account back, and counts once."""
    await hint(db, PUSH)
    claimed = await claim(db)
    await hint(db, PUSH, NOW + 2)
    await release(db, claimed, LATER)
    assert (await row_of(db, Person(claimed.account_id, ""))).due_at == NOW + GAP_S
    again = await claim(db, NOW + GAP_S + 60)
    await release(db, again, LATER)
    assert (await row_of(db, Person(again.account_id, ""))).due_at == LATER


async def test_after_a_failure_hints_wait_longer(db: Database) -> None:
    """An account whose passes fail is not tried every five seconds because GitHub is busy."""
    await hint(db, PUSH)
    claimed = await claim(db)
    await release(db, claimed, LATER, failures=3)
    await hint(db, PUSH, NOW + 1)
    assert (await row_of(db, Person(claimed.account_id, ""))).due_at == NOW + GAP_AFTER_FAILURE_S


async def test_a_click_stays_a_click(db: Database) -> None:
    """A hint neither takes a person's turn away nor makes itself more urgent than a poll."""
    async with db.write() as conn:
        await schedule.request_sync(conn, ALICE.id, NOW)
    await hint(db, PUSH, NOW + 1)
    alice, bob = await row_of(db, ALICE), await row_of(db, BOB)
    assert (alice.priority, alice.due_at, bob.priority) == (schedule.CLICK, NOW, schedule.POLL)


async def test_deliveries_in_any_order_at_once(db: Database) -> None:
    """Many at the same moment, for the same people through different repositories, get in nobody's way."""
    every = [
        PUSH,
        Moved(frozenset({HERON.id, ATLAS.id})),
        Moved(people=frozenset({CAROL.id, ALICE.id}), is_access=True),
        Moved(owners=frozenset({"carol", "fernhill"}), is_access=True),
    ]

    async def deliver(number: int) -> bool:
        async with db.write() as conn:
            is_new = await hints.save_delivery(conn, f"delivery {number % 20}", NOW)
            await hints.hint(conn, every[number % 4], NOW)
            return is_new

    fresh = await asyncio.gather(*(deliver(number) for number in range(60)))
    assert sum(fresh) == 20
    assert await due(db) == {ALICE.id, BOB.id, CAROL.id}


async def test_old_deliveries_are_forgotten(db: Database) -> None:
    """Only what GitHub may still send again is kept, and the time of the last one is known."""
    async with db.write() as conn:
        assert await hints.last_delivery_at(conn) is None
        assert await hints.save_delivery(conn, "one", NOW)
        assert not await hints.save_delivery(conn, "one", NOW + KEPT_S)
        assert await hints.save_delivery(conn, "two", NOW + KEPT_S + 1)
        assert await hints.last_delivery_at(conn) == NOW + KEPT_S + 1
        assert (await conn.execute(select(func.count()).select_from(delivery))).scalar_one() == 1
        assert await hints.save_delivery(conn, "one", NOW + KEPT_S + 1)
