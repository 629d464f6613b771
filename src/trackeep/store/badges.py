"""Badges and cards as rows: made, found by the secret of their address, listed and removed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import sessions
from trackeep.store.people import Admission, may_enter
from trackeep.store.tables import account, person
from trackeep.store.tables_sharing import badge

# What each shows. Those of OF_REPOSITORY are about one repository, the others about the person.
KINDS = {
    "commits": "Commits in 30 days",
    "merged": "Pull requests merged in 30 days",
    "streak": "Current streak",
    "pulls": "Open pull requests of a repository",
    "synced": "Last sync",
    "heatmap": "Calendar of 12 months",
}
OF_REPOSITORY = ("pulls",)
MOST_BADGES = 50


@dataclass(frozen=True)
class Badge:
    """One picture; `is_named` writes the person or repository on it, `counts_private` is asked for alone."""

    id: int
    secret: str
    kind: str
    repository_id: int | None
    is_named: bool
    counts_private: bool
    created_at: int


@dataclass(frozen=True)
class Shared:
    """A badge that is to be seen just now, and who it belongs to."""

    badge: Badge
    who: sessions.Found


async def create(conn: AsyncConnection, account_id: int, new: Badge, now: int) -> int:
    """Save `new`, whose id and time are given here; its id. Raises UsageError where there are too many."""
    mine = badge.c.account_id == account_id
    count = (await conn.execute(select(func.count()).select_from(badge).where(mine))).scalar_one()
    if count >= MOST_BADGES:
        raise UsageError(f"There are {MOST_BADGES} badges already.", "Remove those that no page shows.")
    row = {
        "account_id": account_id,
        "secret": new.secret,
        "kind": new.kind,
        "repository_id": new.repository_id,
        "is_named": new.is_named,
        "counts_private": new.counts_private,
        "created_at": now,
    }
    inserted = await conn.execute(badge.insert().values(row).returning(badge.c.id))
    return int(inserted.scalar_one())


async def find(conn: AsyncConnection, secret: str, rules: Admission) -> Shared | None:
    """The badge at this address, or None; that of a person who may not enter any more is none."""
    admitted = case((may_enter(account.c.id, rules), 1), else_=0)
    statement = (
        sessions.people(badge.c.created_at.label("seen_at"), *_LABELLED)
        .select_from(badge)
        .join(account, account.c.id == badge.c.account_id)
        .join(person, person.c.id == account.c.id)
        .where(badge.c.secret == secret, admitted == 1)
    )
    row = (await conn.execute(statement)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    own = {column.key: values.pop(f"badge_{column.name}") for column in _OWN}
    return Shared(Badge(**own), sessions.Found(**values))


async def badges_of(conn: AsyncConnection, account_id: int) -> tuple[Badge, ...]:
    """Every badge of an account, newest first."""
    statement = select(*_OWN).where(badge.c.account_id == account_id).order_by(badge.c.id.desc())
    return tuple(Badge(**row._mapping) for row in (await conn.execute(statement)).all())


async def remove(conn: AsyncConnection, account_id: int, badge_id: int) -> bool:
    """End a badge of this account; False when it has none such."""
    this = (badge.c.account_id == account_id) & (badge.c.id == badge_id)
    return bool((await conn.execute(delete(badge).where(this))).rowcount)


_OWN = tuple(column for column in badge.c if column.name != "account_id")
_LABELLED = tuple(column.label(f"badge_{column.name}") for column in _OWN)
