"""Repositories in the JSON API: list, follow, one, unfollow, its branches, and the wish for a sync."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance.api import models
from trackeep.instance.api.access import Guarded, needs
from trackeep.instance.api.cursors import cursor_after, key_in
from trackeep.instance.api.models import instant, moment
from trackeep.instance.api.queries import FULL_NAME, Page, PeriodQuery, RepositoriesQuery
from trackeep.instance.frame import reader_of
from trackeep.instance.repository_actions import follow_known
from trackeep.instance.site import site_of
from trackeep.metrics.windows import Window, compare
from trackeep.store import reports_branches, reports_repositories, schedule
from trackeep.store.reports_access import Reader
from trackeep.store.reports_branches import BranchRow, Wanted
from trackeep.store.reports_repositories import RepositoryRow

router = APIRouter(route_class=Guarded, tags=["Repositories"])

Owner = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]+$", max_length=100, examples=["fernhill"])]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]+$", max_length=100, examples=["atlas"])]
LIST = "/repos"
ONE = "/repos/{owner}/{name}"


class Follow(BaseModel):
    """What to follow: a repository that your account at GitHub can read."""

    model_config = ConfigDict(extra="forbid")
    repository: str = Field(pattern=FULL_NAME, description="Owner and name.", examples=["fernhill/atlas"])


@router.get(LIST, summary="Repositories you follow", **needs("read"))
async def repositories(request: Request, query: Annotated[RepositoriesQuery, Query()]) -> models.Repositories:
    """By name, with the figures of one period."""
    reader, after = reader_of(request), key_in(request, str, int)
    async with site_of(request).db.read() as conn:
        rows = await reports_repositories.table(conn, reader, _window(query.period, reader))
    found = sorted((_place(row), row) for row in rows if query.q.lower() in row.full_name.lower())
    left = [row for place, row in found if after is None or place > after]
    shown = left[: query.limit]
    more = cursor_after(request, *_place(shown[-1])) if len(left) > len(shown) else None
    return models.Repositories(items=tuple(repository_from(row) for row in shown), next=more)


@router.post(LIST, summary="Follow a repository", status_code=201, **needs("admin"))
async def follow(request: Request, body: Follow) -> models.Repository:
    """It is fetched from then on, a paused one too. Following it twice is no error."""
    site, reader = site_of(request), reader_of(request)
    owner, _, name = body.repository.partition("/")
    async with site.db.write() as conn:
        if not await follow_known(conn, reader, body.repository):
            raise _not_seen(owner, name)
    async with site.db.read() as conn:
        return await _measured(conn, reader, (owner, name), "30d")


@router.get(ONE, summary="One repository", **needs("read"))
async def repository(
    request: Request, owner: Owner, name: Name, query: Annotated[PeriodQuery, Query()]
) -> models.Repository:
    """Also one that you may read and do not follow."""
    async with site_of(request).db.read() as conn:
        return await _measured(conn, reader_of(request), (owner, name), query.period)


@router.delete(ONE, summary="Stop following", status_code=204, **needs("admin"))
async def unfollow(request: Request, owner: Owner, name: Name) -> Response:
    """What was fetched of it is deleted, unless somebody else here follows it too."""
    reader = reader_of(request)
    async with site_of(request).db.write() as conn:
        row = await _followed(conn, reader, owner, name)
        await schedule.unfollow_repositories(conn, reader.account_id, [row.id])
    return Response(status_code=204)


@router.post(f"{ONE}/sync", summary="Ask for a sync", status_code=202, responses={429: {}}, **needs("sync"))
async def request_sync(request: Request, owner: Owner, name: Name) -> models.SyncRequested:
    """The worker comes at once and looks what is new, in your other repositories too.

    You and your programs together may ask 30 times in five minutes.
    """
    site, reader = site_of(request), reader_of(request)
    site.looks_asked.take(reader.account_id, site.clock())
    async with site.db.write() as conn:
        row = await _followed(conn, reader, owner, name)
        await schedule.request_sync(conn, reader.account_id, reader.now)
    return models.SyncRequested(repository=row.full_name, requested_at=moment(reader.now))


@router.get(f"{ONE}/branches", summary="Its branches", **needs("read"))
async def branches(
    request: Request, owner: Owner, name: Name, query: Annotated[Page, Query()]
) -> models.Branches:
    """The default branch first, then by name."""
    reader, key = reader_of(request), key_in(request, str)
    async with site_of(request).db.read() as conn:
        row = await _known(conn, reader, owner, name)
        wanted = Wanted(repository=row.id, by_name=True, after=key[0] if key else None)
        found = await reports_branches.branches(conn, reader, wanted, limit=query.limit)
    shown = found[: query.limit]
    more = cursor_after(request, shown[-1].name_key) if len(found) > len(shown) else None
    return models.Branches(items=tuple(branch_from(one, reader.now) for one in shown), next=more)


async def known(conn: AsyncConnection, reader: Reader, owner: str, name: str) -> None:
    """Raises NotFound for a repository that this reader may not see."""
    await _known(conn, reader, owner, name)


async def _known(conn: AsyncConnection, reader: Reader, owner: str, name: str) -> RepositoryRow:
    row = await reports_repositories.find(conn, reader, owner, name)
    if row is None:
        raise _not_seen(owner, name)
    return row


def _not_seen(owner: str, name: str) -> NotFound:
    return NotFound(
        f"There is no repository {owner}/{name} that you may see.",
        "Check its name; GitHub must list it for you.",
    )


async def _followed(conn: AsyncConnection, reader: Reader, owner: str, name: str) -> RepositoryRow:
    row = await _known(conn, reader, owner, name)
    if not row.follow_state:
        raise NotFound(f"You do not follow {row.full_name}.", "Follow it first.")
    return row


async def _measured(
    conn: AsyncConnection, reader: Reader, place: tuple[str, str], period: str
) -> models.Repository:
    window = _window(period, reader)
    row = await reports_repositories.find(conn, reader, *place, window=window)
    if row is None:
        raise NotFound("There is no such repository that you may see.", "Check its name.")
    took = await reports_repositories.medians(conn, reader, window, [row.id])
    merged, median_s = took.get(row.id, (0, None))
    return repository_from(row, merged=merged, median_s=median_s)


def repository_from(
    row: RepositoryRow, *, merged: int | None = None, median_s: float | None = None
) -> models.Repository:
    """A row as the API shows it; `merged` and `median_s` where the row does not have them."""
    state: Literal["ok", "gone"] = "gone" if row.state == "gone" else "ok"
    follow_state: Literal["tracked", "paused", "no"] = "no"
    if row.follow_state:
        follow_state = "paused" if row.follow_state == schedule.PAUSED else "tracked"
    return models.Repository(
        id=row.id,
        repository=row.full_name,
        description=row.description,
        language=row.language,
        default_branch=row.default_branch,
        private=row.private,
        fork=row.fork,
        archived=row.archived,
        state=state,
        follow=follow_state,
        commits=row.commits,
        open_pulls=row.open_pulls,
        oldest_open_at=instant(row.oldest_open_at),
        merged_pulls=row.merged if merged is None else merged,
        median_time_to_merge_s=row.time_to_merge_s if merged is None else median_s,
        branches=row.branches,
        pushed_at=instant(row.pushed_at),
        synced_at=instant(row.synced_at),
        problem=row.problem,
    )


def branch_from(one: BranchRow, now: int) -> models.Branch:
    return models.Branch.model_validate(
        {
            "name": one.name,
            "sha": one.sha,
            "state": one.state(now),
            "committed_at": instant(one.committed_at),
            "subject": one.subject,
            "author": {"login": one.author, "name": one.author_name},
            "pull": one.pull,
            "pull_state": one.pull_state or None,
        }
    )


def _place(row: RepositoryRow) -> tuple[str, int]:
    return row.full_name.lower(), row.id


def _window(period: str, reader: Reader) -> Window:
    return compare(period, reader.now, reader.zone).current
