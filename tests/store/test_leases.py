"""Work is claimed by one at a time, in an order in which nobody waits for ever, by the database's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

from trackeep.database import Database
from trackeep.model import Email, Person
from trackeep.store import leases, people, schedule, waiting, wrong_clocks
from trackeep.store.leases import BEHIND_S, Claim
from trackeep.store.people import Credential
from trackeep.store.schedule import BACKFILL, CLICK, POLL
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.sync import plan
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
VAULT = Vault({b"0000": bytes(32)})
ALICE, BOB = Person(1001, "alice"), Person(1002, "bob")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    for who in (ALICE, BOB):
        await connect(database, who)
    yield database
    await database.close()


async def connect(db: Database, who: Person) -> None:
    async with db.write() as conn:
        await people.save_account(conn, who, [Email(f"{who.login}@example.org", verified=True)], NOW)
        credential = Credential("token", f"token of {who.login}", f"print {who.login}")
        await people.save_credential(conn, VAULT, who.id, credential, NOW)
        await schedule.request_sync(conn, who.id, NOW)


async def request(db: Database, *ids: int, now: int = NOW) -> None:
    async with db.write() as conn:
        for account_id in ids:
            await schedule.request_sync(conn, account_id, now)


async def claim(db: Database, name: str, now: int = NOW) -> Claim | None:
    async with db.write() as conn:
        return await leases.claim(conn, name, now)


async def release(db: Database, claimed: Claim, due_at: int, priority: int = POLL) -> None:
    async with db.write() as conn:
        await leases.release(conn, claimed, due_at, priority=priority)


async def waits(db: Database, account_id: int, due_at: int, priority: int) -> None:
    values = {"due_at": due_at, "priority": priority}
    async with db.write() as conn:
        this = schedule_table.c.account_id == account_id
        await conn.execute(update(schedule_table).where(this).values(values))


async def lease_ends(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute(update(schedule_table).values(lease_until=leases.database_now()))


async def served(db: Database, name: str, now: int = NOW) -> Claim:
    claimed = await claim(db, name, now)
    assert claimed is not None
    return claimed


async def test_no_two_workers_have_one_account(db: Database) -> None:
    """Twenty workers at once get each of two accounts exactly once."""
    await request(db, ALICE.id, BOB.id)
    claims = await asyncio.gather(*(claim(db, f"worker {n}") for n in range(20)))
    got = [each.account_id for each in claims if each]
    if len(got) < 2:  # a claim that lost a race is simply tried again a moment later
        again = await asyncio.gather(*(claim(db, f"late {n}") for n in range(3)))
        got += [each.account_id for each in again if each]
    assert sorted(got) == [ALICE.id, BOB.id]


async def test_a_dead_workers_account_is_free_again(db: Database) -> None:
    """A lease that nobody renews ends; one that is renewed does not, and the loser is told."""
    await request(db, ALICE.id)
    await waits(db, BOB.id, NOW + 9_999, POLL)
    first = await served(db, "first")
    async with db.write() as conn:
        assert await leases.heartbeat(conn, first)
    assert await claim(db, "second") is None
    await lease_ends(db)
    async with db.write() as conn:
        assert await leases.holder(conn, ALICE.id) == ""
        # Late, but nobody has come meanwhile: what was fetched may still be written.
        assert await leases.is_held_by(conn, first)
    second = await served(db, "second")
    async with db.write() as conn:
        assert not await leases.heartbeat(conn, first)
        assert [await leases.is_held_by(conn, each) for each in (first, second)] == [False, True]
        assert await leases.holder(conn, ALICE.id) == "second"


async def test_clocks_that_differ_share_an_account(db: Database) -> None:
    """A worker whose clock is hours ahead, or behind, takes nobody's account: leases go by the database's."""
    await request(db, ALICE.id)
    await waits(db, BOB.id, NOW + 10**9, POLL)
    assert await claim(db, "behind") is not None
    for hours in (1, 1_000_000 // 3600, -1):
        assert await claim(db, "ahead", NOW + 3600 * hours) is None
        async with db.write() as conn:
            assert await leases.claim_account(conn, ALICE.id, "ahead", NOW + 3600 * hours) is None
    async with db.read() as conn:
        now = (await conn.execute(leases.database_now().select())).scalar_one()
    assert abs(now - time.time()) < 600


async def test_a_click_goes_before_polls(db: Database) -> None:
    """Who asks is served first, and knows it; polls follow by how long they have waited."""
    await waits(db, ALICE.id, NOW, CLICK)
    await waits(db, BOB.id, NOW - BEHIND_S[POLL] + 1, POLL)
    first, second = await served(db, "one"), await served(db, "two")
    assert (first.account_id, first.priority) == (ALICE.id, CLICK)
    assert (second.account_id, second.priority) == (BOB.id, POLL)


@pytest.mark.parametrize(("hasty", "patient"), [(CLICK, POLL), (CLICK, BACKFILL), (POLL, BACKFILL)])
async def test_urgent_goes_first_up_to_a_point(db: Database, hasty: int, patient: int) -> None:
    """The more urgent is first until the other has waited for longer than its handicap."""
    handicap_s = BEHIND_S[patient] - BEHIND_S[hasty]
    for waited_s, expected in ((handicap_s - 1, ALICE.id), (handicap_s + 1, BOB.id)):
        await waits(db, ALICE.id, NOW, hasty)
        await waits(db, BOB.id, NOW - waited_s, patient)
        async with db.read() as conn:
            is_hasty = await leases.most_urgent(conn, NOW) == hasty
        claimed = await served(db, "worker")
        assert (claimed.account_id, is_hasty) == (expected, expected == ALICE.id)
        await release(db, claimed, NOW + 9_999)


async def test_endless_backfill_holds_up_no_poll(db: Database) -> None:
    """Nine accounts that always have more to fetch, ten seconds a turn: a poll waits for one turn."""
    crowd = [Person(2000 + n, f"p{n}") for n in range(8)]
    for who in crowd:
        await connect(db, who)
    for account_id in (BOB.id, *(who.id for who in crowd)):
        await waits(db, account_id, NOW, BACKFILL)
    await waits(db, ALICE.id, NOW + 95, POLL)
    turns = []
    for now in range(NOW, NOW + 200, 10):
        claimed = await served(db, f"at {now}", now)
        turns.append(claimed.account_id)
        is_poll = claimed.account_id == ALICE.id
        await release(db, claimed, now + (9_999 if is_poll else 10), POLL if is_poll else BACKFILL)
    assert turns[10] == ALICE.id
    assert {turns.count(each) for each in set(turns) - {ALICE.id}} <= {2, 3}


async def test_endless_clicks_hold_up_no_poll(db: Database) -> None:
    """Bob clicks again during each of his passes, for ever: alice's poll has its turn within a minute."""
    await waits(db, ALICE.id, NOW, POLL)
    for now in range(NOW, NOW + 200, 5):
        await request(db, BOB.id, now=now)
        claimed = await served(db, f"at {now}", now)
        if claimed.account_id == ALICE.id:
            break
        await request(db, BOB.id, now=now + 1)
        await release(db, claimed, now + 9_999)
    assert claimed.account_id == ALICE.id and now <= NOW + BEHIND_S[POLL] + 5


