"""People who came back from GitHub as somebody else, kept until they say who they want to be."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.tables import pending_arrival
from trackeep.vault import Vault

LIFETIME_S = 600


async def keep(
    conn: AsyncConnection, vault: Vault, arrival_id: str, account_id: int, content: str, now: int
) -> None:
    """Save `content`, sealed, for the browser that has `arrival_id` and is signed in as `account_id`."""
    id_hash = _hash(arrival_id)
    row = {
        "id_hash": id_hash,
        "account_id": account_id,
        "arrival": vault.seal(content, _place(id_hash)),
        "expires_at": now + LIFETIME_S,
    }
    await conn.execute(pending_arrival.insert(), [row])


async def find(conn: AsyncConnection, vault: Vault, arrival_id: str, account_id: int, now: int) -> str | None:
    """What was kept for this browser and this account, None when there is nothing or it is too old."""
    this = (pending_arrival.c.id_hash == _hash(arrival_id)) & (pending_arrival.c.account_id == account_id)
    row = (await conn.execute(select(pending_arrival).where(this))).first()
    if row is None or row.expires_at <= now:
        return None
    return vault.open(row.arrival, _place(row.id_hash))


async def take(conn: AsyncConnection, vault: Vault, arrival_id: str, account_id: int, now: int) -> str | None:
    """As `find`, once: of two clicks only one gets it."""
    content = await find(conn, vault, arrival_id, account_id, now)
    if content is None:
        # One that is too old stays for `take_overdue`, which tells whose token has to end.
        return None
    gone = await conn.execute(delete(pending_arrival).where(pending_arrival.c.id_hash == _hash(arrival_id)))
    return content if gone.rowcount == 1 else None


async def take_overdue(conn: AsyncConnection, vault: Vault, now: int) -> list[str]:
    """What nobody answered in time, so that its tokens can be ended; it is forgotten here."""
    overdue = pending_arrival.c.expires_at <= now
    rows = (await conn.execute(select(pending_arrival).where(overdue).with_for_update())).all()
    await conn.execute(delete(pending_arrival).where(overdue))
    return [vault.open(row.arrival, _place(row.id_hash)) for row in rows]


def _hash(arrival_id: str) -> bytes:
    return hashlib.sha256(arrival_id.encode()).digest()


def _place(id_hash: bytes) -> str:
    return f"pending_arrival.arrival.{bytes(id_hash).hex()}"
