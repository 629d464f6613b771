"""Branches as the lists show them: views, pages, distances that are kept until one of both commits moves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY, NOW, at, fill, reader
from sqlalchemy import delete, func, select, update

from trackeep.database import Database
from trackeep.metrics.windows import Window
from trackeep.store import distances, reports_branches, reports_listing
from trackeep.store import tables_fetched as fetched
from trackeep.store.distances import Distance
from trackeep.store.reports_branches import VIEWS, BranchRow, Wanted
from trackeep.store.reports_listing import Listing
from trackeep.store.tables import repository
from trackeep.store.tables_branches import branch_distance

pytestmark = pytest.mark.anyio
ATLAS_NAME = ("fernhill", "atlas")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    try:
        await fill(database)
        async with database.write() as conn:
            await conn.execute(fetched.ref.insert(), BRANCHES)
            await conn.execute(fetched.pull_request.insert(), PULLS)
            old = fetched.commit.c.sha == "a9"
            await conn.execute(
                update(fetched.commit)
                .where(old)
                .values(on_default=False, committed_at=at("2026-06-01 10:00"))
            )
        yield database
    finally:
        await database.close()


def a_ref(name: str, sha: str, place: int = ATLAS) -> dict[str, object]:
    where = {"repository_id": place, "name": f"refs/heads/{name}", "sha": sha, "commit_sha": sha}
    return {**where, "first_seen_at": NOW, "moved_at": NOW}


# topic (a8) is alice's and active, forgotten (a9) is alice's and stale, done (a5) is on main, squashed (a8)
# is what pull request 31 merged, reused (a8) has moved on since pull request 32 was merged.
BRANCHES = [
    a_ref("forgotten", "a9"),
    a_ref("done", "a5"),
    a_ref("squashed", "a8"),
    a_ref("reused", "a8"),
    a_ref("lost", "nowhere"),
]
PULLS = [
    {
        "repository_id": ATLAS,
        "number": number,
        "title": branch,
        "state": "merged",
        "author_id": ALICE,
        "head_ref": branch,
        "head_sha": head,
        "created_at": NOW - 900,
        "updated_at": NOW - 600,
        "merged_at": NOW - 600,
    }
    for number, branch, head in ((31, "squashed", "a8"), (32, "reused", "before"))
]


async def listed(db: Database, wanted: Wanted, account_id: int = ALICE) -> tuple[BranchRow, ...]:
    async with db.read() as conn:
        return await reports_branches.branches(conn, reader(account_id), wanted)


async def names(db: Database, view: str, repository: tuple[str, str] | None = ATLAS_NAME) -> list[str]:
    return [row.name for row in await listed(db, Wanted(view, repository))]


async def test_each_view_has_its_branches(db: Database) -> None:
    """Default, yours, active, stale and merged are what was laid out; all has every one, the newest first."""
    assert await names(db, "default") == ["main"]
    assert await names(db, "yours") == ["reused", "squashed", "topic", "forgotten"]
    assert await names(db, "active") == ["reused", "topic", "lost"]
    assert await names(db, "stale") == ["forgotten"]
    assert await names(db, "merged") == ["squashed", "done"]
    every = await names(db, "all")
    assert every == ["reused", "squashed", "topic", "done", "main", "forgotten", "lost"]


async def test_views_and_states_agree(db: Database) -> None:
    """Each row of a view is in the state that the view is called after."""
    for view in set(VIEWS) - {"yours", "all"}:
        for row in await listed(db, Wanted(view)):
            assert row.state(NOW) == view, row


async def test_the_table_of_repositories_counts_the_same_stale_ones(db: Database) -> None:
    """A branch that went on after its pull request was merged is no merged one, there as here."""
    went_on = {**PULLS[1], "number": 33, "head_ref": "forgotten"}
    async with db.write() as conn:
        await conn.execute(fetched.pull_request.insert(), went_on)
    async with db.read() as conn:
        page = await reports_listing.listed(conn, reader(), Window(0, NOW), Listing())
    assert {row.name: row.stale_branches for row in page.rows} == {"atlas": 1, "heron": 0}
    assert await names(db, "stale") == ["forgotten"]


async def test_a_list_by_name_begins_with_the_default_branch(db: Database) -> None:
    """Page by page the default branch, then the others by name, each once."""
    seen: list[str] = []
    wanted = Wanted(repository=ATLAS, by_name=True)
    while True:
        async with db.read() as conn:
            rows = await reports_branches.branches(conn, reader(), wanted, limit=1)
        seen += [row.name for row in rows[:1]]
        if len(rows) == 1:
            break
        wanted = Wanted(repository=ATLAS, by_name=True, after=rows[0].name_key)
    assert seen == ["main", *sorted(["done", "forgotten", "lost", "reused", "squashed", "topic"])]
    assert await listed(db, wanted, MALLORY) == ()


async def test_all_followed_repositories_together(db: Database) -> None:
    """Without a repository the branches of everything followed come, and of nothing else."""
    rows = await listed(db, Wanted())
    assert {row.repository_id for row in rows} == {ATLAS, HERON}
    assert await listed(db, Wanted(), MALLORY) == ()
    assert {row.full_name for row in await listed(db, Wanted(), BOB)} == {"fernhill/atlas"}


async def test_words_are_words(db: Database) -> None:
    """A name is found by its parts, and a sign of the database's own is only a sign."""
    assert [row.name for row in await listed(db, Wanted(words="FORGOT ten"))] == ["forgotten"]
    assert await listed(db, Wanted(words="%")) == ()


