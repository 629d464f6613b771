"""What GitHub says has moved, as a hint only: which accounts are to look again, and which deliveries came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import insert_once
from trackeep.store.activity import GRANTED
from trackeep.store.schedule import POLL, TRACKED
from trackeep.store.tables import access, follow, repository
from trackeep.store.tables_sync import delivery, schedule

# GitHub sends a delivery again, under its number, for three days.
KEPT_S = 4 * 86_400
MOST_FORGOTTEN = 1_000
# Between the beginnings of two passes, however much is delivered: seconds, and after a failure.
GAP_S, GAP_AFTER_FAILURE_S = 5, 60


@dataclass(frozen=True)
class Moved:
    """Where something moved: numbers of repositories and people, names of owners in lower case.

    `is_access`: who may read what, or a name, may have changed, which only a walk of the whole list shows.
    """

    repositories: frozenset[int] = frozenset()
    owners: frozenset[str] = frozenset()
    people: frozenset[int] = frozenset()
    is_access: bool = False


async def save_delivery(conn: AsyncConnection, delivery_id: str, now: int) -> bool:
    """True the first time; those too old to come again are forgotten."""
    old = (
        select(delivery.c.id)
        .where(delivery.c.seen_at < now - KEPT_S)
        .order_by(delivery.c.id)
        .limit(MOST_FORGOTTEN)
        .with_for_update(skip_locked=True)
    )
    await conn.execute(delete(delivery).where(delivery.c.id.in_(old.scalar_subquery())))
    return await insert_once(conn, delivery, {"id": delivery_id, "seen_at": now})


async def last_delivery_at(conn: AsyncConnection) -> int | None:
    """When the last delivery came, of those not forgotten yet."""
    found = (await conn.execute(select(func.max(delivery.c.seen_at)))).scalar_one()
    return None if found is None else int(found)


async def hint(conn: AsyncConnection, moved: Moved, now: int) -> None:
    """Let the worker look soon for everybody whom this concerns; a person's click still goes first.

    The pass is a poll with that account's own token: what a hint says is never taken as true.
    """
    concerned = select(schedule.c.account_id).where(_concerns(moved)).order_by(schedule.c.account_id)
    ids = list((await conn.execute(concerned.with_for_update(key_share=True))).scalars())
    gap = case((schedule.c.failures > 0, GAP_AFTER_FAILURE_S), else_=GAP_S)
    allowed = func.coalesce(schedule.c.claimed_at, 0) + gap
    soon = case((allowed > now, allowed), else_=now)
    values: dict[str, Any] = {
        "hinted_at": func.coalesce(schedule.c.hinted_at, soon),
        "due_at": case((schedule.c.due_at > soon, soon), else_=schedule.c.due_at),
        "priority": case((schedule.c.priority > POLL, POLL), else_=schedule.c.priority),
    }
    if moved.is_access:
        values["walk_asked_at"] = now
    if ids:
        await conn.execute(update(schedule).where(schedule.c.account_id.in_(ids)).values(values))


async def walk_asked_at(conn: AsyncConnection, account_id: int) -> int:
    """When a walk of the whole list was last asked for; 0 when never."""
    found = select(schedule.c.walk_asked_at).where(schedule.c.account_id == account_id)
    return (await conn.execute(found)).scalar_one_or_none() or 0


def _concerns(moved: Moved) -> Any:
    """Who follows such a repository and holds access to it; a change of access concerns who lost it, too."""
    where = or_(
        repository.c.id.in_(sorted(moved.repositories)),
        func.lower(repository.c.owner).in_(sorted(moved.owners)),
    )
    followers = (
        select(follow.c.account_id)
        .join(repository, repository.c.id == follow.c.repository_id)
        .where(follow.c.state == TRACKED, where)
    )
    if not moved.is_access:
        mine = (access.c.repository_id == follow.c.repository_id) & (
            access.c.account_id == follow.c.account_id
        )
        followers = followers.join(access, mine).where(access.c.state == GRANTED)
    return or_(schedule.c.account_id.in_(followers), schedule.c.account_id.in_(sorted(moved.people)))