async def test_a_click_never_costs_a_place(db: Database) -> None:
    """Who has waited long and then clicks is not sent to the end of the line."""
    await waits(db, ALICE.id, NOW - 500, POLL)
    await waits(db, BOB.id, NOW - 300, CLICK)
    await request(db, ALICE.id)
    assert (await served(db, "worker")).account_id == ALICE.id


async def test_asked_during_a_pass_another_follows(db: Database) -> None:
    """A click while the worker is busy is not forgotten when it gives the account back."""
    await waits(db, BOB.id, NOW + 9_999, POLL)
    await request(db, ALICE.id)
    claimed = await served(db, "worker")
    await request(db, ALICE.id, now=NOW + 5)
    await release(db, claimed, NOW + 3600, BACKFILL)
    again = await served(db, "worker", NOW + 6)
    assert (again.account_id, again.priority) == (ALICE.id, CLICK)


async def test_github_decides_who_may_ask(db: Database) -> None:
    """No click gets past GitHub's waiting time, nor past a token that is dead."""
    await request(db, ALICE.id, BOB.id)
    async with db.write() as conn:
        await waiting.wait_for_github(conn, ALICE.id, NOW + 100, {})
        await schedule.connection_state(conn, "print bob", "reconnect", "expired")
        await schedule.connection_state(conn, "print of an older token", "reconnect")
    assert await claim(db, "worker", NOW + 99) is None
    assert (await served(db, "worker", NOW + 100)).account_id == ALICE.id


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_takeover_waits_for_a_page_being_written(db: Database) -> None:
    """A page whose transaction began while the lease was held is written in whole before another begins."""
    await waits(db, BOB.id, NOW + 9_999, POLL)
    await request(db, ALICE.id)
    first = await served(db, "first")
    await lease_ends(db)
    async with db.write() as page:
        assert await leases.is_held_by(page, first)
        assert await claim(db, "second") is None
        # Neither a click nor a hint has to wait for the page.
        await asyncio.wait_for(request(db, ALICE.id), 60)
        taking = asyncio.create_task(take(db, "third"))
        await asyncio.sleep(0.2)
        assert not taking.done()
    assert (await taking) is not None
    async with db.write() as conn:
        assert not await leases.is_held_by(conn, first)


async def take(db: Database, name: str) -> Claim | None:
    async with db.write() as conn:
        return await leases.claim_account(conn, ALICE.id, name, NOW)


async def test_a_wait_that_a_wrong_clock_wrote_ends(db: Database) -> None:
    """A clock that was a day ahead leaves waits until tomorrow; once it is right, work goes on at once."""
    tomorrow = NOW + 86_400
    claimed = await claim(db, "w1", tomorrow)
    assert claimed is not None
    await release(db, claimed, tomorrow + 60)
    async with db.write() as conn:
        await waiting.wait_for_github(conn, claimed.account_id, tomorrow + 60, {})
        far = {"lease_until": leases.database_now() + 86_400, "leased_by": "dead", "walk_asked_at": tomorrow}
        await conn.execute(update(schedule_table).values(**far))
        assert await wrong_clocks.put_right(conn, NOW, 60) == 6
        assert await wrong_clocks.put_right(conn, NOW, 60) == 0
    given = [await claim(db, name, NOW) for name in ("w2", "w3", "w4")]
    assert {each.account_id for each in given if each} == {1001, 1002}


async def test_every_wait_that_is_given_stays(db: Database) -> None:
    """The longest one after failures, and GitHub's own, are no mistake of a clock."""
    claimed = await claim(db, "w1")
    assert claimed is not None
    async with db.write() as conn:
        due_at = plan.next_due_at(NOW, 60, failures=99)
        await leases.release(conn, claimed, due_at, failures=99)
        await waiting.wait_for_github(conn, claimed.account_id, NOW + 3_600, {})
        assert await wrong_clocks.put_right(conn, NOW, 60) == 0