async def test_pages_hold_every_branch_once(db: Database) -> None:
    """Two at a time give the same list as all at once, also where times are equal."""
    whole = [row.key for row in await listed(db, Wanted())]
    seen: list[object] = []
    wanted = Wanted()
    while True:
        async with db.read() as conn:
            rows = await reports_branches.branches(conn, reader(), wanted, limit=2)
        seen += [row.key for row in rows[:2]]
        if len(rows) <= 2:
            break
        wanted = Wanted(after=rows[1].key)
    assert seen == whole
    assert len(set(whole)) == len(whole) == 8


async def test_a_distance_is_kept_for_two_commits(db: Database) -> None:
    """It is there until one of both moves; another default commit drops those of the one before."""
    async with db.write() as conn:
        await distances.save(conn, ATLAS, "a5", {"a8": Distance(1, 4)})
    found = {row.name: row.distance for row in await listed(db, Wanted("all", ATLAS_NAME))}
    assert found["topic"] == found["reused"] == Distance(1, 4)
    assert found["forgotten"] is None
    main = (fetched.ref.c.repository_id == ATLAS) & (fetched.ref.c.name == "refs/heads/main")
    async with db.write() as conn:
        await conn.execute(update(fetched.ref).where(main).values(commit_sha="a6"))
    assert {row.distance for row in await listed(db, Wanted("all", ATLAS_NAME))} == {None}
    async with db.write() as conn:
        await distances.save(conn, ATLAS, "a6", {"a8": Distance(1, 5)})
        kept = await conn.execute(select(branch_distance.c.base_sha, branch_distance.c.ahead))
    assert [tuple(row) for row in kept] == [("a6", 1)]


async def test_a_repository_that_is_gone_keeps_no_distance(db: Database) -> None:
    """Deleted while its branches were counted: nothing is written, nothing fails."""
    async with db.write() as conn:
        await conn.execute(delete(repository).where(repository.c.id == HERON))
        await distances.save(conn, HERON, "f1", {"f2": Distance(1, 1)})
        assert await conn.scalar(select(func.count()).select_from(branch_distance)) == 0


async def test_a_history_that_is_too_long_is_not_read(db: Database) -> None:
    """With fewer commits allowed than there are, none is read; with as many, all with their parents."""
    async with db.write() as conn:
        a2 = fetched.commit.c.sha == "a2"
        await conn.execute(update(fetched.commit).where(a2).values(parents="a1 a9"))
    async with db.read() as conn:
        short = await reports_branches.graph(conn, reader(), ATLAS, most=8)
        whole = await reports_branches.graph(conn, reader(), ATLAS, most=9)
        foreign = await reports_branches.graph(conn, reader(MALLORY), ATLAS)
    assert short.parents is None
    assert whole.parents is not None and len(whole.parents) == 9
    assert whole.parents["a2"] == ("a1", "a9")
    assert set(whole.tips) == {"a5", "a8", "a9", "nowhere"}
    assert (foreign.parents, foreign.tips) == ({}, ())
