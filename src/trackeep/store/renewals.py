"""Trading an account's token for a new one: whose turn it is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.people import Credential, sealed
from trackeep.store.schedule import connection_state
from trackeep.store.tables import connection
from trackeep.store.tables_sync import validator
from trackeep.vault import Vault

# A token refused so soon after it was made is no matter of age: another new one would fare no better.
YOUNG_S = 300


@dataclass(frozen=True)
class Turn:
    """What a try to take the turn found; `fingerprint` is that of the token in the row, "" without one.

    `asked_at` is when an earlier request went out whose answer never came; times in unix seconds.
    """

    is_mine: bool
    fingerprint: str = ""
    state: str = ""
    problem: str = ""
    holder: str = ""
    held_until: int = 0
    asked_at: int | None = None
    not_before: int = 0
    failures: int = 0


async def take_turn(
    conn: AsyncConnection, account_id: int, fingerprint: str, name: str, now: int, *, lease_s: int
) -> Turn:
    """Hold the right to trade the token with `fingerprint`, alone among all processes, for `lease_s`.

    Not mine when another holds it, when the token was replaced or is known to be dead, or too early.
    """
    this = connection.c.account_id == account_id
    # Locked where the database locks rows, so that what is read here is what the update sees.
    row = (await conn.execute(select(connection).where(this).with_for_update())).first()
    if row is None:
        return Turn(is_mine=False)
    free = or_(
        connection.c.renewal_until.is_(None),
        connection.c.renewal_until <= now,
        connection.c.renewal_by == name,
    )
    rested = or_(connection.c.renewal_after.is_(None), connection.c.renewal_after <= now)
    usable = and_(connection.c.token_fingerprint == fingerprint, connection.c.state == "ok")
    taken = await conn.execute(
        update(connection)
        .where(this, free, rested, usable)
        .values(renewal_by=name, renewal_until=now + lease_s, renewal_asked_at=now)
    )
    return Turn(
        is_mine=taken.rowcount == 1,
        fingerprint=row.token_fingerprint,
        state=row.state,
        problem=row.problem,
        holder=row.renewal_by,
        held_until=row.renewal_until or 0,
        asked_at=row.renewal_asked_at,
        not_before=row.renewal_after or 0,
        failures=row.renewal_failures,
    )


async def free_turn(conn: AsyncConnection, account_id: int, name: str) -> None:
    """End the turn of a process that is known to be dead."""
    await conn.execute(update(connection).where(_held(account_id, name)).values(renewal_until=None))


async def save(
    conn: AsyncConnection, vault: Vault, account_id: int, old: Credential, new: Credential, now: int
) -> bool:
    """Put `new` in the place of `old`; False when somebody reconnected or disconnected meanwhile."""
    this = (connection.c.account_id == account_id) & (connection.c.token_fingerprint == old.token_fingerprint)
    saved = await conn.execute(update(connection).where(this).values(**sealed(vault, account_id, new, now)))
    # What GitHub called unchanged, it said to the old token.
    gone = validator.c.token_fingerprint == old.token_fingerprint
    await conn.execute(delete(validator).where(gone))
    return saved.rowcount == 1


async def doubt(conn: AsyncConnection, account_id: int, name: str) -> None:
    """The refusal may be due to an answer that was lost: keep the turn, and believe the next one."""
    await conn.execute(update(connection).where(_held(account_id, name)).values(renewal_asked_at=None))


async def put_off(
    conn: AsyncConnection, account_id: int, name: str, until: int, *, is_unanswered: bool
) -> None:
    """Give the turn back after a failure; nobody tries again before `until`."""
    values: dict[str, Any] = {"renewal_by": "", "renewal_until": None, "renewal_after": until}
    if not is_unanswered:
        values["renewal_asked_at"] = None
    failed = update(connection).where(_held(account_id, name))
    await conn.execute(failed.values(**values, renewal_failures=connection.c.renewal_failures + 1))


async def give_up(conn: AsyncConnection, account_id: int, name: str, problem: str) -> None:
    """The token cannot be traded any more: only the person can connect again."""
    await conn.execute(
        update(connection)
        .where(_held(account_id, name))
        .values(state="reconnect", problem=problem, renewal_by="", renewal_until=None, renewal_asked_at=None)
    )


async def refused(conn: AsyncConnection, fingerprint: str, problem: str, now: int) -> None:
    """GitHub refuses this token: it is traded at the next use where that is possible, else reconnect."""
    ended = await conn.execute(
        update(connection)
        .where(
            connection.c.token_fingerprint == fingerprint,
            connection.c.refresh_token.is_not(None),
            connection.c.refreshed_at <= now - YOUNG_S,
        )
        .values(expires_at=now, problem=problem)
    )
    if ended.rowcount == 0:
        await connection_state(conn, fingerprint, "reconnect", problem)


def _held(account_id: int, name: str) -> Any:
    return and_(connection.c.account_id == account_id, connection.c.renewal_by == name)
