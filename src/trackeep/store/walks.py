"""Remembers which stored commits may lack ancestors, because a walk over GitHub's API is not through yet.

GitHub's API gives commits newest first. So the commits of a walk carry the walker's mark until the walk has
met known commits on every path; what carries no mark has all of its ancestors stored. Every account walks
for itself and takes away its own marks, and with them those of others on the same commits: a history that
one of them has as a whole is a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked, upsert
from trackeep.store.history import is_marked
from trackeep.store.tables_fetched import commit, walked

NOBODY = 0
# Commits of a file that was imported: they know no parents, and make way when GitHub shows the repository.
FROM_FILE = -1
_KEY = ("repository_id", "sha", "account_id")


async def give_up(conn: AsyncConnection, repository_id: int, account_id: int) -> None:
    """Begin anew: what the account's earlier walk stored stays, but as nobody's and never as complete."""
    mine = await _marked_by(conn, repository_id, account_id)
    await mark(conn, repository_id, NOBODY, mine)
    await conn.execute(delete(walked).where(_of(repository_id, account_id)))


async def met(conn: AsyncConnection, repository_id: int, account_id: int, shas: Iterable[str]) -> set[str]:
    """Those of `shas` at which this account's walk need not look again: complete, or walked by itself."""
    mine = exists().where(_of(repository_id, account_id), walked.c.sha == commit.c.sha)
    found: set[str] = set()
    for chunk in chunked(list(shas)):
        these = select(commit.c.sha).where(commit.c.repository_id == repository_id, commit.c.sha.in_(chunk))
        found.update(await conn.scalars(these.where(or_(~is_marked(), mine))))
    return found


async def mark(conn: AsyncConnection, repository_id: int, account_id: int, shas: Sequence[str]) -> None:
    """Say of stored commits that they belong to the account's unfinished walk."""
    rows = [{"repository_id": repository_id, "sha": sha, "account_id": account_id} for sha in sorted(shas)]
    await upsert(conn, walked, rows, key=_KEY)


async def finish(conn: AsyncConnection, repository_id: int, account_id: int) -> None:
    """The account's walk has met known commits on every path: its commits are complete for everybody."""
    for chunk in chunked(await _marked_by(conn, repository_id, account_id)):
        these = and_(walked.c.repository_id == repository_id, walked.c.sha.in_(chunk))
        await conn.execute(delete(walked).where(these))


async def settle(conn: AsyncConnection, repository_id: int) -> None:
    """After refs were saved: what they reach is complete, whoever was walking there."""
    if not await are_any(conn, repository_id):
        return
    reached = select(commit.c.sha).where(commit.c.repository_id == repository_id, commit.c.reachable)
    these = and_(walked.c.repository_id == repository_id, walked.c.sha.in_(reached))
    await conn.execute(delete(walked).where(these))


async def are_any(conn: AsyncConnection, repository_id: int) -> bool:
    """Whether any commit of the repository may lack ancestors."""
    found = select(walked.c.sha).where(walked.c.repository_id == repository_id).limit(1)
    return await conn.scalar(found) is not None


def _of(repository_id: int, account_id: int) -> Any:
    return and_(walked.c.repository_id == repository_id, walked.c.account_id == account_id)


async def _marked_by(conn: AsyncConnection, repository_id: int, account_id: int) -> list[str]:
    return list(await conn.scalars(select(walked.c.sha).where(_of(repository_id, account_id))))
