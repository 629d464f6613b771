"""Who owns this instance: the set-up code that guards the first login, and the one update that decides."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database, upsert
from trackeep.errors import LoginError, TooManyRequests
from trackeep.store.tables import account, instance
from trackeep.vault import Vault

CODE_HOLDS_S = 86_400
TRIES, TRIES_PER_S = 10, 3_600
CODE_BITS = 128
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class SetupCode:
    """The code that the log shows; `is_new` when this call has made it."""

    text: str
    is_new: bool


async def owner_id(conn: AsyncConnection) -> int | None:
    """The GitHub id of the owner, None before the first login."""
    row = await _row(conn)
    return row.owner_id if row else None


async def setup_code(db: Database, vault: Vault, now: int) -> SetupCode | None:
    """The set-up code of today, the same for every process of this instance; None once it has an owner.

    The database has only its hash; the code itself follows from the secret key and the time it ends.
    """
    # Everybody may open the set-up page: once there is an owner that must not make writers wait.
    async with db.read() as conn:
        if await owner_id(conn) is not None:
            return None
    async with db.write() as conn:
        await upsert(conn, instance, [{"id": 1}], key=["id"])
        row = await _row(conn, lock=True)
        assert row is not None
        if row.owner_id is not None:
            return None
        if row.setup_hash is not None and row.setup_expires_at > now:
            code = _code(vault, row.setup_expires_at)
            if hmac.compare_digest(row.setup_hash, _hash(code)):
                return SetupCode(code, is_new=False)
        code = _code(vault, now + CODE_HOLDS_S)
        fresh = {"setup_hash": _hash(code), "setup_expires_at": now + CODE_HOLDS_S}
        await conn.execute(update(instance).values(**fresh))
        return SetupCode(code, is_new=True)


async def try_code(db: Database, text: str, now: int) -> bytes:
    """The hash of a right set-up code, for `claim`.

    Raises LoginError for a wrong or expired code, and TooManyRequests after 10 wrong ones in an hour.
    """
    async with db.write() as conn:
        row = await _row(conn, lock=True)
        if row is None or row.owner_id is not None or row.setup_hash is None:
            raise LoginError("This Trackeep has an owner already.", "Sign in instead.")
        since = row.setup_tries_since or 0
        tries = row.setup_tries if now - since < TRIES_PER_S else 0
        since = since if tries else now
        right = tries < TRIES and row.setup_expires_at > now
        right = right and hmac.compare_digest(row.setup_hash, _hash(plain(text)))
        if not right:
            counted = {"setup_tries": min(tries + 1, TRIES + 1), "setup_tries_since": since}
            await conn.execute(update(instance).values(**counted))
    if tries >= TRIES:
        raise TooManyRequests(
            "There were too many wrong set-up codes.",
            "Wait an hour; the code is in the log of this program.",
            retry_after_s=since + TRIES_PER_S - now,
        )
    if not right:
        raise LoginError("That is not the set-up code.", "It stands in the log, where Trackeep was started.")
    return bytes(row.setup_hash)


async def claim(conn: AsyncConnection, person_id: int, code_hash: bytes) -> bool:
    """Make this person the owner if nobody is: one statement, so that of two only one wins."""
    free = instance.c.owner_id.is_(None) & (instance.c.setup_hash == code_hash)
    won = await conn.execute(update(instance).where(free).values(owner_id=person_id, setup_hash=None))
    return bool(won.rowcount)


async def vacate(conn: AsyncConnection) -> None:
    """Take the instance from its owner, so that a set-up code can find a new one."""
    await upsert(conn, instance, [{"id": 1, "owner_id": None, "setup_hash": None}], key=["id"])
    await conn.execute(update(account).values(role="member"))


def plain(text: str) -> str:
    """A code as somebody typed it: without spaces and dashes, with the letters they probably meant."""
    letters = text.upper().translate(str.maketrans("OIL", "011"))
    return "".join(letter for letter in letters if letter in ALPHABET)


def readable(code: str) -> str:
    """The code in groups that can be read aloud."""
    return "-".join(code[start : start + 5] for start in range(0, len(code), 5))


async def _row(conn: AsyncConnection, *, lock: bool = False) -> Row[tuple[object, ...]] | None:
    statement = select(instance).where(instance.c.id == 1)
    return (await conn.execute(statement.with_for_update() if lock else statement)).first()


def _code(vault: Vault, expires_at: int) -> str:
    number = int.from_bytes(vault.derive(f"set-up code {expires_at}")[: CODE_BITS // 8], "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def _hash(code: str) -> bytes:
    return hashlib.sha256(b"trackeep set-up code " + code.encode()).digest()
