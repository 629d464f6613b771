"""Every column that the vault seals, and how all of them come under a new key at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import SecretsError
from trackeep.store.tables import connection, instance, pending_arrival
from trackeep.vault import Vault

# A secret's place is its table, its column and the key of its row; a test holds this list against the tables.
SEALED: tuple[Column[Any], ...] = (
    connection.c.access_token,
    connection.c.refresh_token,
    pending_arrival.c.arrival,
    instance.c.identity_key,
)


@dataclass(frozen=True)
class Resealed:
    """How many secrets are under the newest key now that were not, and how many no key here opens."""

    changed: int
    lost: int


async def reseal(conn: AsyncConnection, vault: Vault) -> Resealed:
    """Seal everything under the newest key of `vault`, within the caller's transaction."""
    changed = lost = 0
    for column in SEALED:
        (key,) = column.table.primary_key.columns
        rows = []
        for row_key, sealed in (await conn.execute(select(key, column).where(column.is_not(None)))).all():
            if vault.is_newest(sealed):
                continue
            place = place_of(column, row_key)
            try:
                rows.append({"row_key": row_key, "sealed": vault.seal(vault.open(sealed, place), place)})
            except SecretsError:
                lost += 1
        if rows:
            these = update(column.table).where(key == bindparam("row_key"))
            await conn.execute(these.values({column.name: bindparam("sealed")}), rows)
        changed += len(rows)
    return Resealed(changed, lost)


def place_of(column: Column[Any], row_key: Any) -> str:
    """The place by which a secret is bound to its row."""
    text = bytes(row_key).hex() if isinstance(row_key, bytes | memoryview) else str(row_key)
    return f"{column.table.name}.{column.name}.{text}"
