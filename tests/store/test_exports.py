"""A copy of one's own data holds what the pages would show, and not one row more."""

from __future__ import annotations

from typing import Any

import pytest
from small_world import ALICE, ATLAS, BOB, MALLORY, NOW, SECRET, fill, reader
from sqlalchemy import update

from trackeep.database import Database
from trackeep.store import exports
from trackeep.store.reports_access import Reader
from trackeep.store.tables import access, account, connection, repository, session
from trackeep.store.tables_fetched import review_request

pytestmark = pytest.mark.anyio
DAY_S = 86_400


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def copied(db: Database, who: Reader) -> dict[str, list[dict[str, Any]]]:
    async with db.read() as conn:
        return {
            table.name: [row async for block in exports.rows(conn, who, table) for row in block]
            for table in exports.EXPORTED
        }


async def test_a_private_repository_is_copied_only_while_access_is_proved(db: Database) -> None:
    """bob's private repository is in his copy for a day after GitHub last let him in, never in alice's."""

    async def has_secret(who: Reader) -> bool:
        copy = await copied(db, who)
        return SECRET in {row["id"] for row in copy["repository"]} or "secret" in str(copy)

    assert await has_secret(reader(BOB))
    assert await has_secret(reader(BOB, now=NOW + DAY_S))
    assert not await has_secret(reader(BOB, now=NOW + DAY_S + 1))
    assert not await has_secret(reader(ALICE))


async def test_somebody_without_access_gets_nothing_but_their_own_name(db: Database) -> None:
    """mallory may read nothing: her copy has one row, herself."""
    copy = await copied(db, reader(MALLORY))
    assert [row["login"] for row in copy.pop("person")] == ["mallory"]
    assert not any(copy.values())


async def test_a_name_of_the_past_is_not_copied(db: Database) -> None:
    """What was called otherwise before alice could read it is in her copy by its present name alone."""
    async with db.write() as conn:
        await conn.execute(update(repository).values(former_names="fernhill/takeover-of-heron"))
    copy = await copied(db, reader(ALICE))
    assert copy["repository"] and "takeover" not in str(copy)
    assert list(copy["repository"][0]) == repository.columns.keys()


async def test_teams_are_named_to_those_who_may_more_than_read(db: Database) -> None:
    """Another follower's token has read the name of a team: it is not in the copy of an outsider."""
    crew = {"repository_id": ATLAS, "number": 1, "reviewer_id": 0, "team": "fernhill/crew"}
    async with db.write() as conn:
        await conn.execute(review_request.insert().values(crew))
        for who, permission in ((ALICE, "triage"), (BOB, "pull")):
            this = (access.c.account_id == who) & (access.c.repository_id == ATLAS)
            await conn.execute(update(access).where(this).values(permission=permission))
    assert "fernhill/crew" in str(await copied(db, reader(ALICE)))
    assert "fernhill/crew" not in str(await copied(db, reader(BOB)))


def test_nothing_about_accounts_is_ever_copied() -> None:
    """Sessions, sealed tokens and settings are in no copy at all."""
    assert repository in exports.EXPORTED
    assert not {account, connection, session} & set(exports.EXPORTED)
