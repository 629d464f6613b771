"""Sessions as rows: only the hash of each id is stored, so that a copied database opens no door."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.people import Admission, may_enter
from trackeep.store.tables import account, person, session

LIFETIME_S = 30 * 86_400
# How stale `seen_at` may become: a page view must not cost a write.
TOUCH_AFTER_S = 900
LONGEST_DEVICE = 200


@dataclass(frozen=True)
class Device:
    """Where a session is used from, as the browser and the connection tell."""

    user_agent: str
    address: str


@dataclass(frozen=True)
class Found:
    """A living session: whose it is and what the pages show of them; times are unix seconds."""

    account_id: int
    login: str
    name: str
    avatar_url: str
    role: str
    time_zone: str
    theme: str
    heatmap: str
    week_start: int
    date_style: str
    stale_days: int
    seen_at: int


@dataclass(frozen=True)
class Open:
    """One living session as its owner may see it; `key` names it and opens nothing. Times in unix seconds."""

    key: str
    user_agent: str
    address: str
    created_at: int
    seen_at: int
    is_this: bool


async def start(conn: AsyncConnection, session_id: str, account_id: int, device: Device, now: int) -> None:
    """Save a new session and forget those that are over."""
    await conn.execute(delete(session).where(session.c.expires_at <= now))
    row = {"id_hash": _hash(session_id), "account_id": account_id, "created_at": now, **_used(device, now)}
    await conn.execute(session.insert(), [row])


async def find(conn: AsyncConnection, session_id: str, rules: Admission, now: int) -> Found | None:
    """The living session of `session_id`, or None; a person who may not enter any more has none."""
    admitted = case((may_enter(account.c.id, rules), 1), else_=0)
    statement = (
        people(session.c.seen_at)
        .select_from(session)
        .join(account, account.c.id == session.c.account_id)
        .join(person, person.c.id == account.c.id)
        .where(session.c.id_hash == _hash(session_id), session.c.expires_at > now, admitted == 1)
    )
    row = (await conn.execute(statement)).first()
    return Found(**row._mapping) if row else None


async def of_account(conn: AsyncConnection, account_id: int) -> Found | None:
    """Somebody as the pages show them, for whoever runs commands where the instance is installed."""
    joined = account.join(person, person.c.id == account.c.id)
    statement = people(account.c.created_at.label("seen_at")).select_from(joined)
    row = (await conn.execute(statement.where(account.c.id == account_id))).first()
    return Found(**row._mapping) if row else None


def people(*more: Any) -> Select[Any]:
    """The columns of `Found` that stand in `account` and `person`, and `more`."""
    return select(
        *(account.c.id.label("account_id"), account.c.role, account.c.time_zone, account.c.theme),
        *(account.c.heatmap, account.c.week_start, account.c.date_style, account.c.stale_days),
        *(person.c.login, person.c.name, person.c.avatar_url, *more),
    )


async def touch(conn: AsyncConnection, session_id: str, device: Device, now: int) -> None:
    """Note that a session is in use: its 30 days begin again."""
    statement = update(session).where(session.c.id_hash == _hash(session_id))
    await conn.execute(statement.values(**_used(device, now)))


async def end(conn: AsyncConnection, session_id: str) -> None:
    await conn.execute(delete(session).where(session.c.id_hash == _hash(session_id)))


async def end_all(conn: AsyncConnection, account_id: int, *, but: str = "") -> None:
    """End every session of an account, except the one with the id `but`."""
    others = (session.c.account_id == account_id) & (session.c.id_hash != _hash(but))
    await conn.execute(delete(session).where(others))


async def open_ones(conn: AsyncConnection, account_id: int, here: str, now: int) -> tuple[Open, ...]:
    """The living sessions of an account, last used first; `here` is the id of the one that asks."""
    mine = (session.c.account_id == account_id) & (session.c.expires_at > now)
    rows = await conn.execute(select(session).where(mine).order_by(session.c.seen_at.desc()))
    return tuple(
        Open(
            key=bytes(row.id_hash).hex(),
            user_agent=row.user_agent,
            address=row.address,
            created_at=row.created_at,
            seen_at=row.seen_at,
            is_this=bytes(row.id_hash) == _hash(here),
        )
        for row in rows
    )


async def end_named(conn: AsyncConnection, account_id: int, key: str) -> bool:
    """End the session of this account with that key; False when it has none such."""
    this = (session.c.account_id == account_id) & (session.c.id_hash == bytes.fromhex(key))
    return bool((await conn.execute(delete(session).where(this))).rowcount)


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode()).digest()


def _used(device: Device, now: int) -> dict[str, str | int]:
    return {
        "seen_at": now,
        "expires_at": now + LIFETIME_S,
        "user_agent": device.user_agent[:LONGEST_DEVICE],
        "address": device.address,
    }
