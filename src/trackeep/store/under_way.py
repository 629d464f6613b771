"""What is being fetched right now, for whoever watches: each repository's stream and how far it has come."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.schedule import STREAMS, TRACKED
from trackeep.store.tables import follow, repository
from trackeep.store.tables_sync import cursor


@dataclass(frozen=True, slots=True)
class UnderWay:
    """`done` of `total` things of one stream; `total` is None where nobody knows how many there are."""

    repository: str
    stream: str
    done: int
    total: int | None


async def under_way(conn: AsyncConnection, account_id: int) -> tuple[UnderWay, ...]:
    """The streams of the account's followed repositories that have begun and are not complete; one query."""
    mine = and_(follow.c.repository_id == cursor.c.repository_id, follow.c.account_id == account_id)
    has_begun = cursor.c.attempted_at > func.coalesce(cursor.c.succeeded_at, 0)
    statement = (
        select(
            repository.c.owner,
            repository.c.name,
            cursor.c.stream,
            cursor.c.position,
            cursor.c["items"].label("stored"),
        )
        .join(repository, repository.c.id == cursor.c.repository_id)
        .join(follow, mine)
        .where(
            cursor.c.account_id == account_id,
            cursor.c.stream.in_(STREAMS),
            cursor.c.complete.is_(False),
            follow.c.state == TRACKED,
            or_(has_begun, cursor.c["items"] > 0),
        )
        .order_by(cursor.c.attempted_at.desc(), repository.c.owner, repository.c.name, cursor.c.stream)
    )
    found = []
    for row in (await conn.execute(statement)).all():
        position = json.loads(row.position or "{}")
        total = position.get("total")
        done = int(position.get("read", 0)) if total is not None else row.stored
        found.append(UnderWay(f"{row.owner}/{row.name}", row.stream, done, total))
    return tuple(found)
