"""What works and what waits: workers, the line of accounts, budgets of the last day, how far back it goes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.leases import is_held
from trackeep.store.reports_access import Reader, followed
from trackeep.store.reports_sync import Stream
from trackeep.store.schedule import READING_S, READINGS
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import commit, issue, pull_request, release, review_comment
from trackeep.store.tables_sync import budget_reading, cursor, schedule, worker

# What each stream's rows are dated by.
_DATED = {
    "commits": commit.c.committed_at,
    "pulls": pull_request.c.created_at,
    "issues": issue.c.created_at,
    "comments": review_comment.c.created_at,
    "releases": release.c.published_at,
}


@dataclass(frozen=True)
class Line:
    """Workers that live, by when each was seen last, and how many accounts wait for one."""

    seen_at: tuple[int, ...]
    started_at: int | None
    waiting: int
    working: int


async def line(conn: AsyncConnection, now: int, *, alive_s: int = 120) -> Line:
    """Numbers about the whole instance that name nobody; two queries."""
    alive = select(worker.c.seen_at, worker.c.started_at).where(worker.c.seen_at >= now - alive_s)
    workers = (await conn.execute(alive.order_by(worker.c.seen_at.desc()))).all()
    held = select(func.count()).where(is_held()).scalar_subquery()
    due = select(func.count()).where(schedule.c.due_at <= now, ~is_held()).scalar_subquery()
    waiting, working = (await conn.execute(select(due, held))).one()
    first = min((row.started_at for row in workers), default=None)
    return Line(tuple(row.seen_at for row in workers), first, waiting, working)


async def readings(conn: AsyncConnection, account_id: int, now: int) -> dict[str, tuple[float | None, ...]]:
    """The share of each budget that was used at most, per half hour of the last day, oldest first."""
    first = now // READING_S - READINGS + 1
    mine = budget_reading.c.account_id == account_id
    rows = select(budget_reading).where(mine, budget_reading.c.slot_at >= first * READING_S)
    found: dict[str, list[float | None]] = {}
    for row in (await conn.execute(rows)).all():
        place = row.slot_at // READING_S - first
        if place < READINGS and row.limit:
            found.setdefault(row.resource, [None] * READINGS)[place] = row.used / row.limit
    return {resource: tuple(shares) for resource, shares in found.items()}


async def account_streams(conn: AsyncConnection, account_id: int) -> tuple[Stream, ...]:
    """What is asked for the account as a whole, such as its list of repositories; one query."""
    names = (
        *("complete", "attempted_at", "succeeded_at", "due_at", "failures", "problem", "link"),
        *("items", "expected", "requests", "conditional", "not_modified"),
    )
    rows = (
        select(cursor.c.stream, *(cursor.c[name] for name in names))
        .where(cursor.c.account_id == account_id, cursor.c.repository_id == 0, cursor.c.requests > 0)
        .order_by(cursor.c.stream)
    )
    return tuple(
        Stream(row.stream, **{name: row._mapping[name] for name in names})
        for row in (await conn.execute(rows)).all()
    )


async def oldest(conn: AsyncConnection, reader: Reader, repository_id: int) -> dict[str, int | None]:
    """How far back what is stored of a followed repository reaches, by stream; one query."""
    mine = select(repository.c.id).where(
        repository.c.id == repository_id, repository.c.id.in_(followed(reader))
    )
    dates = [
        select(func.min(column)).where(column.table.c.repository_id.in_(mine)).scalar_subquery().label(stream)
        for stream, column in _DATED.items()
    ]
    return dict((await conn.execute(select(*dates))).one()._mapping)
