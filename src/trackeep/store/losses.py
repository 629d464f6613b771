"""Followed repositories that GitHub shows to their follower no more, and since when nobody has looked."""

from __future__ import annotations

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.activity import LOST
from trackeep.store.schedule import TRACKED
from trackeep.store.tables import access, follow, repository


async def followed_but_lost(conn: AsyncConnection, account_id: int) -> dict[int, str]:
    """Id and last known full name of what this account follows and may not read any more."""
    mine = and_(access.c.repository_id == follow.c.repository_id, access.c.account_id == account_id)
    rows = (
        select(repository.c.id, repository.c.owner, repository.c.name)
        .join(follow, follow.c.repository_id == repository.c.id)
        .join(access, mine)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED, access.c.state == LOST)
        .order_by(repository.c.id)
    )
    return {row.id: f"{row.owner}/{row.name}" for row in await conn.execute(rows)}
