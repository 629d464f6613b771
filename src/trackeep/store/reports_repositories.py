"""Repositories as tables show them: their work in a window, 26 weeks of commits, open pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Window, day_number, midnight, weeks_back
from trackeep.store import schedule
from trackeep.store.counted_once import counted_once
from trackeep.store.reports_access import (
    Reader,
    among,
    count_if,
    followed,
    is_counted,
    local_day,
    named,
    readable,
)
from trackeep.store.reports_sync import last_look
from trackeep.store.tables import access, follow, repository
from trackeep.store.tables_fetched import commit, pull_request, ref
from trackeep.store.tables_sync import cursor

WEEKS = 26
# Ids of repositories: those that a question gives, or a few.
Ids = Select[Any] | Sequence[int]
_NOTHING = Window(0, 0)


@dataclass(frozen=True)
class RepositoryRow:
    """One followed repository; `weeks` are its commits in the last 26 spans of seven days, oldest first."""

    id: int
    owner: str
    name: str
    private: bool
    fork: bool
    archived: bool
    state: str
    follow_state: str
    language: str
    description: str
    default_branch: str
    pushed_at: int | None
    commits: int
    open_pulls: int
    oldest_open_at: int | None
    branches: int
    merged: int
    time_to_merge_s: float | None
    synced_at: int | None
    problem: str
    weeks: tuple[int, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Choice:
    """A repository that may be followed, and whether it is."""

    id: int
    owner: str
    name: str
    private: bool
    fork: bool
    archived: bool
    language: str
    pushed_at: int | None
    followed: bool


async def table(
    conn: AsyncConnection, reader: Reader, window: Window, *, limit: int | None = None
) -> tuple[RepositoryRow, ...]:
    """Followed repositories, busiest in `window` first; four queries. With a `limit` none that is hidden."""
    counts = await _counts(conn, reader, window, limit)
    ids = list(counts) if limit else None
    shown = repository.c.id.in_(followed(reader) if ids is None else ids)
    rows = {row.id: row for row in (await conn.execute(_states(reader, shown))).all()}
    took = await medians(conn, reader, window, ids)
    weeks = await weeks_of(conn, reader, ids)
    return tuple(
        RepositoryRow(
            **row._mapping,
            **counts[row.id],
            merged=took.get(row.id, (0, None))[0],
            time_to_merge_s=took.get(row.id, (0, None))[1],
            weeks=weeks.get(row.id, (0,) * WEEKS),
        )
        for row in (rows[each] for each in counts if each in rows)
    )


async def choices(conn: AsyncConnection, reader: Reader) -> tuple[Choice, ...]:
    """Every repository this account can read, newest push first; one query."""
    mine = select(follow.c.repository_id).where(follow.c.account_id == reader.account_id)
    names = ("id", "owner", "name", "private", "fork", "archived", "language", "pushed_at")
    statement = (
        select(*(repository.c[name] for name in names), repository.c.id.in_(mine).label("followed"))
        .where(repository.c.id.in_(readable(reader)))
        .order_by(func.coalesce(repository.c.pushed_at, 0).desc(), repository.c.id)
    )
    return tuple(Choice(**row._mapping) for row in (await conn.execute(statement)).all())


async def find(
    conn: AsyncConnection, reader: Reader, owner: str, name: str, *, window: Window = _NOTHING
) -> RepositoryRow | None:
    """The followed or readable repository of that name, with its commits in `window`; one query."""
    only = named(reader, (owner, name))
    counts, tables = _counted(only, window)
    statement = _states(reader, repository.c.id.in_(only)).add_columns(*counts)
    for each in tables:
        statement = statement.outerjoin(each, each.c.repository_id == repository.c.id)
    row = (await conn.execute(statement)).first()
    return RepositoryRow(**row._mapping, merged=0, time_to_merge_s=None) if row else None


@counted_once
async def _counts(
    conn: AsyncConnection, reader: Reader, window: Window, limit: int | None
) -> Mapping[int, Mapping[str, Any]]:
    """What is counted of each followed repository, busiest first."""
    counts, tables = _counted(followed(reader), window)
    statement = select(repository.c.id, *counts).join(follow, _mine(reader))
    for each in tables:
        statement = statement.outerjoin(each, each.c.repository_id == repository.c.id)
    pushed_at = func.coalesce(repository.c.pushed_at, 0)
    statement = statement.where(repository.c.id.in_(followed(reader))).order_by(
        counts[0].desc(), pushed_at.desc(), repository.c.id
    )
    if limit:
        statement = statement.where(follow.c.hidden.is_(False)).limit(limit)
    names = [column.name for column in counts]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in (await conn.execute(statement)).all()}


def _counted(ids: Select[Any], window: Window) -> tuple[list[Any], tuple[Any, ...]]:
    """The counts of a row, the commits first, and the tables that they come from."""
    work, pulls, branches = commits_in(ids, window), open_pulls_of(ids), branches_of(ids)
    counts = [
        func.coalesce(work.c.commits, 0).label("commits"),
        func.coalesce(pulls.c.open_pulls, 0).label("open_pulls"),
        pulls.c.oldest_open_at,
        func.coalesce(branches.c.branches, 0).label("branches"),
    ]
    return counts, (work, pulls, branches)


def _states(reader: Reader, shown: ColumnElement[bool]) -> Select[Any]:
    """What repositories are called and how far their sync has come."""
    synced = synced_of(reader)
    proof = and_(access.c.repository_id == repository.c.id, access.c.account_id == reader.account_id)
    names = ("id", "owner", "name", "private", "fork", "archived", "state", "language", "description")
    return (
        select(
            *(repository.c[name] for name in names),
            repository.c.default_branch,
            repository.c.pushed_at,
            func.coalesce(follow.c.state, "").label("follow_state"),
            synced_at(reader, synced).label("synced_at"),
            func.coalesce(synced.c.problem, "").label("problem"),
        )
        .join(access, proof)
        .outerjoin(follow, _mine(reader))
        .outerjoin(synced, synced.c.repository_id == repository.c.id)
        .where(shown)
    )


def _mine(reader: Reader) -> ColumnElement[bool]:
    return and_(follow.c.repository_id == repository.c.id, follow.c.account_id == reader.account_id)


def commits_in(ids: Ids, window: Window) -> Any:
    """(repository_id, commits): counted commits of the window."""
    return (
        select(commit.c.repository_id, func.count().label("commits"))
        .where(
            commit.c.repository_id.in_(ids),
            commit.c.committed_at >= window.start,
            commit.c.committed_at < window.end,
            is_counted(),
        )
        .group_by(commit.c.repository_id)
        .subquery()
    )


def open_pulls_of(ids: Ids) -> Any:
    """(repository_id, open_pulls, oldest_open_at): those that wait, and since when the oldest does."""
    waiting_since = case(
        (pull_request.c.draft, pull_request.c.created_at),
        else_=func.coalesce(pull_request.c.ready_at, pull_request.c.created_at),
    )
    return (
        select(
            pull_request.c.repository_id,
            func.count().label("open_pulls"),
            func.min(waiting_since).label("oldest_open_at"),
        )
        .where(among(pull_request.c.repository_id, ids), pull_request.c.state == "open")
        .group_by(pull_request.c.repository_id)
        .subquery()
    )


def branches_of(ids: Ids) -> Any:
    """(repository_id, branches)"""
    return (
        select(ref.c.repository_id, func.count().label("branches"))
        .where(ref.c.repository_id.in_(ids), ref.c.name.like("refs/heads/%"))
        .group_by(ref.c.repository_id)
        .subquery()
    )


def synced_at(reader: Reader, synced: Any) -> Any:
    """The last look at GitHub, which named what had changed; the last success where something is missing."""
    looked_at = last_look(reader.account_id)
    is_named = and_(is_whole(synced), looked_at > synced.c.synced_at)
    return case((is_named, looked_at), else_=synced.c.synced_at)


def is_whole(synced: Any) -> Any:
    """Read to the end without a problem, and asked about; `synced` is `synced_of` the reader."""
    return and_(
        follow.c.state == schedule.TRACKED,
        repository.c.state == "",
        synced.c.problem == "",
        synced.c.whole == len(schedule.STREAMS),
    )


def synced_of(reader: Reader) -> Any:
    """(repository_id, synced_at, problem, whole): how far the reader's own sync has come with each."""
    whole = and_(cursor.c.complete, cursor.c.stream.in_(schedule.STREAMS))
    return (
        select(
            cursor.c.repository_id,
            func.max(cursor.c.succeeded_at).label("synced_at"),
            func.max(cursor.c.problem).label("problem"),
            count_if(whole).label("whole"),
        )
        .where(cursor.c.account_id == reader.account_id)
        .group_by(cursor.c.repository_id)
        .subquery()
    )


