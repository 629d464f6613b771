"""The list of repositories: every order is paged without loss, every filter keeps what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY, NOW, SECRET, fill, reader
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.metrics.windows import Window
from trackeep.store import following, reports_listing, schedule, tables, tables_sync
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_listing import SORTS, ListedRepository, Listing

pytestmark = pytest.mark.anyio
MONTH = Window(NOW - 30 * 86_400, NOW)
DAY_S = 86_400


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def add(conn: AsyncConnection, number: int, **more: object) -> None:
    """A public repository that alice follows."""
    given = {"owner": "fernhill", "name": f"small-{number}", "default_branch": "main", **more}
    await conn.execute(tables.repository.insert().values(id=number, **given))
    mine = {"account_id": ALICE, "repository_id": number}
    await conn.execute(tables.follow.insert().values(**mine, state="tracked", created_at=NOW))
    await conn.execute(tables.access.insert().values(**mine, state="granted", checked_at=NOW))


async def add_many(db: Database) -> None:
    """Thirty with few different values, and nothing known of a third of them."""
    async with db.write() as conn:
        for number in range(100, 130):
            pushed_at = None if number % 3 == 0 else NOW - (number % 4) * DAY_S
            await add(conn, number, pushed_at=pushed_at)
            mine = {"account_id": ALICE, "repository_id": number, "stream": "commits"}
            if number % 5:
                succeeded_at = NOW - (number % 2) * 60
                items = number % 4
                await conn.execute(
                    tables_sync.cursor.insert().values(**mine, succeeded_at=succeeded_at, items=items)
                )
            for n in range(number % 3):
                pull = {"repository_id": number, "number": n, "state": "open", "updated_at": NOW}
                created_at = NOW - (number % 2) * DAY_S
                await conn.execute(fetched.pull_request.insert().values(**pull, created_at=created_at))


async def pages(db: Database, listing: Listing) -> list[list[ListedRepository]]:
    """All pages, each asked for by the key of the one before."""
    found = []
    async with db.read() as conn:
        while True:
            page = await reports_listing.listed(conn, reader(), MONTH, listing)
            found.append(list(page.rows))
            if page.next is None:
                return found
            listing = replace(listing, after=page.next)


async def names(db: Database, **listing: str) -> list[str]:
    return [row.name for page in await pages(db, Listing(**listing)) for row in page]  # type: ignore[arg-type]


@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
@pytest.mark.parametrize("sort", SORTS)
async def test_all_pages_together_are_the_whole_list(db: Database, sort: str, descending: bool) -> None:
    """Whatever it is sorted by, in either direction, with equal and with unknown values."""
    await add_many(db)
    whole = (await pages(db, Listing(sort=sort, descending=descending, limit=1000)))[0]
    parts = await pages(db, Listing(sort=sort, descending=descending, limit=3))
    assert [row.id for page in parts for row in page] == [row.id for row in whole]
    assert len(whole) == len({row.id for row in whole}) == 32
    assert all(len(page) == 3 for page in parts[:-1])
    values = [row.sorted_by for row in whole]
    known = [value for value in values if value is not None]
    assert values[: len(known)] == known, "what is not known comes last"
    assert known == sorted(known, reverse=descending)  # type: ignore[type-var]  # all of one kind


async def test_a_pass_between_two_pages_moves_nothing(db: Database) -> None:
    """Sorted by freshness, what is whole stays where it is though each look makes it fresher."""
    listing = Listing(sort="sync", descending=True, limit=1)
    async with db.write() as conn:
        await conn.execute(update(tables_sync.cursor).values(complete=True))
    async with db.read() as conn:
        first = await reports_listing.listed(conn, reader(), MONTH, listing)
    async with db.write() as conn:
        later = {"account_id": ALICE, "started_at": NOW - 5, "finished_at": NOW - 1, "outcome": "idle"}
        await conn.execute(tables_sync.run.insert().values(**later))
    async with db.read() as conn:
        second = await reports_listing.listed(conn, reader(), MONTH, replace(listing, after=first.next))
    assert [row.name for row in (*first.rows, *second.rows)] == ["atlas", "heron"]
    assert second.rows[0].synced_at == NOW - 1


async def test_what_a_row_says(db: Database) -> None:
    """Figures as counted by hand; a stale branch is neither the default one nor merged."""
    long_ago = NOW - 100 * DAY_S
    async with db.write() as conn:
        is_a8 = fetched.commit.c.sha == "a8"
        await conn.execute(update(fetched.commit).where(is_a8).values(committed_at=long_ago))
        await conn.execute(
            update(tables_sync.cursor).where(tables_sync.cursor.c.stream == "commits").values(items=10)
        )
        renamed = tables.repository.c.id == HERON
        await conn.execute(update(tables.repository).where(renamed).values(former_names="alice/egret"))
    rows = {row.name: row for row in (await pages(db, Listing()))[0]}
    atlas, heron = rows["atlas"], rows["heron"]
    assert (atlas.commits, atlas.open_pulls, atlas.branches, atlas.stale_branches) == (6, 5, 2, 1)
    assert (atlas.stored_bytes, atlas.is_whole, heron.is_whole) == (5_500, True, False)
    assert (heron.is_renamed, atlas.is_renamed, heron.fork) == (True, False, True)
    assert sum(atlas.weeks) == 7
    assert "egret" not in repr(rows), "a former name may be from before this person could read it"


async def test_filters(db: Database) -> None:
    """Words, owner, language, visibility, state and tag each keep what they name and nothing else."""
    async with db.write() as conn:
        await add(conn, 100, language="Zig", private=True)
        await add(conn, 101, archived=True)
        await following.pause(conn, ALICE, [101])
        await following.tag(conn, ALICE, [ATLAS, 100], "work")
        await following.hide(conn, ALICE, [HERON], hidden=True)
        await conn.execute(
            fetched.language.insert().values(repository_id=ATLAS, name="Zig", bytes=5, color="")
        )
        await schedule.fail(conn, ALICE, (ATLAS, "commits"), "broken", NOW)
    assert set(await names(db)) == {"atlas", "small-100", "small-101"}
    assert await names(db, words="ATL") == ["atlas"]
    assert await names(db, words="%") == []
    assert set(await names(db, owner="Fernhill")) == {"atlas", "small-100", "small-101"}
    assert set(await names(db, language="Zig")) == {"atlas", "small-100"}
    assert await names(db, visibility="private") == ["small-100"]
    assert set(await names(db, state="tracked")) == {"atlas", "small-100"}
    assert await names(db, state="paused") == await names(db, state="archived") == ["small-101"]
    assert await names(db, state="error") == ["atlas"]
    assert await names(db, state="hidden") == ["heron"]
    assert set(await names(db, tag="work")) == {"atlas", "small-100"}
    async with db.read() as conn:
        seen = await reports_listing.overview(conn, reader())
        both = [await reports_listing.listed(conn, reader(who), MONTH, Listing()) for who in (ALICE, BOB)]
    assert [page.tags for page in both] == [("work",), ()]
    assert (seen.total, seen.paused, seen.hidden, seen.archived, seen.failing) == (4, 1, 1, 1, 1)
    assert (seen.owners, seen.languages) == (("alice", "fernhill"), ("Zig",))


async def test_what_is_lost_keeps_the_name_it_had(db: Database) -> None:
    """It is listed apart, by the name this person was last given, and to nobody who did not follow."""
    async with db.write() as conn:
        mine = (tables.access.c.account_id == ALICE) & (tables.access.c.repository_id == ATLAS)
        gone = {"state": "lost", "checked_at": NOW - 60, "known_as": "fernhill/atlas"}
        await conn.execute(update(tables.access).where(mine).values(**gone))
        newer = tables.repository.c.id == ATLAS
        await conn.execute(update(tables.repository).where(newer).values(name="renamed-later"))
    async with db.read() as conn:
        (lost,) = await reports_listing.lost(conn, reader())
        assert (lost.id, lost.name, lost.lost_at) == (ATLAS, "fernhill/atlas", NOW - 60)
        assert await reports_listing.lost(conn, reader(BOB)) == ()
        found = await reports_listing.belongings(conn, reader(), [ATLAS, HERON, SECRET, 999])
        assert await reports_listing.belongings(conn, reader(MALLORY), [ATLAS, SECRET]) == ()
    assert [(each.name, each.is_lost, dict(each.rows)) for each in found] == [
        ("alice/heron", False, {"commits": 0, "pulls": 0, "issues": 0}),
        ("fernhill/atlas", True, {}),
    ]
    assert "renamed-later" not in repr(found)


async def test_what_may_be_added(db: Database) -> None:
    """Readable, not followed, pushed to within 90 days, not archived; where one may push comes first."""
    async with db.write() as conn:
        for number, pushed, permission in ((200, 1, "pull"), (201, 9, "push"), (202, 91, "push")):
            await add(conn, number, pushed_at=NOW - pushed * DAY_S)
            place = tables.access.c.repository_id == number
            await conn.execute(update(tables.access).where(place).values(permission=permission))
        await add(conn, 203, pushed_at=NOW, archived=True)
        await schedule.unfollow_repositories(conn, ALICE, [200, 201, 202, 203])
    async with db.read() as conn:
        found = await reports_listing.suggestions(conn, reader())
        assert await reports_listing.suggestions(conn, reader(MALLORY)) == ()
        assert await reports_listing.may_follow(conn, reader(), [200, SECRET, 999]) == {200}
    assert [each.name for each in found] == ["small-201", "small-200"]
