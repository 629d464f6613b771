"""Personal API tokens, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from small_world import ALICE, BOB, NOW, fill
from sqlalchemy import delete, select

from trackeep.database import Database
from trackeep.errors import UsageError
from trackeep.store import api_tokens, people
from trackeep.store.people import Admission
from trackeep.store.schema import metadata
from trackeep.store.tables import allowed_person
from trackeep.store.tables_tokens import api_token
from trackeep.store.token_text import token_of

pytestmark = pytest.mark.anyio

RULES = Admission()
DAY_S = 86_400
TEXT = token_of(bytes(range(32)))
WANTED = api_tokens.wanted("Night  job ", ["sync", "read"], 90, NOW)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    await fill(database)
    async with database.write() as conn:
        await api_tokens.create(conn, ALICE, TEXT, WANTED, NOW)
    yield database
    await database.close()


async def found(db: Database, text: str = TEXT, now: int = NOW) -> api_tokens.Bearer | None:
    async with db.read() as conn:
        return await api_tokens.find(conn, text, RULES, now)


async def test_a_token_opens_its_owners_door(db: Database) -> None:
    """Found by its text, with its scopes in their order and its name tidied."""
    bearer = await found(db)
    assert bearer is not None
    assert (bearer.who.account_id, bearer.who.login, bearer.who.time_zone) == (
        ALICE,
        "alice",
        "Europe/Prague",
    )
    assert (bearer.token.name, bearer.token.scopes) == ("Night job", ("read", "sync"))
    assert await found(db, token_of(bytes(32))) is None
    assert await found(db, "tk_") is None


async def test_only_a_hash_is_stored(db: Database) -> None:
    """Whoever copies the database can recognise a token, and cannot use it."""
    async with db.read() as conn:
        row = (await conn.execute(select(api_token))).one()
    assert TEXT[9:] not in repr(row)
    assert (len(row.token_hash), row.prefix) == (32, TEXT[:9])


async def test_a_token_ends_with_its_time(db: Database) -> None:
    """It opens until the second before its end; one without an end goes on."""
    forever = token_of(bytes(32))
    async with db.write() as conn:
        await api_tokens.create(conn, ALICE, forever, replace(WANTED, expires_at=None), NOW)
    assert await found(db, now=NOW + 90 * DAY_S - 1)
    assert await found(db, now=NOW + 90 * DAY_S) is None
    assert await found(db, forever, NOW + 9_000 * DAY_S)


async def test_who_may_not_come_has_no_token(db: Database) -> None:
    """Without permission to sign in it opens nothing; with the permission back, it does."""
    async with db.write() as conn:
        await conn.execute(delete(allowed_person).where(allowed_person.c.id == ALICE))
    assert await found(db) is None
    async with db.read() as conn:
        setting = Admission(users=frozenset({"alice"}))
        assert await api_tokens.find(conn, TEXT, setting, NOW) is None, "the name alone is not enough"


async def test_removal_ends_the_tokens(db: Database) -> None:
    """Whoever is shut out has no token left, not even after being allowed again."""
    async with db.write() as conn:
        assert await people.shut_out(conn, ALICE)
        assert await api_tokens.tokens_of(conn, ALICE) == ()


async def test_revoking_is_the_owners(db: Database) -> None:
    """Bob cannot end alice's token; she can, once."""
    async with db.write() as conn:
        (mine,) = await api_tokens.tokens_of(conn, ALICE)
        assert not await api_tokens.revoke(conn, BOB, mine.id)
        assert await api_tokens.revoke(conn, ALICE, mine.id)
        assert not await api_tokens.revoke(conn, ALICE, mine.id)
    assert await found(db) is None


async def test_use_is_noted_once_a_minute(db: Database) -> None:
    """The time and the address of a use; the next ones within a minute write nothing."""
    for later, address in ((0, "192.0.2.1"), (59, "192.0.2.2"), (60, "192.0.2.3"), (61, "192.0.2.4")):
        async with db.write() as conn:
            (token,) = await api_tokens.tokens_of(conn, ALICE)
            await api_tokens.touch(conn, token.id, address, NOW + later)
    async with db.read() as conn:
        (token,) = await api_tokens.tokens_of(conn, ALICE)
    assert (token.last_used_at, token.last_used_address) == (NOW + 60, "192.0.2.3")


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        *(("", ["read"], 1), (" ", ["read"], 1), ("x" * 101, ["read"], 1), ("a\x00b", ["read"], 1)),
        *(("x", [], 1), ("x", ["root"], 1), ("x", ["read"], 0), ("x", ["read"], 3_661)),
    ],
)
def test_what_makes_no_token(name: str, scopes: list[str], days: int) -> None:
    """No name, no or strange scopes, no time that can be meant."""
    with pytest.raises(UsageError):
        api_tokens.wanted(name, scopes, days, NOW)


async def test_there_is_an_end_to_how_many(db: Database) -> None:
    """A hundred tokens are enough for anybody."""
    async with db.write() as conn:
        for number in range(99):
            await api_tokens.create(conn, ALICE, token_of(bytes([number] * 32)), WANTED, NOW)
        with pytest.raises(UsageError):
            await api_tokens.create(conn, ALICE, token_of(bytes([200] * 32)), WANTED, NOW)
        await api_tokens.create(conn, BOB, token_of(bytes([201] * 32)), WANTED, NOW)


def test_every_secret_of_an_account_is_a_way_in() -> None:
    """A table with hashes of what accounts hold is one that removal empties."""
    hashes = {"id_hash", "token_hash"}
    secret = {table for table in metadata.tables.values() if hashes & set(table.c.keys())}
    assert secret == set(people.WAYS_IN)
