"""Brings comments on lines of pull requests up to date: a whole list once, later only what may be new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.github import rest
from trackeep.github.rest import Page
from trackeep.model import PullRequest, Repository, ReviewComment
from trackeep.store import activity
from trackeep.store import comments as stored
from trackeep.store.schedule import Cursor
from trackeep.sync.work import Work

STREAM = "comments"
# A `since` before GitHub existed makes it answer nothing at all.
EARLIEST = 1_199_145_600


async def sync(work: Work, repositories: Sequence[Repository]) -> None:
    """Read the whole list of each repository that has reviews once, later only what is expected to be new.

    A page is one transaction with its cursor. Nothing is asked where no pull request with review threads
    has changed, so that most changes cost nothing here.
    """
    open_ones = [each for each in repositories if _is_wanted(work, each)]
    unread = [each.id for each in open_ones if not work.cursor(each.id, STREAM).position]
    async with work.db.read() as conn:
        without = set(unread) - await stored.reviewed(conn, unread)
    for repository in open_ones:
        if repository.id in without:
            continue
        async with work.guarded(repository, STREAM):
            while not work.cursor(repository.id, STREAM).complete and work.has_time():
                await _next_page(work, repository)


async def expect(work: Work, conn: AsyncConnection, repository_id: int, pulls: Sequence[PullRequest]) -> None:
    """There may be new comments where one of `pulls` with threads has changed, or with reviews, when its
    threads are not known. In the transaction that saves them, and before: nobody sees the change later."""
    at = work.cursor(repository_id, STREAM)
    if not at.complete:
        return
    known = await activity.known_updates(conn, {repository_id: [each.number for each in pulls]})
    changed = [each for each in pulls if known.get((repository_id, each.number), 0) < each.updated_at]
    if any(each.reviews if each.threads is None else each.threads for each in changed):
        await work.advance(conn, repository_id, STREAM, Cursor(at.position, items=at.items))


async def recount(work: Work, conn: AsyncConnection, repository_id: int) -> None:
    """Have the next `sync` read the whole list anew, which finds comments that were deleted on GitHub.

    A request for each hundred comments; for now and then, such as a weekly comparison.
    """
    if work.cursor(repository_id, STREAM).complete:
        await work.advance(conn, repository_id, STREAM, Cursor())


def _is_wanted(work: Work, repository: Repository) -> bool:
    at = work.cursor(repository.id, STREAM)
    return not at.complete and (work.wishes.urgent or at.due_at <= work.now)


async def _next_page(work: Work, repository: Repository) -> None:
    at, asked_at = work.cursor(repository.id, STREAM), work.now
    since: int | None = at.position.get("since")
    begun = {"began_at": asked_at, "newest": since or EARLIEST}
    walk: dict[str, Any] = begun | at.position.get("walk", {})
    next_url = walk.get("next")
    page = await rest.review_comments(
        work.github, repository.full_name, since, next_url, conditional=since is not None and not next_url
    )
    # The newest come first; what changes meanwhile moves to the front and is newer than this.
    walk["newest"] = max(walk["newest"], *(each.updated_at for each in page.items), EARLIEST)
    async with work.db.write() as conn:
        await activity.save_people(conn, (each.author for each in page.items))
        await stored.save_comments(conn, repository.id, page.items, asked_at)
        if page.next_url is None and since is None:
            await stored.forget_unseen(conn, repository.id, walk["began_at"])
        await work.advance(conn, repository.id, STREAM, _after(at, page, walk))
        if page.next_url is None and since == walk["newest"] and not page.not_modified:
            # Nothing new: the same address will be asked again.
            await work.keep_validator(conn, page.url, page.etag)
    work.notify()


def _after(at: Cursor, page: Page[ReviewComment], walk: dict[str, Any]) -> Cursor:
    items = at.items + len(page.items)
    if page.next_url is None:
        return Cursor({"since": walk["newest"]}, complete=True, items=items)
    walk["next"] = page.next_url
    return Cursor({**at.position, "walk": walk}, items=items)
