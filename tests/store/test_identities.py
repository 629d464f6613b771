"""Addresses of commits in both databases: which are asked for, by which commit, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from trackeep.database import Database, upsert
from trackeep.model import Commit, Person, Signature
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.activity import forget_activity
from trackeep.store.history import NOREPLY_HOST, save_commits
from trackeep.store.identities import NOBODY_FOR_S, UNSEEN_FOR_S, put_off_unseen, samples, save_answers

pytestmark = pytest.mark.anyio
ALICE, BOB, MALLORY = Person(1001, "alice", "Alice"), Person(1002, "bob"), Person(1005, "mallory")
ATLAS, SECRET = 1, 2
NOW = 1_795_500_000


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """alice follows both repositories, mallory none that she may read."""
    db = await Database.open(database_url)
    pairs = [(ALICE.id, ATLAS), (ALICE.id, SECRET), (MALLORY.id, ATLAS)]
    async with db.write() as conn:
        rows = [{"id": key, "node_id": f"R_{key}", "owner": "alice", "name": f"r{key}"} for key in (1, 2)]
        await upsert(conn, tables.repository, rows, key=("id",))
        people = [{"id": who.id, "login": who.login} for who in (ALICE, MALLORY)]
        await upsert(conn, tables.person, people, key=("id",))
        accounts = [{"id": who.id, "created_at": NOW} for who in (ALICE, MALLORY)]
        await upsert(conn, tables.account, accounts, key=("id",))
        follows = [
            {"account_id": a, "repository_id": r, "state": "tracked", "created_at": NOW} for a, r in pairs
        ]
        await upsert(conn, tables.follow, follows, key=("account_id", "repository_id"))
        proofs = [
            {
                "account_id": a,
                "repository_id": r,
                "state": "granted" if a == ALICE.id else "lost",
                "checked_at": NOW,
            }
            for a, r in pairs
        ]
        await upsert(conn, tables.access, proofs, key=("account_id", "repository_id"))
    yield db
    await db.close()


def commit(number: int, author: str, committer: str = "") -> Commit:
    who = Signature("N", author, NOW + number, 0)
    return Commit(f"{number:040x}", (), who, replace(who, email=committer or author), "Work")


async def save(db: Database, repository_id: int, *commits: Commit) -> None:
    async with db.write() as conn:
        await save_commits(conn, repository_id, commits)


async def answer(db: Database, answers: dict[str, Person | None], now: int = NOW) -> None:
    async with db.write() as conn:
        await save_answers(conn, answers, now, noreply_host=NOREPLY_HOST)


async def wanted(db: Database, account_id: int = ALICE.id, now: int = NOW, limit: int = 100) -> set[str]:
    """The shas that GitHub would be asked for."""
    async with db.read() as conn:
        return {each.sha for each in await samples(conn, account_id, now, limit=limit)}


async def known(db: Database) -> dict[str, int]:
    async with db.read() as conn:
        rows: Any = await conn.execute(select(fetched.identity.c.email, fetched.identity.c.person_id))
        return {row.email: row.person_id for row in rows}


async def test_one_commit_stands_for_each_unknown_address(db: Database) -> None:
    """However many commits and repositories an address has, and whether it wrote or only committed."""
    bobs = [commit(number, "bob@x") for number in range(1, 9)]
    await save(
        db, ATLAS, *bobs, commit(9, "carol@x", "bob@x"), commit(10, "1001+alice@users.noreply.github.com")
    )
    await save(db, SECRET, *bobs)
    async with db.read() as conn:
        found = await samples(conn, ALICE.id, NOW, limit=100)
    assert {(each.node_id, each.author_email, each.committer_email) for each in found} == {
        ("R_1", "carol@x", "bob@x")
    }
    assert len(await wanted(db, limit=1)) == 1
    async with db.write() as conn:
        await forget_activity(conn, [ATLAS, SECRET])
        assert (await conn.execute(select(fetched.unclaimed_address))).all() == []


async def test_what_cannot_be_an_address_is_not_asked(db: Database) -> None:
    """Empty, without @ or longer than any address: GitHub knows nobody by it, and no index bursts."""
    odd = ["", "root", "a" * 9_000 + "@x", "\ufffd"]
    await save(db, ATLAS, *(commit(number, address) for number, address in enumerate(odd)))
    assert await wanted(db) == set()


async def test_only_with_a_token_that_may_read(db: Database) -> None:
    """Not for somebody whose access was lost, nor for a paused repository, nor for a stranger."""
    await save(db, ATLAS, commit(1, "bob@x"))
    assert await wanted(db) and not await wanted(db, MALLORY.id) and not await wanted(db, 999)
    async with db.write() as conn:
        await conn.execute(update(tables.follow).values(state="paused"))
    assert not await wanted(db)


async def test_an_answer_is_kept_for_ever(db: Database) -> None:
    """The person and all their addresses are there, and no later commit asks again."""
    await save(db, ATLAS, commit(1, "bob@x"), commit(2, "1002+bob@users.noreply.github.com"))
    assert len(await wanted(db)) == 2, "the number is known, the person is not"
    await answer(db, {"bob@x": BOB, "1002+bob@users.noreply.github.com": None})
    assert await known(db) == {
        "bob@x": 1002,
        "1002+bob@users.noreply.github.com": 1002,
        "bob@users.noreply.github.com": 1002,
    }
    await save(db, SECRET, commit(3, "bob@x"))
    assert await wanted(db, now=NOW + 400 * 86_400) == set()


async def test_nobodys_address_is_asked_again_after_a_month(db: Database) -> None:
    """Not before, in whatever repository it appears; then it may have become somebody's."""
    plain = "bob@users.noreply.github.com"
    await save(db, ATLAS, commit(1, "old@college"), commit(2, plain), commit(3, "bob@x"))
    await answer(db, {"old@college": None, plain: None, "bob@x": BOB})
    assert await known(db) == {"bob@x": 1002}, "GitHub itself said that nobody has the plain address"
    await save(db, SECRET, commit(4, "old@college"))
    assert await wanted(db, now=NOW + NOBODY_FOR_S - 1) == set()
    assert len(await wanted(db, now=NOW + NOBODY_FOR_S)) == 2
    await answer(db, {"old@college": ALICE, plain: None}, NOW + NOBODY_FOR_S)
    assert (await known(db))["old@college"] == 1001


