"""Repositories that GitHub shows no more: hidden and kept, said so, and looked for once a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import GitHubNoAccess, GitHubSignOn, GitHubUnavailable
from trackeep.github import rest
from trackeep.github.parse import Listed
from trackeep.model import Repository
from trackeep.store import activity, losses, schedule
from trackeep.store.schedule import Cursor
from trackeep.sync import plan
from trackeep.sync.work import Work

STREAM = "access"
AGAIN_AFTER_S = 24 * 3600
AT_ONCE = 50


async def lose(work: Work, repositories: Iterable[Repository]) -> None:
    """Hide these from this person alone; what was fetched stays, and is shown again with the access."""
    gone = sorted(repositories, key=lambda each: each.id)
    if not gone:
        return
    async with work.db.write() as conn:
        await activity.lose_access(conn, work.account_id, [each.id for each in gone], work.now)
        names = await losses.followed_but_lost(conn, work.account_id)
        for key in (each.id for each in gone if each.id in names):
            await work.advance(conn, key, STREAM, Cursor())
            # The next pass asks for the repository itself, which tells more than a list without it.
            await _say(work, conn, key, f"{names[key]}: it was deleted, or you lost access.", work.now)


async def look_again(work: Work) -> None:
    """Once a day, or when a person asks, see whether GitHub shows again what it did not."""
    async with work.db.read() as conn:
        lost = await losses.followed_but_lost(conn, work.account_id)
    said = [key for (key, stream), at in work.cursors.items() if stream == STREAM and not at.complete]
    if found := set(said) - lost.keys():
        await _found_again(work, found)
    due = [key for key in lost if work.wishes.urgent or work.cursor(key, STREAM).due_at <= work.now]
    for repository_id in due[:AT_ONCE]:
        try:
            await _show(work, await rest.repository_by_id(work.github, repository_id))
        except GitHubNoAccess as error:
            await _still_lost(work, repository_id, lost[repository_id], error)
        except GitHubUnavailable as error:
            if work.github.is_closed:
                raise
            due_at = work.now + plan.backoff_s(work.cursor(repository_id, STREAM).failures + 1)
            async with work.db.write() as conn:
                await _say(work, conn, repository_id, f"{lost[repository_id]}: {error.sentence}", due_at)


async def _show(work: Work, listed: Listed) -> None:
    found = listed.repository
    async with work.db.write() as conn:
        await activity.save_repositories(conn, [found])
        await activity.grant_access(conn, work.account_id, {found.id: listed.permission}, work.now)
    await _found_again(work, [found.id])


async def _found_again(work: Work, ids: Iterable[int]) -> None:
    """Nothing is wrong with these any more; what moved while they were hidden is looked for at once."""
    async with work.db.write() as conn:
        for key in sorted(ids):
            if work.cursor(key, STREAM).complete:
                continue
            await work.advance(conn, key, STREAM, Cursor(complete=True))
            daily = work.cursor(key, plan.DAILY)
            if daily.complete:
                position = {**daily.position, "looked_at": 0}
                await work.advance(conn, key, plan.DAILY, Cursor(position, True, items=daily.items))


async def _still_lost(work: Work, repository_id: int, name: str, error: GitHubNoAccess) -> None:
    why = error.sentence.partition(": ")[2] or error.sentence
    link = error.link if isinstance(error, GitHubSignOn) else ""
    async with work.db.write() as conn:
        await activity.lose_access(conn, work.account_id, [repository_id], work.now)
        await _say(work, conn, repository_id, f"{name}: {why}", work.now + AGAIN_AFTER_S, link)


async def _say(
    work: Work, conn: AsyncConnection, repository_id: int, why: str, due_at: int, link: str = ""
) -> None:
    place = (repository_id, STREAM)
    await schedule.fail(conn, work.account_id, place, why, due_at, link=link)
    work.cursors[place] = replace(work.cursor(*place), due_at=due_at)
