"""All that is encrypted at rest comes under a new key together, or stays under the old one."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_world import ALICE, BOB, NOW, fill
from sqlalchemy import LargeBinary, select, update

from trackeep.database import Database
from trackeep.store import arrivals, identity_key, people, sealed
from trackeep.store.people import Credential
from trackeep.store.schema import metadata
from trackeep.store.tables import connection
from trackeep.vault import Vault, open_vault

pytestmark = pytest.mark.anyio
OLD, NEW = "o" * 40, "n" * 40
# What is no secret that has to be read again: one can only compare with it.
HASHES = {
    *("instance.setup_hash", "pending_arrival.id_hash", "session.id_hash"),
    *("api_token.token_hash", "feed_token.token_hash"),
}


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def keep_secrets(db: Database, vault: Vault) -> None:
    """One secret in every sealed column."""
    async with db.write() as conn:
        for who in (ALICE, BOB):
            credential = Credential("broker", f"access {who}", "f", refresh_token=f"refresh {who}")
            await people.save_credential(conn, vault, who, credential, NOW)
        await arrivals.keep(conn, vault, "arrival", ALICE, "somebody", NOW)
    await identity_key.identity_key(db, vault)


async def told(db: Database, vault: Vault) -> list[object]:
    """What this vault opens of it."""
    async with db.read() as conn:
        found: list[object] = [await people.credential(conn, vault, who) for who in (ALICE, BOB)]
        found.append(await arrivals.find(conn, vault, "arrival", ALICE, NOW))
        sealed_key = await conn.scalar(select(metadata.tables["instance"].c.identity_key))
    return [*found, vault.open(bytes(sealed_key), "instance.identity_key.1")]


def test_every_sealed_column_is_listed() -> None:
    """Each column of bytes is sealed by the vault, and changed with its key, or only a hash."""
    columns = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    ]
    named = {f"{column.table.name}.{column.name}" for column in columns}
    assert named == {f"{column.table.name}.{column.name}" for column in sealed.SEALED} | HASHES


async def test_everything_opens_under_the_new_key_alone(db: Database, tmp_path: Path) -> None:
    """After the change the new key is enough, all secrets are what they were, a second time does nothing."""
    await keep_secrets(db, open_vault(OLD, tmp_path))
    before = await told(db, open_vault(OLD, tmp_path))
    async with db.write() as conn:
        assert await sealed.reseal(conn, open_vault(f"{NEW},{OLD}", tmp_path)) == sealed.Resealed(6, 0)
    assert await told(db, open_vault(NEW, tmp_path)) == before
    async with db.write() as conn:
        assert await sealed.reseal(conn, open_vault(f"{NEW},{OLD}", tmp_path)) == sealed.Resealed(0, 0)


async def test_an_interrupted_change_is_none(db: Database, tmp_path: Path) -> None:
    """When the transaction does not end, everything still opens under the old key."""
    await keep_secrets(db, open_vault(OLD, tmp_path))
    before = await told(db, open_vault(OLD, tmp_path))
    with pytest.raises(ZeroDivisionError):
        async with db.write() as conn:
            await sealed.reseal(conn, open_vault(f"{NEW},{OLD}", tmp_path))
            _ = 1 // 0
    assert await told(db, open_vault(OLD, tmp_path)) == before


async def test_what_was_lost_before_keeps_nobody_from_it(db: Database, tmp_path: Path) -> None:
    """A token of a key that is long gone is counted and left; the others are changed."""
    await keep_secrets(db, open_vault(OLD, tmp_path))
    foreign = open_vault("x" * 40, tmp_path).seal("token", f"connection.access_token.{BOB}")
    async with db.write() as conn:
        this = connection.c.account_id == BOB
        await conn.execute(update(connection).where(this).values(access_token=foreign))
        assert await sealed.reseal(conn, open_vault(f"{NEW},{OLD}", tmp_path)) == sealed.Resealed(5, 1)
