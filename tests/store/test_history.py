"""Commits in both databases: once, whole, and with the people behind their addresses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from trackeep.database import Database, upsert
from trackeep.github.gitobjects import parse_commit
from trackeep.model import CoAuthor, Commit, Signature
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.history import (
    commits_to_have,
    identify,
    missing_commits,
    older_commits_to_have,
    save_commits,
)

pytestmark = pytest.mark.anyio
ALICE = Signature("Alice", "1001+alice@users.noreply.github.com", 1_700_000_000, 120)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = await Database.open(database_url)
    async with db.write() as conn:
        rows = [{"id": number, "owner": "alice", "name": f"r{number}"} for number in (1, 2)]
        await upsert(conn, tables.repository, rows, key=("id",))
    yield db
    await db.close()


def commit(number: int, *parents: int, at: int = 0, **more: Any) -> Commit:
    who = replace(ALICE, at=at or 1_700_000_000 + number)
    base = Commit(f"{number:040x}", tuple(f"{each:040x}" for each in parents), who, who, f"Work {number}")
    return replace(base, **more)


async def rows_of(db: Database, table: Any) -> list[dict[str, Any]]:
    async with db.read() as conn:
        return [dict(row) for row in (await conn.execute(select(table))).mappings()]


async def test_a_commit_is_stored_as_it_is(db: Database) -> None:
    """Every field comes back, both instants with their own offsets, and co-authors beside it."""
    bob = Signature("Zoë", "bob@x", -2_208_988_800, -480)
    helpers = (CoAuthor("Carol", "carol@x"), CoAuthor("", "dave@x"))
    odd = commit(3, 1, 2, committer=bob, message="S\n\n\ufffd", signed=True, co_authors=helpers)
    async with db.write() as conn:
        await save_commits(conn, 1, [commit(1), commit(2), odd], on_default={odd.sha})
    row = next(row for row in await rows_of(db, fetched.commit) if row["sha"] == odd.sha)
    assert row["parents"].split() == list(odd.parents) and row["parent_count"] == 2
    assert (row["author_name"], row["author_offset_minutes"]) == ("Alice", 120)
    assert (row["committed_at"], row["committer_offset_minutes"]) == (-2_208_988_800, -480)
    assert (row["message"], row["signed"], row["reachable"], row["on_default"]) == (
        odd.message,
        True,
        False,
        True,
    )
    assert {(row["sha"], row["email"], row["name"]) for row in await rows_of(db, fetched.co_author)} == {
        (odd.sha, "carol@x", "Carol"),
        (odd.sha, "dave@x", ""),
    }


async def test_the_same_page_twice_changes_nothing(db: Database) -> None:
    """A repeated, reordered or overlapping page adds only what is new, per repository."""
    page = [commit(1, co_authors=(CoAuthor("Bob", "bob@x"),)), commit(2, 1), commit(3, 2)]
    async with db.write() as conn:
        await save_commits(conn, 1, page[:2], reachable=True)
    once = await rows_of(db, fetched.commit)
    async with db.write() as conn:
        await save_commits(conn, 1, page[1::-1])
        await save_commits(conn, 1, [])
    assert await rows_of(db, fetched.commit) == once
    async with db.write() as conn:
        await save_commits(conn, 1, page)
        await save_commits(conn, 2, page)
    assert len(await rows_of(db, fetched.commit)) == 6 and len(await rows_of(db, fetched.co_author)) == 2


async def test_a_page_is_stored_whole_or_not_at_all(db: Database) -> None:
    """When the transaction of a page fails nothing of it stays, whichever way the rows went in."""
    for page in ([commit(1), commit(2)], [commit(2), commit(1), commit(3)]):
        with pytest.raises(ZeroDivisionError):
            async with db.write() as conn:
                await save_commits(conn, 1, page)
                raise ZeroDivisionError
        assert await rows_of(db, fetched.commit) == []
        assert await rows_of(db, fetched.identity) == []
    async with db.write() as conn:
        await save_commits(conn, 1, [commit(2)])
    with pytest.raises(ZeroDivisionError):
        async with db.write() as conn:
            await save_commits(conn, 1, [commit(1), commit(2)])
            raise ZeroDivisionError
    assert len(await rows_of(db, fetched.commit)) == 1


async def test_two_workers_with_the_same_page(db: Database) -> None:
    """Two people follow a repository for the first time at once: every commit is there once, no error."""

    async def store() -> None:
        for start in range(0, 3_000, 1_000):
            async with db.write() as conn:
                await save_commits(conn, 1, [commit(number) for number in range(start, start + 1_000)])

    await asyncio.gather(store(), store(), store())
    assert len(await rows_of(db, fetched.commit)) == 3_000


async def test_whatever_git_can_hold_fits(db: Database) -> None:
    """Bytes without sense, 5 MB of message, a very long address, 40,000 parents, years without end."""
    bodies = [
        b"",
        bytes(range(256)) * 9,
        b"author A <" + b"a" * 9_000 + b"> 99999999999999999999 +9999\n\n" + b"\0\xff" * 2_500_000,
        b"tree 0\n" + b"parent %b\n" % (b"1" * 40) * 40_000,
    ]
    odd = [parse_commit(f"{number:040x}", body) for number, body in enumerate(bodies)]
    async with db.write() as conn:
        await save_commits(conn, 1, odd)
    async with db.read() as conn:
        assert await conn.scalar(select(func.max(func.length(fetched.commit.c.message)))) == 5_000_000


PIECES = [
    *(b"author ", b"committer ", b"encoding ", b"gpgsig ", b"parent ", b"parent " + b"1" * 40, b"tree 1"),
    *(b"latin-1", b"utf-16", b"shift_jis", b"utf-7", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\0"),
    *(b"<", b">", b" ", b"\n", b"\n\n", b"-", b"1700000000 +0530", b"9" * 30, b"Co-authored-by: A <", b"a@x"),
    *("\u202e".encode(), "\ud7ff\ue000\uffff\U0010ffff".encode(), b"\x1b[1m", b"users.noreply.github.com"),
]


async def test_whatever_bytes_a_commit_has_both_databases_take_it(db: Database) -> None:
    """Two thousand commits of random pieces are stored and read back as they were parsed."""
    rng = random.Random("pieces")
    odd = [
        parse_commit(f"{number:040x}", b"".join(rng.choices(PIECES, k=rng.randrange(40))))
        for number in range(2_000)
    ]
    async with db.write() as conn:
        await save_commits(conn, 1, odd)
    stored = {row["sha"]: row for row in await rows_of(db, fetched.commit)}
    for each in odd:
        row = stored[each.sha]
        assert (row["message"], row["author_name"], row["committer_email"], row["authored_at"]) == (
            *(each.message, each.author.name, each.committer.email, each.author.at),
        )


async def test_noreply_addresses_name_their_account(db: Database) -> None:
    """The number is believed; a bare login only when GitHub told us exactly one account of that name."""
    people = [(1002, "Bob"), (1003, "carol"), (1004, "CAROL")]
    async with db.write() as conn:
        rows = [{"id": number, "login": login} for number, login in people]
        await upsert(conn, tables.person, rows, key=("id",))
        others = [
            "bob@users.noreply.github.com",
            "BOB@Users.NoReply.GitHub.com",
            "carol@users.noreply.github.com",
        ]
        odd = [
            "x+y@users.noreply.github.com",
            "9" * 30 + "+z@users.noreply.github.com",
            "1+a@x",
            "noreply@github.com",
        ]
        helpers = tuple(
            CoAuthor("", address) for address in [*others, *odd, "mallory@users.noreply.github.com"]
        )
        await save_commits(conn, 1, [commit(1, co_authors=helpers)])
    known = {row["email"]: row["person_id"] for row in await rows_of(db, fetched.identity)}
    assert known == {ALICE.email: 1001, others[0]: 1002, others[1]: 1002}
    assert {row["id"] for row in await rows_of(db, tables.person)} == {1002, 1003, 1004}


async def test_an_enterprise_server_has_its_own_noreply_host(db: Database) -> None:
    """Numbers of github.com mean nothing on another server, and what is known already stays."""
    own = "5+al@users.noreply.git.example"
    async with db.write() as conn:
        row = {"email": own, "person_id": 77, "source": "asked"}
        await upsert(conn, fetched.identity, [row], key=("email",))
        await identify(
            conn,
            [own, ALICE.email, "6+bo@users.noreply.git.example"],
            noreply_host="users.noreply.git.example",
        )
    known = {row["email"]: row["person_id"] for row in await rows_of(db, fetched.identity)}
    assert known == {own: 77, "6+bo@users.noreply.git.example": 6}


async def test_what_to_name_as_had(db: Database) -> None:
    """Tips and the rest each come newest first, heads before other commits; only what is stored."""
    page = [commit(1), commit(2, 1), commit(3, 2), commit(4, 2, at=9), commit(5)]
    async with db.write() as conn:
        await save_commits(conn, 1, page)
        await save_commits(conn, 2, [commit(7)])
    async with db.read() as conn:
        tips = [commit(each).sha for each in (1, 2, 7)]
        listed, others = await commits_to_have(conn, 1, tips)
        assert await missing_commits(conn, 1, [commit(5).sha, commit(7).sha]) == {commit(7).sha}
    assert [int(sha, 16) for sha in (*listed, *others)] == [2, 1, 5, 3, 4]


async def test_older_commits_to_name(db: Database) -> None:
    """Every 8,192nd commit by age and twice as far each time, so that no rewriting goes past all of them."""
    async with db.write() as conn:
        await save_commits(conn, 1, [commit(number) for number in range(1, 17_000)])
    async with db.read() as conn:
        older = await older_commits_to_have(conn, 1)
        assert await older_commits_to_have(conn, 2) == []
    assert [int(sha, 16) for sha in older] == [16_999 - 8_192, 16_999 - 16_384]
