"""What one person did, counted by repository, day and kind: the ground of every table of figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Window, day_from_number
from trackeep.store.reports_access import Reader, local_day, named
from trackeep.store.reports_mine import my_commits, my_issues, my_pulls, my_reviews
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import commit, issue, pull_request, review

KINDS = ("commit", "opened", "merged", "review", "issue")


@dataclass(frozen=True)
class Wanted:
    """Of one repository (owner, name), or of all that are followed."""

    repository: tuple[str, str] | None = None


@dataclass(frozen=True)
class Done:
    """So many things of one kind on one day; the lines are those of the `measured` commits among them."""

    owner: str
    repository: str
    day: date
    kind: str
    count: int
    additions: int
    deletions: int
    measured: int


async def done(conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted) -> tuple[Done, ...]:
    """This person's counted commits, pull requests, reviews and issues of a window; two queries.

    A commit that several repositories have counts once, in the one that GitHub has known longest.
    """
    rows = [
        row
        for statement in (_commits(reader, window, wanted), _others(reader, window, wanted))
        for row in (await conn.execute(statement)).all()
    ]
    found = (
        Done(row[0], row[1], day_from_number(row[2]), row[3], *(int(figure) for figure in row[4:]))
        for row in rows
    )
    return tuple(sorted(found, key=lambda one: (one.day, one.owner, one.repository, KINDS.index(one.kind))))


def _commits(reader: Reader, window: Window, wanted: Wanted) -> Select[Any]:
    at = commit.c.authored_at
    rows = _here(my_commits(reader), commit.c.repository_id, reader, wanted)
    once = (
        rows.where(at >= window.start, at < window.end)
        .with_only_columns(
            func.min(commit.c.repository_id).label("repository_id"),
            local_day(at, reader, since=window.start).label("day"),
            func.max(func.coalesce(commit.c.additions, 0)).label("additions"),
            func.max(func.coalesce(commit.c.deletions, 0)).label("deletions"),
            func.count(func.distinct(commit.c.sha)).filter(commit.c.additions.is_not(None)).label("measured"),
        )
        .group_by(commit.c.sha, at)
        .subquery()
    )
    return _counted(once, "commit")


def _others(reader: Reader, window: Window, wanted: Wanted) -> Any:
    sources = (
        ("opened", my_pulls(reader), pull_request.c.created_at),
        ("merged", my_pulls(reader), pull_request.c.merged_at),
        ("review", my_reviews(reader), review.c.submitted_at),
        ("issue", my_issues(reader), issue.c.created_at),
    )
    parts = []
    for kind, rows, at in sources:
        dated = (
            _here(rows, at.table.c.repository_id, reader, wanted)
            .where(at >= window.start, at < window.end)
            .with_only_columns(
                at.table.c.repository_id.label("repository_id"),
                local_day(at, reader, since=window.start).label("day"),
                literal(0).label("additions"),
                literal(0).label("deletions"),
                literal(0).label("measured"),
            )
            .subquery()
        )
        parts.append(_counted(dated, kind))
    return union_all(*parts)


def _counted(rows: Any, kind: str) -> Select[Any]:
    return (
        select(
            repository.c.owner,
            repository.c.name,
            rows.c.day,
            literal(kind),
            func.count(),
            func.sum(rows.c.additions),
            func.sum(rows.c.deletions),
            func.sum(rows.c.measured),
        )
        .select_from(rows.join(repository, repository.c.id == rows.c.repository_id))
        .group_by(repository.c.id, repository.c.owner, repository.c.name, rows.c.day)
    )


def _here(rows: Select[Any], column: Any, reader: Reader, wanted: Wanted) -> Select[Any]:
    if wanted.repository is None:
        return rows
    return rows.where(column == named(reader, wanted.repository).scalar_subquery())
