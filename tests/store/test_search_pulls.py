"""Searches of pull requests, counted by hand on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date

import pytest
from small_world import ALICE, ATLAS, BOB, BOT, MALLORY, NOW, at, fill, reader
from sqlalchemy import update

from trackeep.database import Database
from trackeep.store import reports_pulls, tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_pulls import Wanted
from trackeep.store.search_grammar import Query, parse
from trackeep.store.search_keys import PULLS

pytestmark = pytest.mark.anyio
TODAY = date(2026, 11, 23)
FOUND: tuple[tuple[str, set[int]], ...] = (
    ("is:open", {4, 5, 6, 7, 8}),
    ("is:open -is:draft", {4, 5, 6, 8}),
    ("is:merged", {1, 2, 3}),
    ("is:closed", {9}),
    ("is:stale", {4}),
    ("stale:no", {5, 6, 7, 8}),
    ("stale:60d", set()),
    ("author:bob", {4, 9}),
    ("author:ME is:merged", {1, 2, 3}),
    ("-author:me", {4, 9}),
    ("reviewer:bob", {5, 6, 8}),
    ("reviewed-by:bob", {5, 6}),
    ("reviewed-by:me", {4, 9}),
    ("reviewed-by:me reviewed:2026-11-21", {4}),
    ("involves:bob", {4, 5, 6, 8, 9}),
    ("review:approved", {6}),
    ("review:changes", {5}),
    ("is:open review:none", {7, 8}),
    ("repo:fernhill/atlas is:merged", {1, 2, 3}),
    ("repo:ATLAS is:closed", {9}),
    ("owner:alice", set()),
    ("author:bob author:alice is:merged", {1, 2, 3}),
    ("size:xs size:xl", {1, 2}),
    ("is:open is:merged", set()),
    ("label:later", {2}),
    ("is:merged -label:later", {1, 3}),
    ("head:quick base:main", {1}),
    ("size:xs", {1}),
    ("size:XL", {2}),
    ("size:XXL", set()),
    ("merged:2026-11-18", {1}),
    ("merged:2026-11-18..2026-11-20", {1, 2}),
    ("merged:..2026-10-31", {3}),
    ("created:2d", {4, 5, 6, 7, 8}),
    ("created:3d", {4, 5, 6, 7, 8, 9}),
    ("merged:5d", {1, 2}),
    ("merged:4d", {2}),
    ("merged:2026-10", {3}),
    ("-merged:2026-11 is:merged", {3}),
    ("closed:2026-11-21", {9}),
    ("sort:merged after:2026-11-18", {2}),
    ("sort:merged before:5d", {3}),
    ("sort:created since:2026-11-21 until:2026-11-21", {4, 5, 6, 7, 8}),
    ('"on 100%"', {4}),
    ("a_slow", {4}),
    ("a%slow", set()),
    ("pull -is:open", {1, 2, 3, 9}),
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    await fill(database)
    async with database.write() as conn:
        await _set(conn, 1, additions=4, deletions=4, head_ref="quick", base_ref="main")
        await _set(conn, 2, additions=400, deletions=200, labels=json.dumps([{"name": "Later", "color": ""}]))
        await _set(conn, 4, title="Retry on 100% of a_slow line", updated_at=NOW - 40 * 86_400)
    yield database
    await database.close()


async def _set(conn: object, number: int, **values: object) -> None:
    here = (fetched.pull_request.c.repository_id == ATLAS) & (fetched.pull_request.c.number == number)
    await conn.execute(update(fetched.pull_request).where(here).values(**values))  # type: ignore[attr-defined]


def read(text: str) -> Query:
    return parse(text, PULLS, TODAY)


async def numbers(db: Database, text: str, account_id: int = ALICE) -> list[int]:
    async with db.read() as conn:
        page = await reports_pulls.search(conn, reader(account_id), Wanted(words=text, query=read(text)))
    assert page.count == len(page.rows)
    return [row.number for row in page.rows]


async def test_what_a_search_finds(db: Database) -> None:
    """Each filter, alone and with others, finds the rows that a reader would pick by hand."""
    for text, found in FOUND:
        assert set(await numbers(db, text)) == found, text


async def test_the_order_that_is_asked_for(db: Database) -> None:
    """Newest first by the time that is named, or oldest first; pages follow each other without a gap."""
    assert await numbers(db, "is:merged sort:merged") == [2, 1, 3]
    assert await numbers(db, "is:merged sort:created-asc") == [3, 1, 2]
    for text in ("sort:created-asc", "sort:created", "sort:updated"):
        seen: list[int] = []
        wanted = Wanted(words=text, query=read(text))
        while True:
            async with db.read() as conn:
                page = await reports_pulls.search(conn, reader(), wanted, limit=2)
            seen += [row.number for row in page.rows]
            if page.after is None:
                break
            wanted = Wanted(words=text, query=read(text), after=page.after)
        assert sorted(seen) == list(range(1, 10)), text


async def test_bots_are_whom_the_reader_calls_so(db: Database) -> None:
    """By the mark in the login, and by the reader's own list."""
    async with db.write() as conn:
        await _set(conn, 9, author_id=BOT)
    assert await numbers(db, "is:bot") == [9]
    async with db.write() as conn:
        await conn.execute(tables.account_bot.insert().values(account_id=ALICE, login="bob"))
    assert set(await numbers(db, "is:bot")) == {4, 9}
    # bob's reviews are a bot's now, for alice alone.
    assert set(await numbers(db, "is:open review:none")) == {5, 6, 7, 8}
    assert set(await numbers(db, "is:open review:none", BOB)) == {7, 8}


async def test_another_account_of_mine_is_me(db: Database) -> None:
    """Who says that carol is theirs finds her pull requests as their own; nobody else does."""
    async with db.write() as conn:
        await _set(conn, 9, author_id=3)
        await conn.execute(tables.account_login.insert().values(account_id=ALICE, person_id=3))
    assert 9 in await numbers(db, "author:me")
    assert await numbers(db, "author:me", BOB) == [4]


async def test_a_search_finds_nothing_that_may_not_be_read(db: Database) -> None:
    """mallory follows nothing; naming the private repository finds nothing for alice, and all for bob."""
    key = {"repository_id": 12, "number": 1, "title": "secret", "state": "open", "author_id": BOB}
    async with db.write() as conn:
        row = {**key, "created_at": NOW, "updated_at": NOW}
        await conn.execute(fetched.pull_request.insert().values(row))
    for text in ("repo:bob/secret-plan", "secret", "author:bob secret", "-is:merged owner:bob"):
        assert await numbers(db, text) == []
        assert await numbers(db, text, MALLORY) == []
        assert await numbers(db, text, BOB) == [1]
    assert at("2026-11-23 12:00") == NOW
