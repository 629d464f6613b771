"""Writes how far branches are from the default branch, for the two commits they point at."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.metrics.branches import Distance
from trackeep.store.tables import repository
from trackeep.store.tables_branches import branch_distance


async def save(
    conn: AsyncConnection, repository_id: int, base_sha: str, found: Mapping[str, Distance]
) -> None:
    """Keep the distances of heads, by their sha, from `base_sha`; those from an older base go."""
    # A repository that was just deleted has no distances any more.
    place = select(repository.c.id).where(repository.c.id == repository_id)
    if await conn.scalar(place.with_for_update(read=True, key_share=True)) is None:
        return
    here = branch_distance.c.repository_id == repository_id
    await conn.execute(delete(branch_distance).where(here, branch_distance.c.base_sha != base_sha))
    rows = [
        {
            "repository_id": repository_id,
            "base_sha": base_sha,
            "head_sha": head,
            "ahead": distance.ahead,
            "behind": distance.behind,
        }
        for head, distance in sorted(found.items())
    ]
    await upsert(conn, branch_distance, rows, key=("repository_id", "base_sha", "head_sha"))
