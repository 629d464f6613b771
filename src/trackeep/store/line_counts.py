"""Lines that commits added and deleted: which commits are not counted yet, and what GitHub answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.model import LineCounts
from trackeep.store.activity import GRANTED
from trackeep.store.reports_access import among, is_mine
from trackeep.store.schedule import TRACKED
from trackeep.store.tables import access, follow, repository
from trackeep.store.tables_fetched import UNASKED, commit

# A commit that GitHub does not have any more, or whose difference it cannot work out.
UNKNOWN_FOR_S = 30 * 86_400
# A repository that GitHub does not show today.
UNSEEN_FOR_S = 86_400

_uncounted = commit.c.additions.is_(None)


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A commit whose lines are not counted, with its repository's node id and name to ask GitHub by."""

    repository_id: int
    node_id: str
    sha: str
    owner: str
    name: str


async def own(conn: AsyncConnection, account_id: int, *, limit: int) -> list[Uncounted]:
    """Up to `limit` of this person's own commits in what they follow, newest first."""
    rows = (
        _columns()
        .where(is_mine(account_id), UNASKED, among(commit.c.repository_id, _followed(account_id)))
        .order_by(commit.c.authored_at.desc(), commit.c.repository_id)
        .limit(limit)
    )
    return [Uncounted(*row) for row in await conn.execute(rows)]


async def recent(conn: AsyncConnection, account_id: int, since: int, *, limit: int) -> list[Uncounted]:
    """Up to `limit` commits of followed repositories committed at or after `since`, last pushed first."""
    return await _by_repository(conn, account_id, UNASKED & (commit.c.committed_at >= since), limit)


async def remaining(conn: AsyncConnection, account_id: int, now: int, *, limit: int) -> list[Uncounted]:
    """Up to `limit` commits of any age, then those whose next attempt is due."""
    found = await _by_repository(conn, account_id, UNASKED, limit)
    due = _uncounted & (commit.c.counts_due_at > 0) & (commit.c.counts_due_at <= now)
    return found or await _by_repository(conn, account_id, due, limit)


async def save(
    conn: AsyncConnection, counts: Mapping[Uncounted, LineCounts], put_off: Mapping[Uncounted, int]
) -> None:
    """Store what GitHub counted, and for the others the time before which it is not asked again."""
    ids = sorted({each.repository_id for each in (*counts, *put_off)})
    # In everybody's order, and only one at a time for a repository: refs.save_refs waits for the same rows.
    places = select(repository.c.id).where(repository.c.id.in_(ids)).order_by(repository.c.id)
    await conn.execute(places.with_for_update(key_share=True))
    this = (commit.c.repository_id == bindparam("place")) & (commit.c.sha == bindparam("of"))
    counted = [
        {
            "place": each.repository_id,
            "of": each.sha,
            "additions": got.additions,
            "deletions": got.deletions,
            "changed_files": got.changed_files,
        }
        for each, got in counts.items()
    ]
    if counted:
        await conn.execute(update(commit).where(this), counted)
    later = [
        {"place": each.repository_id, "of": each.sha, "counts_due_at": due_at}
        for each, due_at in put_off.items()
    ]
    if later:
        await conn.execute(update(commit).where(this, _uncounted), later)


async def _by_repository(
    conn: AsyncConnection, account_id: int, wanted: ColumnElement[bool], limit: int
) -> list[Uncounted]:
    """One repository after the other, because within each the index gives the newest without sorting."""
    has_some = exists().where(commit.c.repository_id == repository.c.id, wanted)
    places = (
        select(repository.c.id)
        .where(repository.c.id.in_(_followed(account_id)), has_some)
        .order_by(repository.c.pushed_at.desc(), repository.c.id)
    )
    found: list[Uncounted] = []
    for repository_id in (await conn.scalars(places)).all():
        if len(found) >= limit:
            break
        rows = (
            _columns()
            .where(commit.c.repository_id == repository_id, wanted)
            .order_by(commit.c.counts_due_at.desc(), commit.c.committed_at.desc())
            .limit(limit - len(found))
        )
        found += [Uncounted(*row) for row in await conn.execute(rows)]
    return found


def _columns() -> Select[Any]:
    columns = (repository.c.id, repository.c.node_id, commit.c.sha, repository.c.owner, repository.c.name)
    return select(*columns).join_from(commit, repository, repository.c.id == commit.c.repository_id)


def _followed(account_id: int) -> Select[Any]:
    return (
        select(access.c.repository_id)
        .join(follow, follow.c.repository_id == access.c.repository_id)
        .where(access.c.account_id == account_id, access.c.state == GRANTED)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED)
    )
