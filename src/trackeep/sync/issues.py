"""Brings issues up to date over REST, and polls the list of everything that changed anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from trackeep.errors import GitHubGone, GitHubNoAccess
from trackeep.github import rest
from trackeep.github.parse import Changed
from trackeep.github.parse_graphql import Pulse
from trackeep.model import Issue, PullRequest, Repository
from trackeep.store import activity
from trackeep.store.schedule import Cursor
from trackeep.sync import pulls
from trackeep.sync.work import ACCOUNT, Work

STREAM, CHANGED = "issues", "changed"
# `since` moves on only when the list behind it has grown, so that its validator stays good.
LONGEST_LIST = 50


async def backfill(work: Work, repositories: Sequence[Repository]) -> None:
    """Fetch every issue of these, last changed first; each page is stored with its cursor."""
    for repository in repositories:
        async with work.guarded(repository, STREAM):
            await _read_to_the_end(work, repository)


async def poll_changed(work: Work, followed: Sequence[Repository]) -> None:
    """Fetch what changed in any followed repository that the list across all of the person's tells of.

    A token that may not ask for that list is remembered; its repositories are watched one by one.
    Source: https://docs.github.com/en/rest/issues/issues#list-issues-assigned-to-the-authenticated-user
    """
    at = work.cursor(ACCOUNT, CHANGED)
    if not at.position or is_refused(work):
        return
    repositories = {each.id: each for each in followed}
    since = int(at.position["since"])
    try:
        page = await rest.changed_issues(work.github, since, conditional=True)
    except GitHubNoAccess:
        async with work.db.write() as conn:
            position = {**at.position, "refused": work.github.token_fingerprint}
            await work.advance(conn, ACCOUNT, CHANGED, Cursor(position, True))
        return
    while not page.not_modified:
        await _store_changed(work, repositories, page)
        if page.next_url is None:
            return
        before, since = since, int(work.cursor(ACCOUNT, CHANGED).position["since"])
        # A later page may skip what moved up meanwhile; the first page of a later start cannot. Only a
        # hundred changes within one second leave no later start.
        page = await rest.changed_issues(work.github, since, page.next_url if since == before else None)


def is_refused(work: Work) -> bool:
    """True when this very token may not ask for the list across repositories."""
    return work.cursor(ACCOUNT, CHANGED).position.get("refused") == work.github.token_fingerprint


async def fetch_moved(
    work: Work, repositories: Mapping[int, Repository], pulses: Mapping[int, Pulse]
) -> None:
    """Fetch what changed in repositories that only the pulse watches."""
    for repository_id, pulse in pulses.items():
        repository = repositories[repository_id]
        newest = max(pulse.pulls_at, pulse.issues_at)
        first = max(work.cursor(repository_id, stream).position["at"] for stream in (pulls.STREAM, STREAM))
        since = work.cursor(repository_id, "pulse").position.get("at", first)
        async with work.guarded(repository, "pulse"):
            if newest != since:
                await _fetch_since(work, repository, since)
            async with work.db.write() as conn:
                await work.advance(conn, repository_id, "pulse", Cursor({"at": newest}, complete=True))


async def _read_to_the_end(work: Work, repository: Repository) -> None:
    """Every page that is still missing; where issues are turned off (410) nothing is."""
    while not work.cursor(repository.id, STREAM).complete and work.has_time():
        try:
            await _next_page(work, repository)
        except GitHubGone:
            at = work.cursor(repository.id, STREAM)
            async with work.db.write() as conn:
                await work.advance(conn, repository.id, STREAM, replace(at, complete=True))


async def _next_page(work: Work, repository: Repository) -> None:
    at = work.cursor(repository.id, STREAM)
    page = await rest.issues(work.github, repository, at.position.get("next"))
    position: dict[str, Any] = {**at.position, "next": page.next_url}
    new = Cursor(position, complete=page.next_url is None, items=at.items + len(page.items))
    async with work.db.write() as conn:
        await activity.save_people(conn, (each.author for each in page.items))
        await activity.save_issues(conn, repository.id, page.items)
        await work.advance(conn, repository.id, STREAM, new)
    work.found.issues += len(page.items)
    work.notify()


async def _fetch_since(work: Work, repository: Repository, since: int) -> None:
    next_url: str | None = None
    while True:
        page = await rest.issues_changed(work.github, repository, since, next_url)
        fresh = await _fresh(work, {repository.id: repository}, page.items)
        await _store(work, {repository.id: repository}, fresh, None)
        if page.next_url is None:
            return
        before, since = since, max(each.updated_at for each in page.items)
        next_url = page.next_url if since == before else None


async def _store_changed(
    work: Work, repositories: Mapping[int, Repository], page: rest.Page[Changed]
) -> None:
    """One page of changes: what is new in it, the cursor and the validator in one transaction."""
    fresh = await _fresh(work, repositories, page.items)
    newest = max((each.updated_at for each in page.items), default=0)
    since = int(work.cursor(ACCOUNT, CHANGED).position["since"])
    if page.next_url is not None or len(page.items) > LONGEST_LIST:
        since = max(since, newest)
    await _store(work, repositories, fresh, Cursor({"since": since, "polled": True}, True), page)


async def _fresh(
    work: Work, repositories: Mapping[int, Repository], items: Sequence[Changed]
) -> list[Changed]:
    """Those whose stored state is older, in repositories that are followed."""
    ours = [each for each in items if each.repository_id in repositories]
    numbers: dict[int, set[int]] = {}
    for each in ours:
        numbers.setdefault(each.repository_id, set()).add(each.number)
    async with work.db.read() as conn:
        known = await activity.known_updates(conn, numbers)
    fresh = [each for each in ours if known.get((each.repository_id, each.number), 0) < each.updated_at]
    await work.settled(max((each.updated_at for each in fresh), default=0))
    return fresh


async def _store(
    work: Work,
    repositories: Mapping[int, Repository],
    fresh: Sequence[Changed],
    new: Cursor | None,
    page: rest.Page[Changed] | None = None,
) -> None:
    changed_issues: dict[int, list[Issue]] = {}
    wanted = []
    for each in fresh:
        if each.issue is None:
            wanted.append((repositories[each.repository_id], each.number))
        else:
            changed_issues.setdefault(each.repository_id, []).append(each.issue)
    changed_pulls: dict[int, list[PullRequest]] = await pulls.fetch_numbers(work, wanted) if wanted else {}
    mentioned = [
        *activity.people_in(chain.from_iterable(changed_pulls.values())),
        *(each.author for each in chain.from_iterable(changed_issues.values())),
    ]
    async with work.db.write() as conn:
        await activity.save_people(conn, mentioned)
        await pulls.save_numbers(work, conn, changed_pulls)
        for repository_id, issues in sorted(changed_issues.items()):
            await activity.save_issues(conn, repository_id, issues)
            work.found.issues += len(issues)
        if new is not None:
            await work.advance(conn, ACCOUNT, CHANGED, new)
        if page is not None and page.next_url is None:
            await work.keep_validator(conn, page.url, page.etag)
    work.notify()
