"""Feed tokens as rows: made, found by their hash, listed and revoked; they open feeds and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import sessions
from trackeep.store.people import Admission, may_enter
from trackeep.store.tables import account, person
from trackeep.store.tables_sharing import feed_token
from trackeep.store.token_text import FEED_PREFIX, SHOWN, is_well_formed

# How stale `last_used_at` may become: a request must not cost a write.
TOUCH_AFTER_S = 60
LONGEST_NAME = 100
MOST_TOKENS = 100


@dataclass(frozen=True)
class FeedToken:
    """One token as its owner may see it; `prefix` opens nothing. Times in unix seconds."""

    id: int
    name: str
    prefix: str
    created_at: int
    last_used_at: int | None
    last_used_address: str


@dataclass(frozen=True)
class Subscriber:
    """A token that opens feeds just now, and whose eyes they are made for."""

    token: FeedToken
    who: sessions.Found


def named(name: str) -> str:
    """The name as it is stored. Raises UsageError for what is none."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        hint = f"Write which reader it is for, in at most {LONGEST_NAME} letters."
        raise UsageError("A feed token needs a name.", hint)
    return name


async def create(conn: AsyncConnection, account_id: int, token: str, name: str, now: int) -> int:
    """Save the hash of a new token; its id. Raises UsageError where there are too many already."""
    mine = feed_token.c.account_id == account_id
    count = (await conn.execute(select(func.count()).select_from(feed_token).where(mine))).scalar_one()
    if count >= MOST_TOKENS:
        raise UsageError(f"There are {MOST_TOKENS} feed tokens already.", "Revoke those that nothing reads.")
    row = {
        "account_id": account_id,
        "name": name,
        "token_hash": _hash(token),
        "prefix": token[:SHOWN],
        "created_at": now,
    }
    inserted = await conn.execute(feed_token.insert().values(row).returning(feed_token.c.id))
    return int(inserted.scalar_one())


async def find(conn: AsyncConnection, token: str, rules: Admission) -> Subscriber | None:
    """Whose token this is, or None; a person who may not enter any more has none.

    The hash of 256 random bits is looked up, so how long that takes tells nothing about a token.
    """
    if not is_well_formed(token, FEED_PREFIX):
        return None
    admitted = case((may_enter(account.c.id, rules), 1), else_=0)
    statement = (
        sessions.people(feed_token.c.created_at.label("seen_at"), *_LABELLED)
        .select_from(feed_token)
        .join(account, account.c.id == feed_token.c.account_id)
        .join(person, person.c.id == account.c.id)
        .where(feed_token.c.token_hash == _hash(token), admitted == 1)
    )
    row = (await conn.execute(statement)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    own = {column.key: values.pop(f"token_{column.name}") for column in _OWN}
    return Subscriber(FeedToken(**own), sessions.Found(**values))


async def touch(conn: AsyncConnection, token_id: int, address: str, now: int) -> None:
    """Note that a token was used, once a minute at most however many requests come together."""
    used = feed_token.c.last_used_at
    stale = or_(used.is_(None), used <= now - TOUCH_AFTER_S)
    statement = update(feed_token).where(feed_token.c.id == token_id, stale)
    await conn.execute(statement.values(last_used_at=now, last_used_address=address))


async def tokens_of(conn: AsyncConnection, account_id: int) -> tuple[FeedToken, ...]:
    """Every feed token of an account, newest first."""
    statement = select(*_OWN).where(feed_token.c.account_id == account_id).order_by(feed_token.c.id.desc())
    return tuple(FeedToken(**row._mapping) for row in (await conn.execute(statement)).all())


async def revoke(conn: AsyncConnection, account_id: int, token_id: int) -> bool:
    """End a token of this account; False when it has none such."""
    this = (feed_token.c.account_id == account_id) & (feed_token.c.id == token_id)
    return bool((await conn.execute(delete(feed_token).where(this))).rowcount)


_OWN = (
    *(feed_token.c.id, feed_token.c.name, feed_token.c.prefix, feed_token.c.created_at),
    *(feed_token.c.last_used_at, feed_token.c.last_used_address),
)
_LABELLED = tuple(column.label(f"token_{column.name}") for column in _OWN)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
