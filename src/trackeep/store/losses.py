"""Followed repositories that GitHub shows to their follower no more, and since when nobody has looked."""

from __future__ import annotations

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.activity import LOST
from trackeep.store.schedule import TRACKED
from trackeep.store.tables import access, follow


async def followed_but_lost(conn: AsyncConnection, account_id: int) -> dict[int, str]:
    """What this account follows and may not read any more, and its full name as the account knew it."""
    mine = and_(access.c.repository_id == follow.c.repository_id, access.c.account_id == account_id)
    rows = (
        select(access.c.repository_id, access.c.known_as)
        .join(follow, mine)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED, access.c.state == LOST)
        .order_by(access.c.repository_id)
    )
    return {row.repository_id: row.known_as for row in await conn.execute(rows)}
