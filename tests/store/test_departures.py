"""What is deleted is gone from every table there is, and what others read stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.store import activity, departures, schedule
from trackeep.store.schema import metadata
from trackeep.store.tables import account, allowed_person, person, repository
from trackeep.store.tables_fetched import walked
from trackeep.store.tables_revision import revision

pytestmark = pytest.mark.anyio

# Numbers that stand for nothing else, so that they can be looked for in every column.
LEAVER, OTHER, PLACE, SHARED = 910_000_001, 910_000_002, 920_000_001, 920_000_002
# Where the number of somebody who left may stand: who wrote what others read, and whom the owner lets in.
PUBLIC = {"author_id", "merged_by_id", "reviewer_id", "person_id"}
KEPT = {(allowed_person.name, "id"), (person.name, "id")}


def row_of(table: Table, account_id: int, repository_id: int) -> dict[str, Any]:
    """A row of `table` that belongs to this account and this repository, wherever it can."""
    values: dict[str, Any] = {}
    for column in table.columns:
        targets = {key.column.table.name for key in column.foreign_keys}
        if column.name == "repository_id" or "repository" in targets or table is repository:
            values[column.name] = repository_id
        elif column.name in ("account_id", "owner_id") or targets & {"account", "person"}:
            values[column.name] = account_id
        else:
            values[column.name] = _anything(column.type.python_type, account_id + repository_id)
    if table in (person, allowed_person):
        values["id"] = account_id
    if table is repository:
        values |= {column.name: _anything(column.type.python_type, 1) for column in table.columns}
        values["id"] = repository_id
    return values


def _anything(python: type, number: int) -> Any:
    # Small numbers fit into every column; texts and bytes are different for every row.
    return {str: f"x{number}", bytes: b"%d" % number, bool: True}.get(python, number % 1_000)


async def put(conn: AsyncConnection, *pairs: tuple[int, int]) -> None:
    """Every table gets a row for each of these pairs of an account and a repository."""
    for table in metadata.sorted_tables:
        seen = set()
        for pair in pairs:
            row = row_of(table, *pair)
            if table.name == "instance":
                row["id"] = 1
            key = tuple(row[column.name] for column in table.primary_key.columns)
            if key not in seen:
                await conn.execute(insert(table), [row])
            seen.add(key)


async def places_of(db: Database, number: int) -> set[tuple[str, str]]:
    """Every (table, column) in which the number stands."""
    found = set()
    async with db.read() as conn:
        for table in metadata.sorted_tables:
            for row in (await conn.execute(select(table))).mappings():
                found |= {(table.name, name) for name, value in row.items() if value == number}
    return found


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    async with database.write() as conn:
        await put(conn, (LEAVER, PLACE), (LEAVER, SHARED), (OTHER, SHARED))
    yield database
    await database.close()


async def test_a_forgotten_repository_is_in_no_table(db: Database) -> None:
    """After deleting a repository no row of any table has its number, and the other one is whole."""
    before = await places_of(db, SHARED)
    assert len(await places_of(db, PLACE)) > 15
    async with db.write() as conn:
        await departures.forget(conn, PLACE)
    assert await places_of(db, PLACE) == set()
    assert await places_of(db, SHARED) == before


async def test_nobody_who_left_is_in_any_table(db: Database) -> None:
    """After leaving, no row is the leaver's: what only they followed is gone, what others follow stays."""
    async with db.write() as conn:
        for repository_id in await departures.followed_by(conn, LEAVER):
            await departures.part(conn, LEAVER, repository_id)
        await departures.leave(conn, LEAVER)
    left = {place for place in await places_of(db, LEAVER) if place[1] not in PUBLIC}
    assert left <= KEPT
    assert await places_of(db, PLACE) == set()
    assert {("follow", "repository_id"), ("commit", "repository_id")} <= await places_of(db, SHARED)
    async with db.read() as conn:
        name = select(person.c.name, person.c.avatar_url).where(person.c.id == LEAVER)
        assert tuple((await conn.execute(name)).one()) == ("", "")
        # Their half of a history must not pass for a whole one.
        marks = (
            await conn.execute(select(walked.c.account_id).where(walked.c.repository_id == SHARED))
        ).all()
    assert {mark.account_id for mark in marks} == {0, OTHER}


async def test_the_last_follower_takes_what_was_fetched_along(db: Database) -> None:
    """Whoever unfollows what nobody else follows leaves the name alone, to be chosen again."""
    async with db.write() as conn:
        await schedule.unfollow_repositories(conn, LEAVER, [PLACE, SHARED])
    assert await places_of(db, PLACE) == {("repository", "id"), ("access", "repository_id")}
    assert ("commit", "repository_id") in await places_of(db, SHARED)


async def test_an_emptied_instance_is_empty(db: Database) -> None:
    """No table has a row, and the version of the tables and the revision are kept, so that it can go on."""
    async with db.write() as conn:
        await departures.empty(conn)
    async with db.read() as conn:
        for table in set(metadata.sorted_tables) - {revision}:
            assert (await conn.execute(select(table).limit(1))).first() is None, table.name
    assert await db.version() != ""


def test_every_table_of_a_repository_is_forgotten_with_it() -> None:
    """A new table with rows of repositories says in `activity` that they go with the last follower."""
    own = {table.name for table in metadata.sorted_tables if "repository_id" in table.columns}
    fetched = {table.name for table in activity.FETCHED}
    assert own == fetched | {"follow", "access", "cursor", "repository_tag"}
    assert account.name not in fetched
