"""Feed tokens as rows: made, found by their hash, listed and revoked; they open feeds and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store import sessions
from trackeep.store.hashed_tokens import HashedTokens
from trackeep.store.people import Admission
from trackeep.store.tables_sharing import feed_token
from trackeep.store.token_text import FEED_PREFIX, is_well_formed


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


_TOKENS = HashedTokens(feed_token, "feed token")
named, touch, revoke = _TOKENS.named, _TOKENS.touch, _TOKENS.revoke


async def create(conn: AsyncConnection, account_id: int, token: str, name: str, now: int) -> int:
    """Save the hash of a new token; its id. Raises UsageError where there are too many already."""
    return await _TOKENS.save(conn, account_id, token, name=name, created_at=now)


async def find(conn: AsyncConnection, token: str, rules: Admission) -> Subscriber | None:
    """Whose token this is, or None; a person who may not enter any more has none."""
    if not is_well_formed(token, FEED_PREFIX):
        return None
    found = await _TOKENS.find(conn, token, rules)
    return Subscriber(FeedToken(**found[0]), found[1]) if found else None


async def tokens_of(conn: AsyncConnection, account_id: int) -> tuple[FeedToken, ...]:
    """Every feed token of an account, newest first."""
    return tuple(FeedToken(**row) for row in await _TOKENS.of(conn, account_id))
