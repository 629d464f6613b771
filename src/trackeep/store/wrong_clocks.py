"""Waits that were written while the computer's clock was ahead, ended once it is right again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.leases import database_now
from trackeep.store.tables import connection
from trackeep.store.tables_sync import cursor, schedule

HOUR_S = 3_600
# Nothing of an account waits longer: 6 hours after failures, an hour or so for GitHub, seconds for a lease.
LONGEST_S = 7 * HOUR_S
# Some things of a repository are looked at once a day.
LONGEST_OF_STREAM_S = 25 * HOUR_S
MINUTE_S = 60


async def put_right(conn: AsyncConnection, now: int, poll_s: int) -> int:
    """End every wait that is longer than any that is given; the number of rows that had one.

    `now` is in unix seconds, `poll_s` the longest time between two looks at an account.
    """
    far, longest = now + LONGEST_S, now + max(LONGEST_S, 2 * poll_s)
    changed = 0
    for column, until, values in (
        (schedule.c.due_at, longest, {"due_at": now}),
        (schedule.c.hinted_at, now + MINUTE_S, {"hinted_at": now}),
        (schedule.c.walk_asked_at, now + MINUTE_S, {"walk_asked_at": now}),
        (schedule.c.lease_until, database_now() + LONGEST_S, {"lease_until": None, "leased_by": ""}),
        (connection.c.retry_at, far, {"retry_at": None}),
        (connection.c.renewal_after, far, {"renewal_after": None}),
        (connection.c.renewal_until, far, {"renewal_until": None, "renewal_by": ""}),
        (cursor.c.due_at, now + LONGEST_OF_STREAM_S, {"due_at": None}),
    ):
        changed += await _ended(conn, column, until, values)
    return changed


async def _ended(conn: AsyncConnection, column: Any, until: Any, values: dict[str, Any]) -> int:
    return int((await conn.execute(update(column.table).where(column > until).values(**values))).rowcount)
