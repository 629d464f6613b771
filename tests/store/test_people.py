"""Accounts, credentials and permissions, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from trackeep.database import Database
from trackeep.errors import NotFound, NotSignedIn, SecretsError, UsageError
from trackeep.model import Email, Person
from trackeep.store import ownership, people, sessions
from trackeep.store.people import Admission, Credential
from trackeep.store.tables import account_email, allowed_person, connection, person
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
ALICE = Person(1, "alice", "Alice Moreau")
BOB = Person(2, "Bob")
MALLORY = Person(3, "mallory")
VAULT = Vault({b"key1": bytes(32)})
NOBODY = Admission()


async def save(db: Database, *all_of: Person) -> None:
    async with db.write() as conn:
        for who in all_of:
            await people.save_account(conn, who, (), NOW)


async def admitted(db: Database, who: Person, rules: Admission = NOBODY) -> bool:
    async with db.read() as conn:
        return await people.is_admitted(conn, who.id, rules)


async def test_addresses_follow_github_and_keep_what_was_chosen(db: Database) -> None:
    """Verified addresses count; one that GitHub drops goes, one that the person chose by hand stays."""
    first = (Email("A@home.example", True, True), Email("old@home.example", verified=True), Email("x@y.z"))
    async with db.write() as conn:
        await people.save_account(conn, ALICE, first, NOW)
        chosen = {"account_id": 1, "address": "chosen@home.example", "source": "chosen"}
        await conn.execute(account_email.insert(), [chosen])
        await people.save_account(conn, ALICE, (Email("a@home.example", True, True),), NOW)
        rows = await conn.execute(select(account_email.c.address).order_by(account_email.c.address))
        assert list(rows.scalars()) == ["a@home.example", "chosen@home.example"]


async def test_a_renamed_person_stays_the_same_account(db: Database) -> None:
    """The number identifies; the login follows GitHub, and settings of the account stay."""
    await save(db, ALICE, Person(1, "alice-renamed"))
    async with db.read() as conn:
        assert await people.account_named(conn, "ALICE-renamed") == 1
        assert (await conn.execute(select(person.c.login))).scalars().all() == ["alice-renamed"]


async def test_which_account_a_command_means(db: Database) -> None:
    """None at all, the only one, or the one that is named; several without a name are a question."""
    async with db.read() as conn:
        with pytest.raises(NotSignedIn):
            await people.account_named(conn, None)
    await save(db, ALICE)
    async with db.read() as conn:
        assert await people.account_named(conn, None) == 1
    await save(db, BOB)
    async with db.read() as conn:
        with pytest.raises(UsageError, match="alice"):
            await people.account_named(conn, None)
        assert await people.account_named(conn, "bob") == 2
        with pytest.raises(NotFound):
            await people.account_named(conn, "carol")


async def test_a_credential_comes_back_as_it_went(db: Database) -> None:
    """Both tokens, scopes and expiry; the replaced one is handed back for revocation, once."""
    await save(db, ALICE)
    first = Credential("broker", "gho_first", "f1", ("repo",), "ghr_first", NOW + 60, "https://login.example")
    second = Credential("token", "ghp_second", "f2", None)
    async with db.write() as conn:
        assert await people.save_credential(conn, VAULT, 1, first, NOW) is None
        assert await people.credential(conn, VAULT, 1) == first
        assert await people.save_credential(conn, VAULT, 1, second, NOW) == first
        assert await people.save_credential(conn, VAULT, 1, second, NOW) is None
        assert await people.credential(conn, VAULT, 1) == second
        row = (await conn.execute(select(connection))).one()
    assert b"ghp_second" not in row.access_token
    assert row.refresh_token is None
    assert "ghp_second" not in repr(second)


async def test_a_credential_opens_in_its_own_row_only(db: Database) -> None:
    """A sealed token put into another row by hand, or into the other column, is refused."""
    await save(db, ALICE, MALLORY)
    async with db.write() as conn:
        await people.save_credential(
            conn, VAULT, 1, Credential("token", "ghp_x", "f", refresh_token="r"), NOW
        )
        row = (await conn.execute(select(connection))).one()
        await conn.execute(update(connection).values(access_token=row.refresh_token))
        with pytest.raises(SecretsError):
            await people.credential(conn, VAULT, 1)
        await conn.execute(update(connection).values(access_token=row.access_token, account_id=3))
        with pytest.raises(SecretsError):
            await people.credential(conn, VAULT, 3)


async def test_a_lost_key_does_not_stop_a_new_login(db: Database) -> None:
    """Whoever lost the key file connects again: the unreadable token is replaced."""
    await save(db, ALICE)
    other = Vault({b"key2": bytes(range(32))})
    async with db.write() as conn:
        await people.save_credential(conn, other, 1, Credential("token", "ghp_old", "f"), NOW)
        assert await people.save_credential(conn, VAULT, 1, Credential("token", "ghp_new", "f"), NOW) is None
        found = await people.credential(conn, VAULT, 1)
    assert found is not None
    assert found.access_token == "ghp_new"


async def test_permission_belongs_to_the_number_not_the_login(db: Database) -> None:
    """Bob was allowed and renamed himself; the stranger who takes the login `bob` stays outside."""
    rules = Admission.of(["BOB"], [])
    async with db.write() as conn:
        assert await people.unresolved(conn, ["bob"]) == ["bob"]
        await people.allow(conn, BOB, people.BY_SETTING, NOW, entry="bob")
        assert await people.unresolved(conn, ["BOB"]) == []
    assert await admitted(db, BOB, rules)
    assert not await admitted(db, Person(99, "bob"), rules)
    assert await admitted(db, Person(2, "robert"), rules)


async def test_permission_ends_with_its_reason(db: Database) -> None:
    """A name taken out of the settings is out; what the command allowed stays until it is removed."""
    async with db.write() as conn:
        await people.allow(conn, BOB, people.BY_SETTING, NOW, entry="bob")
        await people.allow(conn, BOB, people.BY_ORGANISATION, NOW, entry="Fernhill")
        await people.allow(conn, MALLORY, people.BY_COMMAND, NOW)
    assert not await admitted(db, BOB)
    assert await admitted(db, BOB, Admission.of([], ["FERNHILL"]))
    assert await admitted(db, MALLORY)
    async with db.write() as conn:
        await people.forget_memberships(conn, BOB.id)
        assert await people.shut_out(conn, MALLORY.id)
        assert not await people.shut_out(conn, MALLORY.id)
        assert len((await conn.execute(select(allowed_person))).all()) == 1
    assert not await admitted(db, BOB, Admission.of([], ["fernhill"]))
    assert not await admitted(db, MALLORY)


async def test_removal_ends_the_sessions(db: Database) -> None:
    """Bob is signed in, is removed, and his session is gone at once."""
    await save(db, BOB)
    device = sessions.Device("Lynx", "127.0.0.1")
    async with db.write() as conn:
        await people.allow(conn, BOB, people.BY_COMMAND, NOW)
        await sessions.start(conn, "secret", BOB.id, device, NOW)
        assert await sessions.find(conn, "secret", NOBODY, NOW) is not None
        await people.shut_out(conn, BOB.id)
        assert await sessions.find(conn, "secret", NOBODY, NOW) is None


async def test_a_session_lives_thirty_days(db: Database) -> None:
    """Unknown, expired and ended ones are nobody's; using one begins its time again."""
    await save(db, ALICE)
    device, late = sessions.Device("Lynx", "127.0.0.1"), NOW + sessions.LIFETIME_S
    async with db.write() as conn:
        await people.make_owner(conn, ALICE.id)
        for name in ("one", "two", "three"):
            await sessions.start(conn, name, ALICE.id, device, NOW)
        assert await sessions.find(conn, "four", NOBODY, NOW) is None
        assert await sessions.find(conn, "one", NOBODY, late - 1) is not None
        assert await sessions.find(conn, "one", NOBODY, late) is None
        await sessions.touch(conn, "one", device, NOW + 1)
        found = await sessions.find(conn, "one", NOBODY, late)
        assert found is not None
        assert (found.login, found.role, found.seen_at) == ("alice", "owner", NOW + 1)
        await sessions.end_all(conn, ALICE.id, but="one")
        assert await sessions.find(conn, "two", NOBODY, NOW) is None
        await sessions.end(conn, "one")
        assert await sessions.find(conn, "one", NOBODY, NOW) is None


