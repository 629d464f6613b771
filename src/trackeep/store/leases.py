"""Who works for whom: accounts are leased to one worker at a time, and the longest waiting comes first.

Times of leases are told by the database alone, so that machines whose clocks differ agree on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, and_, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from trackeep.database import upsert
from trackeep.store.schedule import BACKFILL, CLICK, POLL
from trackeep.store.tables import connection
from trackeep.store.tables_sync import schedule, worker

LEASE_S = 90
# A worker says every quarter of a minute that it lives.
SILENT_AFTER_S = 120
# A click goes before polls that have waited for less than a minute, and either of them before a backfill
# that has waited for less than a quarter of an hour. Whoever has waited longer goes first whatever it is
# for: nobody waits for ever, however many click.
BEHIND_S = {CLICK: 0, POLL: 60, BACKFILL: 900}


@dataclass(frozen=True, slots=True)
class Claim:
    """An account to work for until its lease ends; `worker` is a name for this claim alone."""

    account_id: int
    worker: str
    priority: int
    failures: int
    is_hinted: bool = False
    lease_s: int = LEASE_S


class database_now(FunctionElement[int]):
    """Unix seconds by the database's clock, at this very statement."""

    type = BigInteger()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _on_sqlite(*_: Any, **__: Any) -> str:
    return "cast(strftime('%s', 'now') as integer)"


@compiles(database_now, "postgresql")
def _on_postgresql(*_: Any, **__: Any) -> str:
    # now() would be the time at which the transaction began, before it waited for a lock.
    return "cast(floor(extract(epoch from clock_timestamp())) as bigint)"


async def claim(conn: AsyncConnection, name: str, now: int, *, lease_s: int = LEASE_S) -> Claim | None:
    """The account that comes next, of those that are due and that nobody works for; None without one.

    GitHub's own waiting time of an account is kept even when a person asks for more. `name` has to be a
    new one for each claim, and `now` tells what is due.
    """
    next_one = _line(now, schedule.c.account_id).with_for_update(skip_locked=True, of=schedule)
    account_id = (await conn.execute(next_one)).scalar_one_or_none()
    if account_id is None:
        return None
    return await claim_account(conn, account_id, name, now, lease_s=lease_s)


async def claim_account(
    conn: AsyncConnection, account_id: int, name: str, now: int, *, lease_s: int = LEASE_S
) -> Claim | None:
    """The lease of this very account, due or not; None while another worker holds it."""
    row = {"account_id": account_id, "due_at": now}
    await upsert(conn, schedule, [row], key=["account_id"], keep=["due_at"])
    # This lock waits for a transaction of the last holder (see `is_held_by`), and a new one waits for us.
    free = (
        select(schedule.c.priority, schedule.c.failures, schedule.c.hinted_at, _patience(conn, lease_s))
        .select_from(schedule)
        .where(schedule.c.account_id == account_id, ~is_held())
        .with_for_update()
    )
    was = (await conn.execute(free)).first()
    if was is None:
        return None
    # A request or a hint that arrives from here on is set again, which `release` notices.
    await conn.execute(
        update(schedule)
        .where(schedule.c.account_id == account_id)
        .values(
            leased_by=name,
            lease_until=database_now() + lease_s,
            # Whoever was just served goes to the end of the line, also when asked for meanwhile.
            due_at=now,
            priority=POLL,
            claimed_at=now,
            hinted_at=None,
        )
    )
    return Claim(account_id, name, was.priority, was.failures, was.hinted_at is not None, lease_s)


async def most_urgent(conn: AsyncConnection, now: int) -> int | None:
    """The priority of the account that `claim` would give; None when nobody waits."""
    found = (await conn.execute(_line(now, schedule.c.priority))).scalar_one_or_none()
    return None if found is None else int(found)


async def holder(conn: AsyncConnection, account_id: int) -> str:
    """The name under which somebody works for this account, or ""."""
    found = select(schedule.c.leased_by).where(schedule.c.account_id == account_id, is_held())
    return (await conn.execute(found)).scalar_one_or_none() or ""


