"""Figures of a whole instance for whoever operates it: how many and how late, never who."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import and_, case, exists, func, or_, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.store.leases import is_held
from trackeep.store.reports_sync import GOOD
from trackeep.store.tables import account, connection, follow, repository, session
from trackeep.store.tables_sync import budget, run, schedule, worker

HOUR_S = 3_600
RUN_COLUMNS = ("rest_requests", "not_modified", "graphql_points", "git_posts", "bytes")


@dataclass(frozen=True)
class Figures:
    """What one look at the database gives; times in unix seconds, None where there is nothing to tell.

    `runs`, `requests` and `received_bytes` are those of runs that ended within the last hour, `remaining` and
    `limits` the smallest of all accounts by GitHub's resource.
    """

    accounts: int
    sessions: int
    repositories: int
    followed: int
    waiting: int
    working: int
    reconnect: int
    oldest_look_at: int | None
    runs: Mapping[str, int]
    requests: Mapping[str, int]
    received_bytes: int
    remaining: Mapping[str, int]
    limits: Mapping[str, int]


@dataclass(frozen=True)
class Worker:
    """One process that syncs, and when it was last heard of (unix seconds)."""

    name: str
    started_at: int
    seen_at: int


@dataclass(frozen=True)
class Size:
    """What the database takes, in bytes; the log of writes is SQLite's alone."""

    database: int
    log: int | None


async def figures(conn: AsyncConnection, now: int) -> Figures:
    """Everything that is counted over all accounts; three queries."""
    counts = dict((await conn.execute(select(*_counts(now)))).one()._mapping)
    runs = await _runs(conn, now)
    # One whose reset has passed is full again, whatever was seen last.
    left = case((budget.c.reset_at > now, budget.c.remaining), else_=budget.c.limit)
    per_resource = select(budget.c.resource, func.min(left), func.min(budget.c.limit))
    budgets = (await conn.execute(per_resource.group_by(budget.c.resource))).all()
    sums = runs.pop("")
    return Figures(
        **counts,
        runs=runs,
        requests={
            "rest": sums["rest_requests"],
            "not_modified": sums["not_modified"],
            "graphql": sums["graphql_points"],
            "git": sums["git_posts"],
        },
        received_bytes=sums["bytes"],
        remaining={resource: left for resource, left, _ in budgets},
        limits={resource: limit for resource, _, limit in budgets},
    )


async def workers(conn: AsyncConnection) -> tuple[Worker, ...]:
    """Every worker that was heard of within a day, the last heard of first; one query."""
    rows = await conn.execute(select(worker).order_by(worker.c.seen_at.desc(), worker.c.name))
    return tuple(Worker(row.name, row.started_at, row.seen_at) for row in rows)


async def needs_worker(conn: AsyncConnection) -> bool:
    """Whether somebody is connected, so that there is something to sync; one query."""
    connected = select(connection.c.account_id).where(connection.c.state == "ok").limit(1)
    return (await conn.execute(connected)).first() is not None


async def size(db: Database, conn: AsyncConnection) -> Size:
    """How large the database is; one query."""
    if not db.is_sqlite:
        found = await conn.execute(text("select pg_database_size(current_database())"))
        return Size(int(found.scalar_one()), None)
    pages = "select page_count * page_size from pragma_page_count(), pragma_page_size()"
    in_use = int((await conn.execute(text(pages))).scalar_one())
    path = make_url(db.url).database or ""
    log = Path(f"{path}-wal")
    return Size(in_use, log.stat().st_size if path and log.exists() else 0)


async def server_version(db: Database, conn: AsyncConnection) -> str:
    """The database program's own version, as "3.46.1"; one query."""
    asked = "select sqlite_version()" if db.is_sqlite else "show server_version"
    return str((await conn.execute(text(asked))).scalar_one())


def _counts(now: int) -> list[Any]:
    follows = exists().where(follow.c.account_id == account.c.id, follow.c.state == "tracked")
    able = and_(connection.c.account_id == account.c.id, connection.c.state == "ok")
    looked = (
        select(func.max(run.c.finished_at))
        .where(run.c.account_id == account.c.id, run.c.outcome.in_(GOOD))
        .correlate(account)
        .scalar_subquery()
    )
    # Whoever has never been looked at waits since they came.
    each = (
        select(func.coalesce(looked, account.c.created_at).label("at")).join(connection, able).where(follows)
    )
    may_ask = and_(
        connection.c.account_id == schedule.c.account_id,
        connection.c.state == "ok",
        or_(connection.c.retry_at.is_(None), connection.c.retry_at <= now),
    )
    due = select(func.count()).select_from(schedule).join(connection, may_ask)
    return [
        _count(account).scalar_subquery().label("accounts"),
        _count(session).where(session.c.expires_at > now).scalar_subquery().label("sessions"),
        _count(repository).scalar_subquery().label("repositories"),
        select(func.count(func.distinct(follow.c.repository_id))).scalar_subquery().label("followed"),
        due.where(schedule.c.due_at <= now, ~is_held()).scalar_subquery().label("waiting"),
        select(func.count()).where(is_held()).scalar_subquery().label("working"),
        _count(connection).where(connection.c.state != "ok").scalar_subquery().label("reconnect"),
        select(func.min(each.subquery().c.at)).scalar_subquery().label("oldest_look_at"),
    ]


def _count(table: Any) -> Any:
    return select(func.count()).select_from(table)


async def _runs(conn: AsyncConnection, now: int) -> dict[str, Any]:
    """Runs by outcome, and below "" the sums of their columns."""
    sums = [func.coalesce(func.sum(run.c[name]), 0).label(name) for name in RUN_COLUMNS]
    statement = select(run.c.outcome, func.count().label("n"), *sums).where(run.c.finished_at > now - HOUR_S)
    rows = (await conn.execute(statement.group_by(run.c.outcome))).all()
    whole = {name: sum(int(row._mapping[name]) for row in rows) for name in RUN_COLUMNS}
    return {**{row.outcome: row.n for row in rows if row.outcome}, "": whole}
