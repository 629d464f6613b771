"""Compares stored pull requests and issues with the list GitHub gives, and forgets what is gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked
from trackeep.store.activity import GRANTED
from trackeep.store.tables import access, follow
from trackeep.store.tables_fetched import issue, pull_request, review, review_comment, review_request

_BELOW = {issue: (), pull_request: (review, review_comment, review_request)}


async def behind(
    conn: AsyncConnection, table: Table, repository_id: int, updated: Mapping[int, int]
) -> list[int]:
    """Those of `updated` (number to time of the last change) that are missing or stored as they were earlier.

    `table` is pull_request or issue.
    """
    rows = select(table.c.number, table.c.updated_at).where(
        table.c.repository_id == repository_id, table.c.number.in_(sorted(updated))
    )
    stored = {row.number: row.updated_at for row in await conn.execute(rows)}
    return [number for number, at in sorted(updated.items()) if stored.get(number, 0) < at]


async def count(conn: AsyncConnection, table: Table, repository_id: int) -> int:
    """How many rows of the repository are stored."""
    rows = select(func.count()).where(table.c.repository_id == repository_id)
    return int((await conn.execute(rows)).scalar_one())


async def forget_others(
    conn: AsyncConnection, table: Table, place: tuple[int, int], numbers: Collection[int], before: int
) -> int:
    """Delete what is stored, was created before `before` and is not among `numbers`; returns how many.

    `place` is the account that was given the list, and the repository. Issues go when they are deleted,
    transferred or made a discussion; pull requests hardly ever. An empty list may be all that this
    account's token is shown: where others read the same rows it takes nothing away.
    """
    repository_id = place[1]
    if not numbers and await _is_shared(conn, *place):
        return 0
    rows = select(table.c.number).where(table.c.repository_id == repository_id, table.c.created_at < before)
    gone = sorted(set((await conn.execute(rows)).scalars()) - set(numbers))
    for some in chunked(gone):
        for each in (*_BELOW[table], table):
            these = (each.c.repository_id == repository_id) & each.c.number.in_(some)
            await conn.execute(delete(each).where(these))
    return len(gone)


async def _is_shared(conn: AsyncConnection, account_id: int, repository_id: int) -> bool:
    """Whether somebody else, too, follows this repository and may read it."""
    others = (
        select(follow.c.account_id)
        .join(
            access,
            (access.c.repository_id == follow.c.repository_id) & (access.c.account_id == follow.c.account_id),
        )
        .where(follow.c.repository_id == repository_id, follow.c.account_id != account_id)
        .where(access.c.state == GRANTED)
    )
    return (await conn.execute(others.limit(1))).first() is not None
