"""Which commits lack line counts, in both databases: whose first, what is shared, what is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import select, text, update

from trackeep.database import Database, upsert
from trackeep.model import Commit, LineCounts, Signature
from trackeep.store import line_counts, tables
from trackeep.store.history import save_commits
from trackeep.store.line_counts import Uncounted
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio
ALICE, BOB, MALLORY = 1001, 1002, 1005
ATLAS, SECRET = 1, 2
NOW, DAY = 1_795_500_000, 86_400


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """alice and bob follow both repositories, mallory lost access to the only one she follows."""
    db = await Database.open(database_url)
    pairs = [(who, where) for who in (ALICE, BOB) for where in (ATLAS, SECRET)] + [(MALLORY, ATLAS)]
    async with db.write() as conn:
        rows = [
            {"id": key, "node_id": f"R_{key}", "owner": "alice", "name": f"r{key}", "pushed_at": NOW - key}
            for key in (ATLAS, SECRET)
        ]
        await upsert(conn, tables.repository, rows, key=("id",))
        people = {ALICE: "alice", BOB: "bob", MALLORY: "mallory"}
        logins = [{"id": who, "login": login} for who, login in people.items()]
        await upsert(conn, tables.person, logins, key=("id",))
        await upsert(conn, tables.account, [{"id": who, "created_at": NOW} for who in people], key=("id",))
        mine = {"account_id": ALICE, "address": "Alice@x", "verified": True, "source": "github"}
        await upsert(conn, tables.account_email, [mine], key=("account_id", "address"))
        keys = [{"account_id": who, "repository_id": where} for who, where in pairs]
        follows = [{**key, "state": "tracked", "created_at": NOW} for key in keys]
        await upsert(conn, tables.follow, follows, key=("account_id", "repository_id"))
        proofs = [
            {**key, "state": "lost" if key["account_id"] == MALLORY else "granted", "checked_at": NOW}
            for key in keys
        ]
        await upsert(conn, tables.access, proofs, key=("account_id", "repository_id"))
    yield db
    await db.close()


def by(number: int, email: str = "bob@x", days_ago: int = 1) -> Commit:
    who = Signature("N", email, NOW - days_ago * DAY + number, 0)
    return Commit(f"{number:040x}", (), who, who, "Work")


def key(number: int, repository_id: int = ATLAS) -> Uncounted:
    return Uncounted(repository_id, f"R_{repository_id}", f"{number:040x}", "alice", f"r{repository_id}")


async def save(db: Database, *commits: Commit, repository_id: int = ATLAS) -> None:
    async with db.write() as conn:
        await save_commits(conn, repository_id, commits)


async def answer(db: Database, counted: Sequence[int], put_off: Sequence[int] = (), due_at: int = 0) -> None:
    counts = {key(number): LineCounts(number, 2, 3) for number in counted}
    async with db.write() as conn:
        await line_counts.save(conn, counts, {key(number): due_at for number in put_off})


async def remaining(db: Database, account_id: int = ALICE, now: int = NOW, limit: int = 99) -> list[str]:
    async with db.read() as conn:
        found = await line_counts.remaining(conn, account_id, now, limit=limit)
    return [each.sha.lstrip("0") for each in found]


async def test_own_first_then_recent_then_the_rest(db: Database) -> None:
    """Own ones by any spelling of a known address, newest first; recent ones of the one pushed last first."""
    await save(db, by(1, "alice@x", 400), by(2, "ALICE@X", 3), by(3), by(4, days_ago=99))
    await save(db, by(5, days_ago=2), repository_id=SECRET)
    async with db.read() as conn:
        own = await line_counts.own(conn, ALICE, limit=99)
        recent = await line_counts.recent(conn, ALICE, NOW - 90 * DAY, limit=99)
        assert await line_counts.own(conn, ALICE, limit=1) == own[:1]
    assert own == [key(2), key(1)]
    assert recent == [key(3), key(2), key(5, SECRET)]
    assert await remaining(db) == ["3", "2", "4", "1", "5"]
    assert await remaining(db, limit=2) == ["3", "2"]


async def test_what_one_follower_counted_is_counted_for_all(db: Database) -> None:
    """Nobody asks again, and a commit that arrives once more keeps its counts."""
    await save(db, by(1), by(2))
    await answer(db, [1, 2])
    await answer(db, [1, 2])
    await save(db, by(1), by(2))
    assert await remaining(db, ALICE) == await remaining(db, BOB) == []
    async with db.read() as conn:
        rows = await conn.execute(select(commit.c.additions, commit.c.deletions, commit.c.changed_files))
        assert sorted(map(tuple, rows)) == [(1, 2, 3), (2, 2, 3)]


async def test_what_github_does_not_know_is_left_alone(db: Database) -> None:
    """Until its time comes, and then only when nothing else is wanted; a count is never taken back."""
    await save(db, by(1), by(2), by(3))
    await answer(db, [3], put_off=[1, 3], due_at=NOW + 30 * DAY)
    assert await remaining(db) == ["2"]
    assert await remaining(db, now=NOW + 31 * DAY) == ["2"]
    await answer(db, [2])
    assert await remaining(db, now=NOW + 29 * DAY) == []
    assert await remaining(db, now=NOW + 31 * DAY) == ["1"]


async def test_only_where_the_token_may_read(db: Database) -> None:
    """Not for somebody who lost access, nor for a stranger, nor for a repository that is paused."""
    await save(db, by(1), by(2, "mallory@x"))
    async with db.write() as conn:
        mine = {"account_id": MALLORY, "address": "mallory@x", "verified": True, "source": "github"}
        await upsert(conn, tables.account_email, [mine], key=("account_id", "address"))
        assert await line_counts.own(conn, MALLORY, limit=9) == []
    assert await remaining(db, MALLORY) == await remaining(db, 999) == []
    async with db.write() as conn:
        await conn.execute(update(tables.follow).values(state="paused"))
    assert await remaining(db) == []


async def test_files_may_stay_unknown(db: Database) -> None:
    """A difference too large to count its files is counted nevertheless."""
    await save(db, by(1))
    async with db.write() as conn:
        await line_counts.save(conn, {key(1): LineCounts(5_000_000, 0, None)}, {})
        row = (await conn.execute(select(commit.c.additions, commit.c.changed_files))).one()
    assert tuple(row) == (5_000_000, None) and await remaining(db) == []


async def test_workers_that_count_the_same_do_not_block_each_other(db: Database) -> None:
    """Two followers' answers in opposite order, and git's flags of the same commits beside them."""
    for where in (ATLAS, SECRET):
        await save(db, *(by(number) for number in range(1, 60)), repository_id=where)

    async def write(order: Sequence[int]) -> None:
        keys = [key(number, where) for where in (ATLAS, SECRET)[:: order[0] - order[1]] for number in order]
        async with db.write() as conn:
            await line_counts.save(conn, {each: LineCounts(1, 1, 1) for each in keys}, {})

    forwards = range(1, 60)
    await asyncio.gather(*(write(order) for _ in range(4) for order in (forwards, forwards[::-1])))
    assert await remaining(db) == []


async def test_the_index_is_used(db: Database) -> None:
    """However many commits are counted, only those that are not are looked at."""
    async with db.write() as conn:
        await save_commits(conn, ATLAS, [by(number) for number in range(1, 2_001)])
        await conn.execute(update(commit).values(additions=1, deletions=0, changed_files=1))
        await conn.execute(text("analyze"))
    ask = 'select sha from "commit" where repository_id = 1 and additions is null and counts_due_at = 0'
    ask += " order by counts_due_at desc, committed_at desc limit 10"
    async with db.read() as conn:
        if db.is_sqlite:
            plan = [row[-1] for row in await conn.execute(text(f"explain query plan {ask}"))]
        else:
            await conn.execute(text("set local enable_seqscan = off"))
            plan = list(await conn.scalars(text(f"explain {ask}")))
    assert "ix_commit_uncounted" in " ".join(plan)
