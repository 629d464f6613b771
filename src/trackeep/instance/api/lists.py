"""Commits, pull requests, activity and search in the JSON API, of one repository or of all."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from trackeep.instance.api import models
from trackeep.instance.api.access import Guarded, needs
from trackeep.instance.api.cursors import cursor_after, key_in
from trackeep.instance.api.events import page_of_events
from trackeep.instance.api.models import instant, moment
from trackeep.instance.api.queries import (
    CommitsHere,
    CommitsQuery,
    EventsQuery,
    PullsHere,
    PullsQuery,
    SearchQuery,
)
from trackeep.instance.api.repositories import ONE, Name, Owner, known
from trackeep.instance.frame import reader_of
from trackeep.instance.site import site_of
from trackeep.metrics.durations import ready_at
from trackeep.metrics.pulls import size
from trackeep.store import reports_commits, reports_pulls
from trackeep.store.reports_commits import CommitRow
from trackeep.store.reports_pulls import PullRow

router = APIRouter(route_class=Guarded)
WORK: list[str | Enum] = ["Work"]
HERE: list[str | Enum] = ["Repositories"]
Place = tuple[str, str] | None


@router.get(f"{ONE}/commits", summary="Its commits", tags=HERE, **needs("read"))
async def commits_here(
    request: Request, owner: Owner, name: Name, query: Annotated[CommitsHere, Query()]
) -> models.Commits:
    """Newest first, of all branches."""
    async with site_of(request).db.read() as conn:
        await known(conn, reader_of(request), owner, name)
    return await _commits(request, query, (owner, name))


@router.get(f"{ONE}/pulls", summary="Its pull requests", tags=HERE, **needs("read"))
async def pulls_here(
    request: Request, owner: Owner, name: Name, query: Annotated[PullsHere, Query()]
) -> models.Pulls:
    """Newest first."""
    async with site_of(request).db.read() as conn:
        await known(conn, reader_of(request), owner, name)
    return await _pulls(request, query, (owner, name))


@router.get("/commits", summary="Commits", tags=WORK, **needs("read"))
async def commits(request: Request, query: Annotated[CommitsQuery, Query()]) -> models.Commits:
    """Newest first, of everything you follow; a commit that is in several repositories comes once."""
    return await _commits(request, query, _place(query.repository))


@router.get("/pulls", summary="Pull requests", tags=WORK, **needs("read"))
async def pulls(request: Request, query: Annotated[PullsQuery, Query()]) -> models.Pulls:
    """Newest first, of everything you follow."""
    return await _pulls(request, query, _place(query.repository))


@router.get("/activity", summary="What happened", tags=WORK, **needs("read"))
async def activity(request: Request, query: Annotated[EventsQuery, Query()]) -> models.Events:
    """Newest first. An author's commits of one day in one repository are one event, where the newest is."""
    return await page_of_events(request, query, _place(query.repository))


@router.get("/search", summary="Search", tags=WORK, **needs("read"))
async def search(request: Request, query: Annotated[SearchQuery, Query()]) -> models.FoundPage:
    """Commits that a search finds, newest first; a key that is not known is refused in one sentence."""
    wide = CommitsQuery(**query.model_dump())
    page = await _commits(request, wide, _place(query.repository))
    items = tuple(models.Found(kind="commit", commit=one) for one in page.items)
    return models.FoundPage(items=items, next=page.next)


async def _commits(request: Request, query: CommitsHere, place: Place) -> models.Commits:
    reader, after = reader_of(request), key_in(request, int, str)
    since, until = query.bounds(reader)
    wanted = reports_commits.Wanted(
        words=query.q.strip(),
        repository=place,
        author=query.author.strip(),
        dated=query.dated,
        everything=not query.counted,
        since=since,
        until=until,
        after=(after[0], after[1]) if after else None,
    )
    async with site_of(request).db.read() as conn:
        page = await reports_commits.search(conn, reader, wanted, limit=query.limit)
    more = cursor_after(request, *page.after) if page.after else None
    return models.Commits(items=tuple(commit_of(row) for row in page.rows), next=more)


async def _pulls(request: Request, query: PullsHere, place: Place) -> models.Pulls:
    reader, after = reader_of(request), key_in(request, int, int, int)
    since, until = query.bounds(reader)
    wanted = reports_pulls.Wanted(
        # By creation, which never changes: a list in the order of changes would lose rows between pages.
        what="opened" if query.state == "all" else query.state,
        repository=place,
        author=query.author.strip(),
        words=query.q.strip(),
        since=since,
        until=until,
        after=(after[0], after[1], after[2]) if after else None,
    )
    async with site_of(request).db.read() as conn:
        page = await reports_pulls.search(conn, reader, wanted, limit=query.limit)
    more = cursor_after(request, *page.after) if page.after else None
    return models.Pulls(items=tuple(pull_of(row) for row in page.rows), next=more)


def _place(full_name: str | None) -> Place:
    if full_name is None:
        return None
    owner, _, name = full_name.partition("/")
    return owner, name


def commit_of(row: CommitRow) -> models.Commit:
    """A commit as the JSON API gives it."""
    return models.Commit(
        repository=f"{row.owner}/{row.repository}",
        private=row.private,
        sha=row.sha,
        subject=row.subject,
        author=models.Author(login=row.login, name=row.author_name),
        authored_at=moment(row.authored_at),
        author_offset_minutes=row.author_offset_minutes,
        committed_at=moment(row.committed_at),
        additions=row.additions,
        deletions=row.deletions,
        on_default_branch=row.on_default,
        is_merge=row.parent_count > 1,
    )


def pull_of(row: PullRow) -> models.Pull:
    """A pull request as the JSON API gives it."""
    return models.Pull.model_validate(
        {
            "repository": f"{row.owner}/{row.repository}",
            "private": row.private,
            "number": row.number,
            "title": row.title,
            "state": row.state,
            "draft": row.draft,
            "author": {"login": row.author, "name": row.author_name},
            "mine": row.mine,
            "size": size(row.additions, row.deletions),
            "additions": row.additions,
            "deletions": row.deletions,
            "checks": row.checks,
            "unresolved_threads": row.unresolved,
            "labels": row.labels,
            "reviewers": [
                {"login": one.login, "state": one.state} for one in row.reviewers if not one.is_team
            ],
            "created_at": moment(row.created_at),
            "ready_at": moment(ready_at(row.created_at, row.ready_at)),
            "updated_at": moment(row.updated_at),
            "merged_at": instant(row.merged_at),
            "closed_at": instant(row.closed_at),
        }
    )
