"""What somebody does with repositories they follow: pause, hide, tag, look at again, read from scratch."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.store import paths, schedule
from trackeep.store.schedule import FILES, PAUSED, TRACKED
from trackeep.store.tables import follow
from trackeep.store.tables_choices import repository_tag
from trackeep.store.tables_sync import cursor

MOST_TAGS = 100
LONGEST_TAG = 40
# What is said of access stays said while everything else is read again.
_KEPT = "access"


async def every(conn: AsyncConnection, account_id: int) -> set[int]:
    """All that the account follows, whatever became of it."""
    rows = select(follow.c.repository_id).where(follow.c.account_id == account_id)
    return set((await conn.execute(rows)).scalars())


async def track(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Follow these, or go on with them, in sight."""
    await schedule.follow_repositories(conn, account_id, ids, now)
    await _set(conn, account_id, ids, hidden=False)
    await look_again(conn, account_id, ids, now)


async def pause(conn: AsyncConnection, account_id: int, ids: Collection[int]) -> None:
    """Ask nothing about these from the next pass on; what was fetched stays in view."""
    await _set(conn, account_id, ids, state=PAUSED)


async def resume(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Go on with these at once, with what changed meanwhile: the lists of changes have passed it by."""
    await _set(conn, account_id, ids, state=TRACKED)
    await look_again(conn, account_id, ids, now)


async def hide(conn: AsyncConnection, account_id: int, ids: Collection[int], *, hidden: bool) -> None:
    """Leave these out of the follower's lists of repositories, or show them there again."""
    await _set(conn, account_id, ids, hidden=hidden)


async def archive(conn: AsyncConnection, account_id: int, ids: Collection[int]) -> None:
    """Keep these as they are: asked about no more, and out of the lists."""
    await _set(conn, account_id, ids, state=PAUSED, hidden=True)


async def tag(conn: AsyncConnection, account_id: int, ids: Collection[int], word: str) -> bool:
    """Put the person's own word on these; False when they have too many different ones already."""
    mine = repository_tag.c.account_id == account_id
    others = select(func.count(repository_tag.c.tag.distinct())).where(mine, repository_tag.c.tag != word)
    if (await conn.execute(others)).scalar_one() >= MOST_TAGS:
        return False
    rows = [{"account_id": account_id, "repository_id": each, "tag": word} for each in sorted(ids)]
    await upsert(conn, repository_tag, rows, key=["account_id", "repository_id", "tag"])
    return True


async def untag(conn: AsyncConnection, account_id: int, ids: Collection[int], word: str) -> None:
    """Take the word off these."""
    these = _of(repository_tag, account_id, ids)
    await conn.execute(delete(repository_tag).where(these, repository_tag.c.tag == word))


async def look_again(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Look at each of these now, also at those that failed and wait; the worker comes at once.

    What a list says of them is not enough: their daily look, which asks for each itself, is due.
    """
    these = _of(cursor, account_id, ids)
    await conn.execute(update(cursor).where(these).values(due_at=None))
    daily = cursor.c.stream == schedule.DAILY
    for row in (await conn.execute(select(cursor).where(these, daily))).all():
        at = schedule.looked_at(row.position, 0)
        this = these & daily & (cursor.c.repository_id == row.repository_id)
        await conn.execute(update(cursor).where(this).values(position=at))
    await schedule.request_sync(conn, account_id, now)


async def read_again(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Read all of these from scratch; what is stored stays in view meanwhile.

    Whoever works for the account loses it, or it would write how far it had come over what is said here.
    """
    await schedule.take_from_worker(conn, account_id)
    these = _of(cursor, account_id, ids)
    await conn.execute(delete(cursor).where(these, cursor.c.stream != _KEPT))
    # Commits that are stored are not sent again by git unless it is told that none is.
    deep = {"account_id": account_id, "stream": "commits", "position": json.dumps({"deep": True})}
    await conn.execute(cursor.insert(), [{**deep, "repository_id": each} for each in sorted(ids)])
    await schedule.request_sync(conn, account_id, now)


async def ask_for_files(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Have the next pass fetch which files each commit of these changed; the worker comes at once."""
    await _set(conn, account_id, ids, files=True)
    waits = _of(cursor, account_id, ids) & (cursor.c.stream == FILES)
    await conn.execute(update(cursor).where(waits).values(due_at=None))
    await schedule.request_sync(conn, account_id, now)


async def give_up_files(conn: AsyncConnection, account_id: int, ids: Collection[int]) -> None:
    """Do without them again; they are deleted where nobody else asks for them.

    Whoever works for the account loses it, or would store a page behind what is deleted here.
    """
    await schedule.take_from_worker(conn, account_id)
    await _set(conn, account_id, ids, files=False)
    gone = _of(cursor, account_id, ids) & (cursor.c.stream == FILES)
    await conn.execute(delete(cursor).where(gone))
    await paths.forget_unasked(conn, ids)


async def _set(conn: AsyncConnection, account_id: int, ids: Collection[int], **values: Any) -> None:
    await conn.execute(update(follow).where(_of(follow, account_id, ids)).values(**values))


def _of(table: Any, account_id: int, ids: Collection[int]) -> ColumnElement[bool]:
    return and_(table.c.account_id == account_id, table.c.repository_id.in_(sorted(ids)))
