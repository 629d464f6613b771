"""Personal API tokens as rows: made, found by their hash, listed and revoked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import sessions
from trackeep.store.hashed_tokens import HashedTokens
from trackeep.store.people import Admission
from trackeep.store.tables_tokens import api_token
from trackeep.store.token_text import is_well_formed

SCOPES = {
    "read": "Read everything that you may see here",
    "sync": "Ask for a sync",
    "admin": "Follow and unfollow repositories, which deletes what was fetched",
}
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


_TOKENS = HashedTokens(api_token, "token")
touch, revoke = _TOKENS.touch, _TOKENS.revoke


def wanted(name: str, scopes: Collection[str], days: int | None, now: int) -> Wanted:
    """What a person asked for; `days` is how long it lives, None for ever. Raises UsageError."""
    name = _TOKENS.named(name)
    chosen = tuple(scope for scope in SCOPES if scope in scopes)
    if not chosen or set(scopes) - set(SCOPES):
        raise UsageError("It is not said what the token may do.", f"Choose among {', '.join(SCOPES)}.")
    if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
        raise UsageError("A token cannot live that long.", f"Choose 1 to {LONGEST_LIFE_DAYS} days.")
    return Wanted(name, chosen, None if days is None else now + days * DAY_S)


async def create(conn: AsyncConnection, account_id: int, token: str, new: Wanted, now: int) -> int:
    """Save the hash of a new token; its id. Raises UsageError where there are too many already."""
    values = {"name": new.name, "scopes": " ".join(new.scopes), "expires_at": new.expires_at}
    return await _TOKENS.save(conn, account_id, token, created_at=now, **values)


async def find(conn: AsyncConnection, token: str, rules: Admission, now: int) -> Bearer | None:
    """Whose living token this is, or None; a person who may not enter any more has none."""
    if not is_well_formed(token):
        return None
    lives = or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > now)
    found = await _TOKENS.find(conn, token, rules, lives)
    return Bearer(_token(found[0]), found[1]) if found else None


async def tokens_of(conn: AsyncConnection, account_id: int) -> tuple[Token, ...]:
    """Every token of an account, newest first, expired ones too."""
    return tuple(map(_token, await _TOKENS.of(conn, account_id)))


def _token(row: dict[str, Any]) -> Token:
    return Token(**{**row, "scopes": tuple(row["scopes"].split())})
