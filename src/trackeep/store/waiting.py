"""What must outlive a process so that GitHub is asked no sooner and no faster than it allows."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.model import Waiting
from trackeep.store.tables import connection
from trackeep.store.tables_sync import run


async def wait_for_github(
    conn: AsyncConnection, account_id: int, retry_at: int | None, refusals: Mapping[str, int]
) -> None:
    """Nothing is asked for this account, with whatever token, before `retry_at` (unix seconds)."""
    this = connection.c.account_id == account_id
    values = {"retry_at": retry_at, "refusals": json.dumps(refusals)}
    await conn.execute(update(connection).where(this).values(values))


async def waiting(conn: AsyncConnection, account_id: int, now: int) -> Waiting:
    """How long to wait, and what runs that ended within the last minute have spent of it."""
    this = connection.c.account_id == account_id
    row = (await conn.execute(select(connection.c.retry_at, connection.c.refusals).where(this))).first()
    lately = select(run).where(run.c.account_id == account_id, run.c.finished_at > now - 60)
    spent = {"core": 0, "graphql": 0, "git": 0}
    for each in await conn.execute(lately):
        # Of a long run, only its last minute counts.
        share = min(1.0, 60 / max(1, each.finished_at - each.started_at))
        spent["core"] += round(each.rest_requests * share)
        spent["graphql"] += round(each.graphql_points * share)
        spent["git"] += round(each.git_posts * share)
    if row is None:
        return Waiting(spent=spent)
    return Waiting(row.retry_at or 0, json.loads(row.refusals or "{}"), spent)
