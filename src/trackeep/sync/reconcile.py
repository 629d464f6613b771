"""Once a week compares every number of a repository with GitHub's own list, in case anything was missed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubRateLimited,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github import rest_inventory
from trackeep.github.graphql_inventory import (
    ISSUES,
    PAGES_AT_ONCE,
    PULLS,
    Listed,
    WantedList,
    inventory,
)
from trackeep.model import PullRequest, Repository
from trackeep.store import activity
from trackeep.store import inventory as stored
from trackeep.store.schedule import Cursor
from trackeep.store.tables_fetched import issue, pull_request
from trackeep.sync import comments, plan, pulls
from trackeep.sync.fallback import either
from trackeep.sync.work import Work

STREAM = "reconcile"
# What GitHub lists, the table that holds it, the stream that fills it.
_KINDS: dict[str, tuple[Table, str]] = {PULLS: (pull_request, pulls.STREAM), ISSUES: (issue, "issues")}
# What GitHub does not list to this token, such as issues that are turned off, is compared with nothing.
_UNLISTED = Listed({}, sys.maxsize, None)

log = structlog.get_logger()


async def run(work: Work, repositories: Sequence[Repository]) -> None:
    """Compare, fetch what is missing or behind, forget what is gone; git and comments are read anew after.

    A page of a list is one transaction with its cursor. What fails here waits and fails nothing else.
    Raises GitHubTokenDead, GitHubRateLimited, and whatever ends a pass that is told to stop.
    """
    waiting = [each for each in repositories if plan.is_reconcile_due(work.cursors, each.id, work.now)]
    try:
        while waiting and work.has_time():
            some, waiting = waiting[:PAGES_AT_ONCE], waiting[PAGES_AT_ONCE:]
            waiting += await _next_pages(work, some)
    except (GitHubTokenDead, GitHubRateLimited):
        raise
    except GitHubError as error:
        if work.github.is_closed:
            raise
        log.warning("weekly comparison put off", account=work.account_id, problem=error.sentence)


async def _next_pages(work: Work, some: Sequence[Repository]) -> list[Repository]:
    """The next page of each of these; returns those that are not done. One that fails waits alone."""
    wanted = {each.id: _wanted(work, each) for each in some}
    pages: dict[tuple[str, str], Listed] | None = None
    with contextlib.suppress(GitHubUnavailable):
        pages = await _inventory(work, list(wanted.values()))
    unfinished = []
    for repository in some:
        asked = wanted[repository.id]
        async with work.guarded(repository, STREAM):
            own = await _inventory(work, [asked]) if pages is None else pages
            await _compare(work, repository, asked, own.get((asked.node_id, asked.kind), _UNLISTED))
            if not work.cursor(repository.id, STREAM).complete:
                unfinished.append(repository)
    return unfinished


async def _inventory(work: Work, wanted: Sequence[WantedList]) -> dict[tuple[str, str], Listed]:
    """A list that was begun the other way is begun anew: neither understands the other's cursor."""

    def own(is_url: bool) -> list[WantedList]:
        return [
            each if ("://" in (each.after or "")) == is_url else replace(each, after=None) for each in wanted
        ]

    return await either(
        work,
        lambda: inventory(work.github, own(is_url=False)),
        lambda: rest_inventory.inventory(work.github, own(is_url=True)),
    )


def _wanted(work: Work, repository: Repository) -> WantedList:
    at = work.cursor(repository.id, STREAM)
    begun = {} if at.complete else at.position
    kind, after = begun.get("kind", PULLS), begun.get("after")
    return WantedList(repository.node_id, kind, after, repository.full_name)


async def _compare(work: Work, repository: Repository, asked: WantedList, page: Listed) -> None:
    table, stream = _KINDS[asked.kind]
    at = work.cursor(repository.id, STREAM)
    begun_at = work.now if at.complete else at.position.get("begun_at", work.now)
    async with work.db.read() as conn:
        late = await stored.behind(conn, table, repository.id, page.updated)
        too_many = page.after is None and await stored.count(conn, table, repository.id) > page.total
    fetched = await _fetched(work, repository, late if asked.kind == PULLS else [])
    numbers = await _every_number(work, asked) if too_many else None
    async with work.db.write() as conn:
        await activity.save_people(conn, activity.people_in(fetched.get(repository.id, ())))
        await pulls.save_numbers(work, conn, fetched)
        if late and asked.kind == ISSUES:
            restarted = {**work.cursor(repository.id, stream).position, "next": None}
            await work.advance(conn, repository.id, stream, Cursor(restarted))
        if numbers is not None:
            place = (work.account_id, repository.id)
            await stored.forget_others(conn, table, place, numbers, begun_at)
        await work.advance(conn, repository.id, STREAM, _after(asked, page, begun_at))
        if work.cursor(repository.id, STREAM).complete:
            await _look_at_git_anew(work, conn, repository)
            await comments.recount(work, conn, repository.id)
    work.notify()


def _after(asked: WantedList, page: Listed, begun_at: int) -> Cursor:
    if page.after is not None:
        return Cursor({"begun_at": begun_at, "kind": asked.kind, "after": page.after})
    if asked.kind == PULLS:
        return Cursor({"begun_at": begun_at, "kind": ISSUES, "after": None})
    return Cursor({"done_at": begun_at}, complete=True)


async def _fetched(
    work: Work, repository: Repository, numbers: Sequence[int]
) -> dict[int, list[PullRequest]]:
    return await pulls.fetch_numbers(work, [(repository, each) for each in numbers]) if numbers else {}


async def _every_number(work: Work, asked: WantedList) -> set[int]:
    """All numbers of a list at once; more are stored than GitHub has, so only the whole list tells which."""
    numbers: set[int] = set()
    after: str | None = None
    while True:
        wanted = replace(asked, after=after)
        page = (await _inventory(work, [wanted])).get((asked.node_id, asked.kind))
        if page is None:
            raise GitHubNoAccess("GitHub does not list this repository to this token.")
        numbers |= page.updated.keys()
        if page.after is None and len(numbers) < page.total:
            raise GitHubUnavailable("GitHub left out a part of its list.", "It is asked again later.")
        if page.after is None:
            return numbers
        after = page.after


async def _look_at_git_anew(work: Work, conn: AsyncConnection, repository: Repository) -> None:
    """Forget up to which push git was read: the next pass asks for the refs, which costs one POST."""
    at = work.cursor(repository.id, "commits")
    position = {name: value for name, value in at.position.items() if name != "pushed_at"}
    await work.advance(conn, repository.id, "commits", Cursor(position, at.complete, items=at.items))
