"""The end of what an account or the whole instance has stored."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store import commit_words, ownership, people, walks
from trackeep.store.schedule import unfollow_repositories
from trackeep.store.schema import metadata
from trackeep.store.tables import account, connection, follow, person, repository
from trackeep.store.tables_fetched import walked
from trackeep.store.tables_sync import cursor, schedule, validator


async def leave(conn: AsyncConnection, account_id: int) -> None:
    """Delete an account with everything that is its own; what others read too is not its own.

    An instance whose owner leaves has none, and shows a set-up code again.
    """
    if await ownership.owner_id(conn) == account_id:
        await ownership.vacate(conn)
    await _forget_answers(conn, account_id)
    await people.end_ways_in(conn, account_id)
    # What a walk of theirs has stored of a history that others read is never complete by itself.
    mine = select(walked.c.repository_id).distinct().where(walked.c.account_id == account_id)
    for repository_id in (await conn.scalars(mine)).all():
        await walks.give_up(conn, repository_id, account_id)
    # Everything else that is theirs hangs on this row.
    await conn.execute(delete(account).where(account.c.id == account_id))
    gone = {"name": "", "avatar_url": ""}
    await conn.execute(update(person).where(person.c.id == account_id).values(**gone))


async def part(conn: AsyncConnection, account_id: int, repository_id: int) -> bool:
    """End what an account has to do with a repository; with its last follower go the repository and its rows.

    True when it went.
    """
    await unfollow_repositories(conn, account_id, [repository_id])
    others = select(follow.c.account_id).where(follow.c.repository_id == repository_id).limit(1)
    if (await conn.execute(others)).first() is not None:
        return False
    await forget(conn, repository_id)
    return True


async def forget(conn: AsyncConnection, repository_id: int) -> None:
    """Delete a repository with everything stored of it."""
    await commit_words.forget(conn, [repository_id])
    await conn.execute(delete(cursor).where(cursor.c.repository_id == repository_id))
    # Everything else of it hangs on this row.
    await conn.execute(delete(repository).where(repository.c.id == repository_id))


async def followed_by(conn: AsyncConnection, account_id: int) -> list[int]:
    mine = select(follow.c.repository_id).where(follow.c.account_id == account_id)
    return list((await conn.scalars(mine.order_by(follow.c.repository_id))).all())


async def reset_sync(conn: AsyncConnection, account_id: int, now: int) -> None:
    """Forget how far everything has come, so that the next pass reads it all again; rows stay meanwhile."""
    await _forget_answers(conn, account_id)
    await conn.execute(delete(cursor).where(cursor.c.account_id == account_id))
    again = {"due_at": now, "priority": 0, "failures": 0, "problem": "", "walk_asked_at": now}
    await conn.execute(update(schedule).where(schedule.c.account_id == account_id).values(**again))


async def empty(conn: AsyncConnection) -> None:
    """Delete every row of every table; only the version of the tables stays."""
    await commit_words.forget_all(conn)
    for table in reversed(metadata.sorted_tables):
        await conn.execute(delete(table))


async def connected(conn: AsyncConnection) -> list[int]:
    """Every account that holds a token of GitHub."""
    return list((await conn.scalars(select(connection.c.account_id).order_by(connection.c.account_id))).all())


async def _forget_answers(conn: AsyncConnection, account_id: int) -> None:
    token = select(connection.c.token_fingerprint).where(connection.c.account_id == account_id)
    await conn.execute(delete(validator).where(validator.c.token_fingerprint.in_(token)))
