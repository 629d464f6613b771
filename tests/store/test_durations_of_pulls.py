"""What divides the time of pull requests, counted by hand on both databases."""

from __future__ import annotations

import pytest
from small_world import ALICE, ATLAS, BOT, at, fill, reader
from sqlalchemy import update

from trackeep.database import Database
from trackeep.metrics.windows import Window
from trackeep.store import reports_durations
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_durations import Wanted

pytestmark = pytest.mark.anyio

WINDOW = Window(at("2026-11-01 00:00"), at("2026-11-24 00:00"))


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def review(db: Database, number: int, author_id: int, when: str) -> None:
    row = {"repository_id": ATLAS, "number": number, "state": "APPROVED", "submitted_at": at(when)}
    async with db.write() as conn:
        await conn.execute(fetched.review.insert().values(**row, id=at(when), author_id=author_id))


async def test_the_first_review_is_somebody_elses(db: Database) -> None:
    """The author's own review and a bot's do not count; of the others the first one does."""
    await review(db, 1, ALICE, "2026-11-18 10:30")
    await review(db, 1, BOT, "2026-11-18 10:40")
    await review(db, 1, 2, "2026-11-18 13:00")
    await review(db, 1, 2, "2026-11-18 12:00")
    async with db.read() as conn:
        one, two = await reports_durations.passages(conn, reader(), WINDOW, Wanted())
    assert (one.created_at, one.first_review_at, one.merged_at) == (
        at("2026-11-18 10:00"),
        at("2026-11-18 12:00"),
        at("2026-11-18 14:00"),
    )
    assert (two.ready_at, two.first_review_at) == (at("2026-11-20 10:00"), None)


async def test_only_what_was_merged_in_the_window(db: Database) -> None:
    """October's is not November's; whose they are can be asked for by login, and by "me"."""
    async with db.read() as conn:
        october = Window(at("2026-10-01 00:00"), at("2026-11-01 00:00"))
        assert len(await reports_durations.passages(conn, reader(), october, Wanted())) == 1
        for author, count in (("me", 2), ("Alice", 2), ("bob", 0), ("nobody", 0)):
            found = await reports_durations.passages(conn, reader(), WINDOW, Wanted(author=author))
            assert len(found) == count, author


async def test_waiting_is_open_ready_and_unseen(db: Database) -> None:
    """A draft waits for nobody, and one that somebody else has looked at waits no more."""
    async with db.read() as conn:
        assert await reports_durations.waiting(conn, reader(), Wanted()) == 1
        assert await reports_durations.waiting(conn, reader(), Wanted(("fernhill", "atlas"), "bob")) == 0
    async with db.write() as conn:
        draft = (fetched.pull_request.c.number == 8) & (fetched.pull_request.c.repository_id == ATLAS)
        await conn.execute(update(fetched.pull_request).where(draft).values(draft=True))
        assert await reports_durations.waiting(conn, reader(), Wanted()) == 0