@counted_once
async def medians(
    conn: AsyncConnection, reader: Reader, window: Window, ids: Sequence[int] | None
) -> Mapping[int, tuple[int, float | None]]:
    """Merged pull requests and the median seconds to merge per repository; the median is found in SQL.

    `ids` is None for all that the reader may read.
    """
    ready = func.coalesce(pull_request.c.ready_at, pull_request.c.created_at)
    took = (pull_request.c.merged_at - ready).label("took")
    where = (
        among(pull_request.c.repository_id, readable(reader)),
        # Plus nothing: of a window's few, not of all that these repositories have.
        literal(True) if ids is None else (pull_request.c.repository_id + 0).in_(ids),
        pull_request.c.merged_at >= window.start,
        pull_request.c.merged_at < window.end,
    )
    known = (
        select(
            pull_request.c.repository_id,
            took,
            func.row_number().over(partition_by=pull_request.c.repository_id, order_by=took).label("place"),
            func.count().over(partition_by=pull_request.c.repository_id).label("n"),
        )
        .where(*where, pull_request.c.merged_at >= ready)
        .subquery()
    )
    middle = or_(known.c.place == (known.c.n + 1) // 2, known.c.place == (known.c.n + 2) // 2)
    statement = (
        select(known.c.repository_id, func.max(known.c.n), func.avg(known.c.took))
        .where(middle)
        .group_by(known.c.repository_id)
    )
    rows = (await conn.execute(statement)).all()
    return {repository_id: (n, float(median)) for repository_id, n, median in rows}


@counted_once
async def weeks_of(
    conn: AsyncConnection, reader: Reader, ids: Sequence[int] | None
) -> Mapping[int, tuple[int, ...]]:
    """Counted commits per span of seven days, for the last 26 that end today, by committer date."""
    first_day = weeks_back(WEEKS, reader.now, reader.zone)[0]
    first, since = day_number(first_day), midnight(first_day, reader.zone)
    week = ((local_day(commit.c.committed_at, reader, since=since) - first) // 7).label("week")
    rows = (
        select(commit.c.repository_id, week)
        .where(
            commit.c.repository_id.in_(readable(reader)),
            literal(True) if ids is None else commit.c.repository_id.in_(ids),
            commit.c.committed_at >= since,
            is_counted(),
        )
        .subquery()
    )
    statement = select(rows.c.repository_id, rows.c.week, func.count()).group_by(
        rows.c.repository_id, rows.c.week
    )
    weeks: dict[int, list[int]] = {}
    for repository_id, number, count in (await conn.execute(statement)).all():
        if 0 <= number < WEEKS:
            weeks.setdefault(repository_id, [0] * WEEKS)[number] = count
    return {repository_id: tuple(counts) for repository_id, counts in weeks.items()}