async def heartbeat(conn: AsyncConnection, claimed: Claim) -> bool:
    """Hold the lease longer; False when it was lost, and the work has to stop."""
    longer = update(schedule).where(_is_mine(claimed)).values(lease_until=database_now() + claimed.lease_s)
    held = await conn.execute(longer.returning(_patience(conn, claimed.lease_s)))
    return held.first() is not None


async def is_held_by(conn: AsyncConnection, claimed: Claim) -> bool:
    """Whether nobody has taken the account over; when True nobody can before the transaction's end.

    On PostgreSQL a lock on the row sees to that, one that heartbeats and clicks do not wait for; SQLite
    has one writer.
    """
    mine = select(_patience(conn, claimed.lease_s)).select_from(schedule).where(_is_mine(claimed))
    return (await conn.execute(mine.with_for_update(read=True, key_share=True))).first() is not None


async def release(
    conn: AsyncConnection,
    claimed: Claim,
    due_at: int,
    *,
    priority: int = POLL,
    failures: int = 0,
    problem: str = "",
) -> None:
    """Give the account back until `due_at`, sooner when a person asked or GitHub hinted meanwhile."""
    asked, hinted = schedule.c.priority == CLICK, schedule.c.hinted_at < due_at
    await conn.execute(
        update(schedule)
        .where(_is_mine(claimed))
        .values(
            leased_by="",
            lease_until=None,
            due_at=case((asked, schedule.c.due_at), (hinted, schedule.c.hinted_at), else_=due_at),
            priority=case((asked, CLICK), else_=priority),
            failures=failures,
            problem=problem,
        )
    )


async def free(conn: AsyncConnection, name: str) -> None:
    """End what was held under a name whose process is known to be dead."""
    await conn.execute(
        update(schedule).where(schedule.c.leased_by == name).values(leased_by="", lease_until=None)
    )
    await remove_worker(conn, name)


async def names(conn: AsyncConnection) -> set[str]:
    """Under which names accounts are held, and those of all workers."""
    held = await conn.execute(select(schedule.c.leased_by).where(schedule.c.leased_by != ""))
    workers = await conn.execute(select(worker.c.name))
    return {*held.scalars(), *workers.scalars()}


async def workers_seen(conn: AsyncConnection, since: int) -> list[str]:
    """Names of the workers that were heard from at `since` (unix seconds) or later."""
    return list(await conn.scalars(select(worker.c.name).where(worker.c.seen_at >= since)))


async def save_worker(conn: AsyncConnection, name: str, started_at: int, now: int) -> None:
    """The worker lives; rows of those silent for a day go."""
    await conn.execute(delete(worker).where(worker.c.seen_at < now - 86_400))
    await upsert(conn, worker, [{"name": name, "started_at": started_at, "seen_at": now}], key=["name"])


async def remove_worker(conn: AsyncConnection, name: str) -> None:
    await conn.execute(delete(worker).where(worker.c.name == name))


def is_held() -> Any:
    """The condition that somebody works for the account of a row of `schedule`."""
    return func.coalesce(schedule.c.lease_until, 0) > database_now()


def _line(now: int, wanted: Any) -> Any:
    """`wanted` of the account at the head of the line."""
    may_ask = and_(
        connection.c.account_id == schedule.c.account_id,
        connection.c.state == "ok",
        connection.c.access_token.is_not(None),
        or_(connection.c.retry_at.is_(None), connection.c.retry_at <= now),
    )
    behind_s = case(BEHIND_S, value=schedule.c.priority, else_=BEHIND_S[BACKFILL])
    return (
        select(wanted)
        .join(connection, may_ask)
        .where(schedule.c.due_at <= now, ~is_held())
        .order_by(schedule.c.due_at + behind_s, schedule.c.account_id)
        .limit(1)
    )


def _patience(conn: AsyncConnection, lease_s: int) -> Any:
    """A column that has PostgreSQL end this transaction with the lease when its process falls silent in it.

    Else the locks of one that is suspended half-way would keep everybody else from the account.
    """
    if conn.dialect.name != "postgresql":
        return schedule.c.account_id.label("patience")
    setting = func.set_config("idle_in_transaction_session_timeout", str(lease_s * 1000), True)
    return setting.label("patience")


def _is_mine(claimed: Claim) -> Any:
    return and_(schedule.c.account_id == claimed.account_id, schedule.c.leased_by == claimed.worker)
