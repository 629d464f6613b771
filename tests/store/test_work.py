"""What one person did is counted by hand in the small world, on both databases."""

from __future__ import annotations

from datetime import date

import pytest
from small_world import BOB, at, fill, reader

from trackeep.database import Database
from trackeep.metrics.windows import Window
from trackeep.store import following, reports_pull, reports_repositories, reports_work
from trackeep.store.reports_work import Done, Wanted

pytestmark = pytest.mark.anyio
NOVEMBER = Window(at("2026-11-01 00:00"), at("2026-12-01 00:00"))


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def test_days_are_those_of_the_reader(db: Database) -> None:
    """Merges, other branches, other people and last month are left out; a copy in a fork counts once."""
    async with db.read() as conn:
        found = await reports_work.done(conn, reader(), NOVEMBER, Wanted())
    counted = {(one.repository, one.day, one.kind): one.count for one in found}
    assert counted == {
        ("heron", date(2026, 11, 19), "commit"): 1,
        ("atlas", date(2026, 11, 20), "commit"): 1,
        ("atlas", date(2026, 11, 21), "commit"): 1,
        ("atlas", date(2026, 11, 22), "commit"): 1,
        ("atlas", date(2026, 11, 18), "opened"): 1,
        ("atlas", date(2026, 11, 19), "opened"): 1,
        ("atlas", date(2026, 11, 21), "opened"): 4,
        ("atlas", date(2026, 11, 18), "merged"): 1,
        ("atlas", date(2026, 11, 20), "merged"): 1,
        ("atlas", date(2026, 11, 20), "review"): 2,
        ("atlas", date(2026, 11, 21), "review"): 1,
        ("atlas", date(2026, 11, 22), "issue"): 1,
    }
    assert {one.measured for one in found} == {0}


async def test_one_repository_alone(db: Database) -> None:
    """The fork by itself has both of its commits; a repository that is not mine to read has nothing."""
    async with db.read() as conn:
        here = await reports_work.done(conn, reader(), NOVEMBER, Wanted(("alice", "heron")))
        none = await reports_work.done(conn, reader(), NOVEMBER, Wanted(("bob", "secret-plan")))
    assert [(one.day, one.count) for one in here if isinstance(one, Done)] == [
        (date(2026, 11, 19), 1),
        (date(2026, 11, 20), 1),
    ]
    assert none == ()


async def test_one_pull_request_with_its_reviews(db: Database) -> None:
    """Whatever its state; its reviews in their order; nothing of a number that is none."""
    async with db.read() as conn:
        found = await reports_pull.find(conn, reader(), "fernhill", "atlas", 9)
        assert await reports_pull.find(conn, reader(), "fernhill", "atlas", 99) is None
        assert await reports_pull.find(conn, reader(BOB), "fernhill", "none", 9) is None
    assert found is not None
    assert (found.title, found.state, found.author) == ("Pull 9", "closed", "bob")
    assert [(one.login, one.state) for one in found.reviews] == [
        ("alice", "APPROVED"),
        ("alice", "COMMENTED"),
    ]


async def test_a_paused_repository_goes_on_when_it_is_resumed(db: Database) -> None:
    """Paused and resumed by the same person; nobody else's choice changes."""
    async with db.read() as conn:
        before = {
            row.id: row.follow_state for row in await reports_repositories.table(conn, reader(), NOVEMBER)
        }
    place = min(before)
    for change, state in (("pause", "paused"), ("resume", "tracked")):
        async with db.write() as conn:
            if change == "pause":
                await following.pause(conn, reader().account_id, [place])
            else:
                await following.resume(conn, reader().account_id, [place], reader().now)
        async with db.read() as conn:
            rows = await reports_repositories.table(conn, reader(), NOVEMBER)
        assert {row.id: row.follow_state for row in rows} == {**before, place: state}
