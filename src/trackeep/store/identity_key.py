"""The key by which the OAuth service knows this instance again: one for all its processes, sealed."""

from __future__ import annotations

import json

from joserfc.jwk import ECKey
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database, upsert
from trackeep.errors import SecretsError
from trackeep.store.tables import instance
from trackeep.vault import Vault

_PLACE = "instance.identity_key.1"
_MEMBERS = ("kty", "crv", "x", "y", "d")


async def identity_key(db: Database, vault: Vault) -> ECKey:
    """The P-256 key pair of this instance, made at its first use.

    One whose secret key is lost is replaced: nobody could ever sign in again, and the refresh tokens that
    are bound to it were sealed under the same secret.
    """
    # Everybody may start a login: once there is a key that must not make writers wait.
    async with db.read() as conn:
        sealed = await _sealed(conn)
    if sealed is not None:
        try:
            return _opened(vault, sealed)
        except SecretsError:
            pass
    # Made before the transaction and kept only by whoever comes first.
    fresh = vault.seal(_written(ECKey.generate_key("P-256", auto_kid=False)), _PLACE)
    column = instance.c.identity_key
    async with db.write() as conn:
        await upsert(conn, instance, [{"id": 1}], key=["id"])
        is_unchanged = column.is_(None) if sealed is None else column == sealed
        await conn.execute(update(instance).where(is_unchanged).values(identity_key=fresh))
        sealed = await _sealed(conn)
    assert sealed is not None
    return _opened(vault, sealed)


async def _sealed(conn: AsyncConnection) -> bytes | None:
    found: bytes | None = await conn.scalar(select(instance.c.identity_key))
    return found


def _opened(vault: Vault, sealed: bytes) -> ECKey:
    return ECKey.import_key(json.loads(vault.open(sealed, _PLACE)))


def _written(key: ECKey) -> str:
    private = key.as_dict(private=True)
    return json.dumps({name: private[name] for name in _MEMBERS})
