"""Asks GitHub, with the person's own token, for repositories that they want to follow by name."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import GitHubError, GitHubNoAccess, GitHubRateLimited, GitHubSignOn, GitHubTokenDead
from trackeep.github import rest
from trackeep.github.parse import Listed
from trackeep.store import activity, following, wishes
from trackeep.sync.work import Work


async def grant(work: Work) -> None:
    """Follow what GitHub shows of the names that wait, and say of the others why not.

    Raises GitHubRateLimited and GitHubTokenDead; what was not asked by then waits for the next pass.
    """
    async with work.db.read() as conn:
        names = await wishes.waiting(conn, work.account_id)
    for name in names:
        await _ask(work, name)


async def _ask(work: Work, name: str) -> None:
    problem, link = "", ""
    try:
        found = await rest.repository(work.github, name)
    except (GitHubRateLimited, GitHubTokenDead):
        raise
    except GitHubSignOn as error:
        problem, link = error.sentence, error.link
    except GitHubNoAccess:
        problem = "GitHub shows no such repository to you: check its name, and what your token may read."
    except GitHubError as error:
        if work.github.is_closed:
            raise
        problem = error.sentence
    async with work.db.write() as conn:
        if not problem:
            await follow(conn, work.account_id, found, work.now)
        await wishes.answer(conn, work.account_id, name, work.now, problem=problem, link=link)
    work.notify()


async def follow(conn: AsyncConnection, account_id: int, found: Listed, now: int) -> None:
    """Follow what the account's own token has just been shown."""
    await activity.save_repositories(conn, [found.repository])
    await activity.grant_access(conn, account_id, {found.repository.id: found.permission}, now)
    await following.track(conn, account_id, [found.repository.id], now)