async def test_a_commit_that_github_does_not_show(db: Database) -> None:
    """Another repository's commit is asked for instead, the same one a day later."""
    await save(db, ATLAS, commit(1, "bob@x"))
    await save(db, SECRET, commit(2, "bob@x"))
    async with db.write() as conn:
        await put_off_unseen(conn, await samples(conn, ALICE.id, NOW, limit=100), NOW)
    assert await wanted(db) == {commit(2, "").sha}
    assert await wanted(db, now=NOW + UNSEEN_FOR_S) == {commit(1, "").sha}


async def test_many_workers_with_the_same_answers(db: Database) -> None:
    """Accounts that share repositories ask and store at once: no row twice, and nobody waits for ever."""
    page = [commit(number, f"p{number}@x") for number in range(60)]
    answers = {f"p{n}@x": Person(2000 + n, f"p{n}") if n % 2 else None for n in range(60)}
    await save(db, ATLAS, *page[:40])
    backwards = dict(reversed(answers.items()))
    await asyncio.gather(
        answer(db, answers), answer(db, backwards), save(db, SECRET, *page[::-1]), save(db, ATLAS, *page)
    )
    await answer(db, answers)
    assert {email for email in await known(db) if email.endswith("@x")} == {
        f"p{n}@x" for n in range(1, 60, 2)
    }
    assert await wanted(db) == set()
