"""What somebody does with repositories they follow: pause, look at again, read from scratch."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store import schedule, tables_sync
from trackeep.store.schedule import PAUSED, TRACKED
from trackeep.store.tables import follow
from trackeep.store.tables_sync import cursor

# What is said of access stays said while everything else is read again.
_KEPT = "access"
_DAILY = "releases"


async def every(conn: AsyncConnection, account_id: int) -> set[int]:
    """All that the account follows, whatever became of it."""
    rows = select(follow.c.repository_id).where(follow.c.account_id == account_id)
    return set((await conn.execute(rows)).scalars())


async def pause(conn: AsyncConnection, account_id: int, ids: Collection[int]) -> None:
    """Ask nothing about these from the next pass on; what was fetched stays in view."""
    await _set(conn, account_id, ids, state=PAUSED)


async def resume(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Go on with these at once."""
    await _set(conn, account_id, ids, state=TRACKED)
    await schedule.request_sync(conn, account_id, now)


async def look_again(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Look at each of these now, also at those that failed and wait; the worker comes at once.

    What a list says of them is not enough: their daily look, which asks for each itself, is due.
    """
    these = _of(cursor, account_id, ids)
    await conn.execute(update(cursor).where(these).values(due_at=None))
    for row in (await conn.execute(select(cursor).where(these, cursor.c.stream == _DAILY))).all():
        at = json.dumps({**json.loads(row.position or "{}"), "looked_at": 0})
        this = these & (cursor.c.stream == _DAILY) & (cursor.c.repository_id == row.repository_id)
        await conn.execute(update(cursor).where(this).values(position=at))
    await schedule.request_sync(conn, account_id, now)


async def read_again(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Read all of these from scratch; what is stored stays in view meanwhile.

    Whoever works for the account loses it, or it would write how far it had come over what is said here.
    """
    this = tables_sync.schedule.c.account_id == account_id
    await conn.execute(select(tables_sync.schedule.c.account_id).where(this).with_for_update())
    await conn.execute(update(tables_sync.schedule).where(this).values(leased_by="", lease_until=None))
    these, commits = _of(cursor, account_id, ids), cursor.c.stream == "commits"
    await conn.execute(delete(cursor).where(these, cursor.c.stream != _KEPT, ~commits))
    # Commits that are stored are not sent again by git, so how many there are is still known.
    anew = {"position": "{}", "complete": False, "due_at": None}
    await conn.execute(update(cursor).where(these, commits).values(**anew))
    await schedule.request_sync(conn, account_id, now)


async def _set(conn: AsyncConnection, account_id: int, ids: Collection[int], **values: Any) -> None:
    await conn.execute(update(follow).where(_of(follow, account_id, ids)).values(**values))


def _of(table: Any, account_id: int, ids: Collection[int]) -> ColumnElement[bool]:
    return and_(table.c.account_id == account_id, table.c.repository_id.in_(sorted(ids)))