async def test_a_login_token_is_remembered_until_it_expires(db: Database) -> None:
    """The second use is refused; the row goes when the token itself would be refused."""
    async with db.write() as conn:
        assert await people.remember_token(conn, "jti", NOW + 60, NOW)
        assert not await people.remember_token(conn, "jti", NOW + 60, NOW)
        assert await people.remember_token(conn, "jti", NOW + 160, NOW + 61)


async def test_of_twenty_owners_one_wins(db: Database) -> None:
    """All typed the right code; one single update decides."""
    crowd = [Person(n, f"person{n}") for n in range(10, 30)]
    await save(db, *crowd)
    code = await ownership.setup_code(db, VAULT, NOW)
    assert code is not None
    code_hash = await ownership.try_code(db, code.text, NOW)

    async def claim(who: Person) -> bool:
        async with db.write() as conn:
            return await ownership.claim(conn, who.id, code_hash)

    won = await asyncio.gather(*map(claim, crowd))
    assert won.count(True) == 1
    async with db.read() as conn:
        assert await ownership.owner_id(conn) == crowd[won.index(True)].id
    assert await ownership.setup_code(db, VAULT, NOW) is None


async def test_processes_that_start_together_show_one_code(db: Database) -> None:
    """Twenty processes ask at once; all show the same code, and one says that it is new."""
    codes = await asyncio.gather(*(ownership.setup_code(db, VAULT, NOW) for _ in range(20)))
    assert len({code.text for code in codes if code}) == 1
    assert [code.is_new for code in codes if code].count(True) == 1


async def test_a_new_owner_takes_over(db: Database) -> None:
    """Handing over changes both roles; after vacating, the set-up code finds the next one."""
    await save(db, ALICE, BOB)
    async with db.write() as conn:
        await people.make_owner(conn, ALICE.id)
        await people.make_owner(conn, BOB.id)
        assert [(row.login, row.role) for row in await people.everybody(conn)] == [
            ("Bob", "owner"),
            ("alice", "member"),
        ]
        assert not await people.is_admitted(conn, ALICE.id, NOBODY)
        await ownership.vacate(conn)
        assert {row.role for row in await people.everybody(conn)} == {"member"}
    assert await ownership.setup_code(db, VAULT, NOW) is not None
