"""Cursors stand with their rows, and what GitHub said about time and sameness is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from trackeep.database import Database
from trackeep.model import Budget, Email, Issue, Person, Repository
from trackeep.store import activity, people, schedule
from trackeep.store.people import Credential
from trackeep.store.schedule import Cursor, Progress
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
VAULT = Vault({b"0000": bytes(32)})
ALICE, BOB = Person(1001, "alice"), Person(1002, "bob")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    for who in (ALICE, BOB):
        async with database.write() as conn:
            await people.save_account(conn, who, [Email(f"{who.login}@example.org", verified=True)], NOW)
            credential = Credential("token", f"token of {who.login}", f"print {who.login}")
            await people.save_credential(conn, VAULT, who.id, credential, NOW)
    yield database
    await database.close()


async def test_cursor_stands_or_falls_with_its_rows(db: Database) -> None:
    """A transaction that fails takes the cursor back together with the rows it vouched for."""
    place = (7, "pulls")
    async with db.write() as conn:
        await schedule.advance(conn, ALICE.id, place, Cursor({"after": "a"}, items=3), NOW)
    with pytest.raises(RuntimeError):
        async with db.write() as conn:
            await schedule.advance(conn, ALICE.id, place, Cursor({"after": "b"}, items=9), NOW)
            raise RuntimeError
    async with db.read() as conn:
        assert await schedule.cursors(conn, ALICE.id) == {place: Cursor({"after": "a"}, items=3)}
        assert await schedule.cursors(conn, BOB.id) == {}


async def test_a_failure_keeps_where_it_stood(db: Database) -> None:
    """Failures are counted and wait; the position stays; a success forgets them."""
    place = (7, "issues")
    async with db.write() as conn:
        await schedule.fail(conn, ALICE.id, place, "broken", NOW + 60)
        await schedule.advance(conn, ALICE.id, place, Cursor({"next": "u"}), NOW)
        await schedule.fail(conn, ALICE.id, place, "broken", NOW + 60)
        await schedule.fail(conn, ALICE.id, place, "broken", NOW + 120)
        found = (await schedule.cursors(conn, ALICE.id))[place]
    assert (found.position, found.failures, found.due_at) == ({"next": "u"}, 2, NOW + 120)


async def test_validators_belong_to_a_token(db: Database) -> None:
    """Another token never sees them, and a newer URL of the same list replaces the older one."""
    async with db.write() as conn:
        await schedule.save_validator(conn, "a", "https://x/issues?since=1", "e1", NOW)
        await schedule.save_validator(conn, "a", "https://x/issues?since=2", "e2", NOW)
        await schedule.save_validator(conn, "a", "https://x/issues_100%", "e3", NOW)
        await schedule.save_validator(conn, "b", "https://x/issues?since=2", "e4", NOW)
        found = [await schedule.validators(conn, name) for name in ("a", "b", "c")]
    assert found == [
        {"https://x/issues?since=2": "e2", "https://x/issues_100%": "e3"},
        {"https://x/issues?since=2": "e4"},
        {},
    ]


async def test_budgets_survive(db: Database) -> None:
    """What GitHub said last is what a restart knows."""
    async with db.write() as conn:
        await schedule.save_budgets(conn, ALICE.id, [Budget("core", 5000, 4000, NOW, NOW)])
        await schedule.save_budgets(conn, ALICE.id, [Budget("core", 5000, 10, NOW + 9, NOW)])
        assert await schedule.budgets(conn, ALICE.id) == [Budget("core", 5000, 10, NOW + 9)]


async def test_runs_are_kept_in_number(db: Database) -> None:
    """An account keeps its newest runs, and another account's stay untouched."""
    async with db.write() as conn:
        other = await schedule.start_run(conn, BOB.id, "poll", NOW)
        ids = [
            await schedule.start_run(conn, ALICE.id, "poll", NOW + n) for n in range(schedule.KEPT_RUNS + 3)
        ]
        await schedule.finish_run(conn, ids[-1], {"outcome": "idle", "rest_requests": 2}, NOW)
        left = set((await conn.execute(schedule.run.select())).scalars())
    assert left == {other, *ids[3:]}


async def test_progress_counts_what_is_complete(db: Database) -> None:
    """Done is a repository with all three streams complete; names in work are shown."""
    repositories = [Repository(n, f"R{n}", "alice", f"r{n}") for n in (1, 2)]
    async with db.write() as conn:
        await activity.save_repositories(conn, repositories)
        await activity.grant_access(conn, ALICE.id, {1: "admin", 2: "pull"}, NOW)
        await schedule.follow_repositories(conn, ALICE.id, [1, 2], NOW)
        for stream in schedule.STREAMS:
            await schedule.advance(conn, ALICE.id, (1, stream), Cursor(complete=True, items=5), NOW)
        await schedule.begin(conn, ALICE.id, (2, "commits"), NOW)
        assert await schedule.progress(conn, ALICE.id) == Progress(1, 2, 5, ("alice/r2",))


async def test_last_follower_takes_the_rows_along(db: Database) -> None:
    """While somebody else follows, everything stays; after the last one nothing fetched is left."""
    async with db.write() as conn:
        await activity.save_repositories(conn, [Repository(1, "R1", "alice", "r1")])
        await activity.save_people(conn, [ALICE])
        await activity.save_issues(conn, 1, [Issue(5, 1, "title", "open", ALICE, NOW, NOW)])
        for who in (ALICE, BOB):
            await schedule.follow_repositories(conn, who.id, [1], NOW)
        await schedule.unfollow_repositories(conn, ALICE.id, [1])
        assert await activity.known_updates(conn, {1: [1]}) == {(1, 1): NOW}
        await schedule.unfollow_repositories(conn, BOB.id, [1])
        assert await activity.known_updates(conn, {1: [1]}) == {}


async def test_polls_that_found_nothing(db: Database) -> None:
    """The newest polls without a find, with what they cost; clicks and those that found something aside."""
    kinds = [("poll", "idle", 2, 2), ("click", "idle", 9, 0), ("poll", "done", 9, 0), ("poll", "idle", 2, 0)]
    async with db.write() as conn:
        for n, (trigger, outcome, asked, unchanged) in enumerate(kinds):
            number = await schedule.start_run(conn, ALICE.id, trigger, NOW + n)
            figures = {"outcome": outcome, "rest_requests": asked, "not_modified": unchanged}
            await schedule.finish_run(conn, number, figures, NOW + n)
        assert await schedule.idle_polls(conn, ALICE.id, 5) == [(2, 0), (2, 2)]
        assert await schedule.idle_polls(conn, ALICE.id, 1) == [(2, 0)]
