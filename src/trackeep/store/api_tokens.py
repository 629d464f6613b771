"""Personal API tokens as rows: made, found by their hash, listed and revoked."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import sessions
from trackeep.store.people import Admission, may_enter
from trackeep.store.tables import account, person
from trackeep.store.tables_tokens import api_token
from trackeep.store.token_text import SHOWN, is_well_formed

SCOPES = {
    "read": "Read everything that you may see here",
    "sync": "Ask for a sync",
    "admin": "Follow and unfollow repositories, which deletes what was fetched",
}
# How stale `last_used_at` may become: a request must not cost a write.
TOUCH_AFTER_S = 60
LONGEST_NAME = 100
MOST_TOKENS = 100
DAY_S = 86_400
LONGEST_LIFE_DAYS = 3_660


@dataclass(frozen=True)
class Wanted:
    """A token to be made: its name, its scopes, and when it ends (unix seconds, None for never)."""

    name: str
    scopes: tuple[str, ...]
    expires_at: int | None


@dataclass(frozen=True)
class Token:
    """One token as its owner may see it; `prefix` opens nothing. Times in unix seconds."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    last_used_address: str

    def has_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Bearer:
    """A token that opens the door just now, and who it belongs to."""

    token: Token
    who: sessions.Found


def wanted(name: str, scopes: Collection[str], days: int | None, now: int) -> Wanted:
    """What a person asked for; `days` is how long it lives, None for ever. Raises UsageError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError("A token needs a name.", f"Write what it is for, in at most {LONGEST_NAME} letters.")
    chosen = tuple(scope for scope in SCOPES if scope in scopes)
    if not chosen or set(scopes) - set(SCOPES):
        raise UsageError("It is not said what the token may do.", f"Choose among {', '.join(SCOPES)}.")
    if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
        raise UsageError("A token cannot live that long.", f"Choose 1 to {LONGEST_LIFE_DAYS} days.")
    return Wanted(name, chosen, None if days is None else now + days * DAY_S)


async def create(conn: AsyncConnection, account_id: int, token: str, new: Wanted, now: int) -> int:
    """Save the hash of a new token; its id. Raises UsageError where there are too many already."""
    mine = api_token.c.account_id == account_id
    count = (await conn.execute(select(func.count()).select_from(api_token).where(mine))).scalar_one()
    if count >= MOST_TOKENS:
        raise UsageError(f"There are {MOST_TOKENS} tokens already.", "Revoke those that nothing uses.")
    row = {
        "account_id": account_id,
        "name": new.name,
        "token_hash": _hash(token),
        "prefix": token[:SHOWN],
        "scopes": " ".join(new.scopes),
        "created_at": now,
        "expires_at": new.expires_at,
    }
    inserted = await conn.execute(api_token.insert().values(row).returning(api_token.c.id))
    return int(inserted.scalar_one())


async def find(conn: AsyncConnection, token: str, rules: Admission, now: int) -> Bearer | None:
    """Whose living token this is, or None; a person who may not enter any more has none.

    The hash of 256 random bits is looked up, so how long that takes tells nothing about a token.
    """
    if not is_well_formed(token):
        return None
    admitted = case((may_enter(account.c.id, rules), 1), else_=0)
    lives = or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > now)
    statement = (
        sessions.people(api_token.c.last_used_at.label("seen_at"), *_COLUMNS)
        .select_from(api_token)
        .join(account, account.c.id == api_token.c.account_id)
        .join(person, person.c.id == account.c.id)
        .where(api_token.c.token_hash == _hash(token), lives, admitted == 1)
    )
    row = (await conn.execute(statement)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    own = {column.key: values.pop(f"token_{column.name}") for column in _OWN}
    return Bearer(_token(own), sessions.Found(**{**values, "seen_at": values["seen_at"] or 0}))


async def touch(conn: AsyncConnection, token_id: int, address: str, now: int) -> None:
    """Note that a token was used, once a minute at most however many requests come together."""
    stale = or_(api_token.c.last_used_at.is_(None), api_token.c.last_used_at <= now - TOUCH_AFTER_S)
    statement = update(api_token).where(api_token.c.id == token_id, stale)
    await conn.execute(statement.values(last_used_at=now, last_used_address=address))


async def tokens_of(conn: AsyncConnection, account_id: int) -> tuple[Token, ...]:
    """Every token of an account, newest first, expired ones too."""
    statement = select(*_OWN).where(api_token.c.account_id == account_id).order_by(api_token.c.id.desc())
    return tuple(_token(dict(row._mapping)) for row in (await conn.execute(statement)).all())


async def revoke(conn: AsyncConnection, account_id: int, token_id: int) -> bool:
    """End a token of this account; False when it has none such."""
    this = (api_token.c.account_id == account_id) & (api_token.c.id == token_id)
    return bool((await conn.execute(delete(api_token).where(this))).rowcount)


_OWN = (
    *(api_token.c.id, api_token.c.name, api_token.c.prefix, api_token.c.scopes, api_token.c.created_at),
    *(api_token.c.expires_at, api_token.c.last_used_at, api_token.c.last_used_address),
)
_COLUMNS = tuple(column.label(f"token_{column.name}") for column in _OWN)


def _token(values: dict[str, object]) -> Token:
    scopes = tuple(str(values.pop("scopes")).split())
    return Token(**values, scopes=scopes)  # type: ignore[arg-type]  # the columns of _OWN


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
