"""Asks once a day which teams the person is in, so that a review asked of a team finds them."""

from __future__ import annotations

from trackeep.github import rest
from trackeep.model import Team
from trackeep.store.schedule import Cursor
from trackeep.store.teams import replace_teams
from trackeep.sync.work import ACCOUNT, Work

STREAM = "teams"
LOOK_EVERY_S = 86_400


async def look(work: Work) -> None:
    """Unchanged, it costs nothing; what fails here waits and fails nothing else.

    A token that may not read organisations claims no team, not even one that an earlier token told of.
    Raises GitHubTokenDead, and whatever ends a pass that is told to stop.
    """
    at = work.cursor(ACCOUNT, STREAM)
    if not work.teams:
        if at.complete:
            await _store(work, [], Cursor())
        return
    if at.due_at > work.now and not (at.failures and work.wishes.urgent):
        return
    async with work.unhurried(STREAM):
        await _read(work, at)


async def _read(work: Work, at: Cursor) -> None:
    page = await rest.my_teams(work.github, conditional=at.complete)
    new = Cursor(complete=True, due_at=work.now + LOOK_EVERY_S, items=at.items)
    if page.not_modified:
        async with work.db.write() as conn:
            await work.advance(conn, ACCOUNT, STREAM, new)
        return
    first, found = page, list(page.items)
    while page.next_url is not None:
        page = await rest.my_teams(work.github, page.next_url)
        found += page.items
    new = Cursor(complete=True, due_at=work.now + LOOK_EVERY_S, items=len(found))
    # An unchanged first page says nothing of the others.
    await _store(work, found, new, (first.url, "" if first.next_url else first.etag))


async def _store(
    work: Work, teams: list[Team], new: Cursor, validator: tuple[str, str] | None = None
) -> None:
    async with work.db.write() as conn:
        await replace_teams(conn, work.account_id, teams)
        if validator is not None:
            await work.keep_validator(conn, *validator)
        await work.advance(conn, ACCOUNT, STREAM, new)
    work.notify()
