"""What GitHub tells is stored once, whatever the order and however often it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from trackeep.database import Database
from trackeep.model import Issue, Label, Person, PullRequest, Repository, Review, ReviewRequest
from trackeep.store import activity
from trackeep.store.tables import account, person, repository
from trackeep.store.tables_fetched import issue, pull_request, review, review_request

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
ALICE = Person(1001, "alice", "Alice Moreau")
BOB = Person(1002, "bob")
ALMANAC = Repository(7, "R7", "alice", "almanac", private=True, pushed_at=NOW)
PULL = PullRequest(
    id=1,
    node_id="P1",
    number=3,
    title="Fix the \0 tides",
    state="open",
    draft=False,
    author=BOB,
    base_ref="main",
    head_ref="fix",
    head_sha="a" * 40,
    created_at=NOW,
    updated_at=NOW + 10,
    labels=(Label("bug", "ff0000"),),
    reviews=(Review(11, ALICE, "COMMENTED", NOW + 5), Review(12, None, "APPROVED", NOW + 6)),
    review_requests=(ReviewRequest(person=ALICE, requested_at=NOW + 1), ReviewRequest(team="fernhill/crew")),
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    async with database.write() as conn:
        await activity.save_repositories(conn, [ALMANAC])
    yield database
    await database.close()


async def rows(db: Database, table: Any) -> list[Any]:
    async with db.read() as conn:
        return list(await conn.execute(select(table).order_by(*table.primary_key.columns)))


async def save(db: Database, *pulls: PullRequest, detailed_at: int | None = None) -> None:
    async with db.write() as conn:
        await activity.save_people(conn, activity.people_in(pulls))
        await activity.save_pulls(conn, ALMANAC.id, pulls, detailed_at=detailed_at)


async def test_the_same_page_twice_changes_nothing(db: Database) -> None:
    """A page that is stored again leaves every table as it was."""
    tables = (person, pull_request, review, review_request)
    await save(db, PULL, replace(PULL, number=4, id=2, reviews=()))
    before = [await rows(db, table) for table in tables]
    await save(db, replace(PULL, number=4, id=2, reviews=()), PULL)
    assert [await rows(db, table) for table in tables] == before


async def test_reviews_and_requests_are_what_github_shows(db: Database) -> None:
    """One that GitHub shows no more goes; a known time of asking stays when a list does not tell it."""
    await save(db, PULL)
    asked = ReviewRequest(person=ALICE)
    await save(db, replace(PULL, reviews=PULL.reviews[:1], review_requests=(asked,)))
    assert [each.id for each in await rows(db, review)] == [11]
    assert [(each.reviewer_id, each.requested_at) for each in await rows(db, review_request)] == [
        (ALICE.id, NOW + 1)
    ]


async def test_lists_do_not_erase_details(db: Database) -> None:
    """Checks, threads and ready time stay when a list without them comes later."""
    await save(db, replace(PULL, checks="SUCCESS", unresolved_threads=2, ready_at=NOW), detailed_at=NOW + 20)
    await save(db, replace(PULL, title="New title", updated_at=NOW + 30))
    only = (await rows(db, pull_request))[0]
    assert (only.title, only.checks, only.unresolved_threads, only.detailed_at) == (
        *("New title", "SUCCESS"),
        *(2, NOW + 20),
    )


async def test_details_are_wanted_once(db: Database) -> None:
    """Open and recently merged ones without details, or changed since, are asked for; others are not."""
    old = replace(PULL, number=5, id=5, state="merged", merged_at=NOW - 200 * 86_400)
    fresh = replace(PULL, number=6, id=6, state="merged", merged_at=NOW - 86_400, updated_at=NOW + 5)
    await save(db, PULL, old, fresh)
    assert await wanted(db) == [(7, 3), (7, 6)]
    # GitHub's clock is ahead of ours here: details of this very state do not look old at once.
    await save(db, PULL, fresh, detailed_at=NOW - 3000)
    assert await wanted(db) == []
    assert await wanted(db, now=NOW + 400, is_watched=True) == [(7, 3)]
    assert await wanted(db, now=NOW + 3700) == [(7, 3)]


async def wanted(db: Database, now: int = NOW, is_watched: bool = False) -> list[tuple[int, int]]:
    async with db.read() as conn:
        return await activity.wanting_details(conn, ALICE.id, [ALMANAC.id], now, is_watched=is_watched)


async def test_a_renamed_repository_stays_itself(db: Database) -> None:
    """The number is the identity; former names are kept, and a name taken back is former no more."""
    async with db.write() as conn:
        await activity.save_repositories(conn, [replace(ALMANAC, name="tides")])
        await activity.save_repositories(conn, [replace(ALMANAC, owner="fernhill", name="tides")])
    only = (await rows(db, repository))[0]
    assert (only.id, only.owner, only.former_names) == (7, "fernhill", "alice/almanac alice/tides")
    async with db.write() as conn:
        await activity.save_repositories(conn, [ALMANAC])
    assert (await rows(db, repository))[0].former_names == "alice/tides fernhill/tides"


async def test_a_mention_without_a_name_erases_none(db: Database) -> None:
    """REST mentions people by login only; the name that GraphQL told stays, a new login is taken."""
    async with db.write() as conn:
        await activity.save_people(conn, [ALICE, None, BOB])
        await activity.save_people(conn, [Person(ALICE.id, "alice-m")])
    assert [(each.login, each.name) for each in await rows(db, person)] == [
        ("alice-m", "Alice Moreau"),
        ("bob", ""),
    ]


async def test_issues_are_updated_in_place(db: Database) -> None:
    """A closed issue is the same row; text that no database of ours can hold is replaced."""
    first = Issue(9, 2, "Wind\0mill", "open", ALICE, NOW, NOW, labels=(Label("help wanted"),))
    async with db.write() as conn:
        await activity.save_people(conn, [first.author])
        await activity.save_issues(conn, ALMANAC.id, [first])
        await activity.save_issues(conn, ALMANAC.id, [replace(first, state="closed", updated_at=NOW + 1)])
        assert await activity.known_updates(conn, {ALMANAC.id: [2, 3]}) == {(7, 2): NOW + 1}
    assert [(each.title, each.state) for each in await rows(db, issue)] == [("Wind\ufffdmill", "closed")]


async def test_access_is_granted_renewed_and_lost(db: Database) -> None:
    """Proof carries its time; what is lost is not renewed by a list that did not show it."""
    async with db.write() as conn:
        await activity.save_people(conn, [ALICE])
        await conn.execute(account.insert().values(id=ALICE.id, created_at=NOW))
        await activity.grant_access(conn, ALICE.id, {7: "admin"}, NOW)
        await activity.renew_access(conn, ALICE.id, [7], NOW + 7200)
        assert await activity.granted_ids(conn, ALICE.id) == {7}
        await activity.lose_access(conn, ALICE.id, [7], NOW + 7300)
        await activity.renew_access(conn, ALICE.id, [7], NOW + 14_400)
        assert await activity.granted_ids(conn, ALICE.id) == set()
