"""Comments on lines of pull requests: all of them, counted in their reviews, and asked for only where new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store.tables import follow, person, repository
from trackeep.store.tables_fetched import review, review_comment
from trackeep.sync import comments
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, open_work

pytestmark = pytest.mark.anyio
NAME = "alice/almanac"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), names, clock=github.now)


async def recount(db: Database, github: Sandbox) -> None:
    """What the weekly comparison does."""
    async with aiohttp.ClientSession() as http:
        way = Way(http, github.addresses, github.token(), ("repo",), github.now)
        work = await open_work(db, github.person_id(), way, Wishes())
        async with db.write() as conn:
            await comments.recount(work, conn, github.repository(NAME)["id"])


def asked(github: Sandbox, mark: int) -> list[int]:
    """The status of every answer to a question for comments."""
    return [each["status"] for each in github.log(mark) if each["path"].endswith("/pulls/comments")]


def true_comments(github: Sandbox, name: str = NAME) -> set[Any]:
    return {
        (each["id"] * 100 + line, pull["number"], each["id"], each["author"], each["submitted_at"])
        for pull in github.repository(name)["pulls"]
        for each in pull["reviews"]
        for line in range(1, each["comments"] + 1)
    }


async def stored_comments(db: Database, repository_id: int) -> set[Any]:
    c = review_comment.c
    rows = select(c.id, c.number, c.review_id, person.c.login, c.updated_at).join(
        person, person.c.id == c.author_id
    )
    async with db.read() as conn:
        return {tuple(row) for row in await conn.execute(rows.where(c.repository_id == repository_id))}


async def is_right(db: Database, github: Sandbox, name: str = NAME) -> bool:
    """Every comment is stored, and every review knows how many it has."""
    true = github.repository(name)
    async with db.read() as conn:
        rows = select(review.c.id, review.c.comments).where(review.c.repository_id == true["id"])
        counts = {row.id: row.comments for row in await conn.execute(rows)}
    reviews = {each["id"]: each["comments"] for pull in true["pulls"] for each in pull["reviews"]}
    return counts == reviews and await stored_comments(db, true["id"]) == true_comments(github, name)


async def test_every_comment_of_every_repository(db: Database, sandbox: Program) -> None:
    """The first sync stores them all, a hundred for a request, and counts them in their reviews."""
    github = Sandbox(sandbox.url)
    await sync(db, github)
    async with db.read() as conn:
        rows = await conn.execute(select(repository.c.owner, repository.c.name).join(follow))
        followed = [f"{row.owner}/{row.name}" for row in rows]
    assert sum(len(true_comments(github, name)) for name in followed) > 100
    for name in followed:
        assert await is_right(db, github, name), name


async def test_new_comments_cost_one_request(db: Database, changing: Sandbox) -> None:
    """A review with comments brings them with it, where others were before too; then nothing is asked."""
    await sync(db, changing, NAME)
    changing.change(NAME, "open-pull", author="bob")
    mark = changing.mark()
    await sync(db, changing)
    assert asked(changing, mark) == [], "a change without threads has no comments"
    changing.change(NAME, "review", comments=3, state="COMMENTED")
    await sync(db, changing)
    assert asked(changing, mark) == [200] and await is_right(db, changing)
    await sync(db, changing)
    assert asked(changing, mark) == [200]


async def test_nothing_new_is_no_quota(db: Database, changing: Sandbox) -> None:
    """A pull request with threads that changes otherwise: the list is asked for, and soon answered by 304."""
    await sync(db, changing, NAME)
    changing.change(NAME, "open-pull", author="bob")
    changing.change(NAME, "review", comments=2, state="COMMENTED")
    await sync(db, changing)
    mark = changing.mark()
    for _ in range(3):
        changing.advance(60)
        changing.change(NAME, "review", state="APPROVED")
        await sync(db, changing)
    assert asked(changing, mark) == [200, 304, 304]
    assert await is_right(db, changing)


async def test_a_deleted_comment_goes_at_the_next_count(db: Database, changing: Sandbox) -> None:
    """Nothing tells that it is gone but the whole list; its review then has one less."""
    await sync(db, changing, NAME)
    changing.change(NAME, "open-pull", author="bob")
    changing.change(NAME, "review", comments=3, state="COMMENTED")
    await sync(db, changing)
    changing.change(NAME, "delete-comment")
    await sync(db, changing)
    assert not await is_right(db, changing)
    changing.advance(7 * 86_400)
    await recount(db, changing)
    await sync(db, changing)
    assert await is_right(db, changing)
