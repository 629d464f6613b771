"""One repository: its pulse, who carries it, pull requests per week, the hours of work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Steps, Window, day_number, midnight
from trackeep.store.reports_access import (
    Reader,
    count_if,
    is_counted,
    is_machine,
    local_day,
    local_seconds,
    readable,
    with_authors,
)
from trackeep.store.reports_pulse import step_of, within_steps
from trackeep.store.search_pulls import counting_review
from trackeep.store.tables import person
from trackeep.store.tables_fetched import commit, pull_request

# (login, name), one of them "": who calls themselves like somebody's login is somebody else.
AuthorKey = tuple[str, str]


@dataclass(frozen=True)
class Author:
    """Somebody's counted commits of a window; `login` is "" where GitHub knows no account."""

    login: str
    name: str
    is_bot: bool
    commits: int
    additions: int
    deletions: int
    measured: int

    @property
    def key(self) -> AuthorKey:
        return (self.login, "" if self.login else self.name)


@dataclass(frozen=True)
class Pulse:
    """What happened on all branches of a window; lines are those of the `measured` counted commits."""

    commits_everywhere: int
    measured: int
    additions: int
    deletions: int
    changed_files: int
    opened: int
    merged: int
    closed: int
    unreviewed: int


async def pulse(conn: AsyncConnection, reader: Reader, repository_id: int, window: Window) -> Pulse:
    """The figures of the sentence, merges left out, by committer date; two queries."""
    known = commit.c.additions.is_not(None)
    work = select(
        func.count(),
        count_if(commit.c.on_default & known),
        func.coalesce(func.sum(commit.c.additions).filter(commit.c.on_default), 0),
        func.coalesce(func.sum(commit.c.deletions).filter(commit.c.on_default), 0),
        func.coalesce(func.sum(commit.c.changed_files).filter(commit.c.on_default), 0),
    ).where(*_within(reader, repository_id, window), commit.c.parent_count <= 1, commit.c.reachable)
    everywhere, measured, additions, deletions, files = (await conn.execute(work)).one()
    opened, merged, closed, unreviewed = (await conn.execute(_pulls(reader, repository_id, window))).one()
    return Pulse(
        everywhere, measured, int(additions), int(deletions), int(files), opened, merged, closed, unreviewed
    )


async def authors(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[Author, ...]:
    """Everybody with counted commits in the window, busiest first; one query."""
    statement = (
        select(
            func.coalesce(func.max(person.c.login), "").label("login"),
            func.max(commit.c.author_name).label("name"),
            func.max(case((is_machine(reader), 1), else_=0)).label("machine"),
            func.count().label("commits"),
            func.coalesce(func.sum(commit.c.additions), 0).label("additions"),
            func.coalesce(func.sum(commit.c.deletions), 0).label("deletions"),
            func.count(commit.c.additions).label("measured"),
        )
        .select_from(with_authors(reader))
        .where(*_within(reader, repository_id, window), is_counted())
        .group_by(*_who())
        .order_by(func.count().desc(), func.max(commit.c.author_name))
    )
    return tuple(
        Author(
            row.login,
            row.name,
            bool(row.machine) or (row.login or row.name).endswith("[bot]"),
            row.commits,
            int(row.additions),
            int(row.deletions),
            row.measured,
        )
        for row in (await conn.execute(statement)).all()
    )


async def author_steps(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window, steps: Steps
) -> dict[AuthorKey, list[int]]:
    """Counted commits per step of a window, by the author's key; one query."""
    login, name = _who()
    limited = within_steps(window, steps, reader)
    rows = (
        select(login.label("login"), name.label("name"), step_of(steps, reader).label("step"))
        .select_from(with_authors(reader))
        .where(*_within(reader, repository_id, limited), is_counted())
        .subquery()
    )
    by = (rows.c.login, rows.c.name, rows.c.step)
    found: dict[AuthorKey, list[int]] = {}
    for row in (await conn.execute(select(*by, func.count()).group_by(*by))).all():
        found.setdefault((row[0], row[1]), [0] * len(steps.starts))[row[2]] = row[3]
    return found


async def hours(conn: AsyncConnection, reader: Reader, repository_id: int, window: Window) -> list[list[int]]:
    """Counted commits by weekday (Monday first) and hour, in the reader's zone; one query."""
    local = local_seconds(commit.c.committed_at, reader, since=window.start)
    rows = (
        # 1 January 1970 was a Thursday.
        select(((local // 86_400 + 3) % 7).label("weekday"), (local // 3_600 % 24).label("hour"))
        .where(*_within(reader, repository_id, window), is_counted())
        .subquery()
    )
    statement = select(rows.c.weekday, rows.c.hour, func.count()).group_by(rows.c.weekday, rows.c.hour)
    table = [[0] * 24 for _ in range(7)]
    for weekday, hour, count in (await conn.execute(statement)).all():
        table[weekday][hour] = count
    return table


async def pull_weeks(
    conn: AsyncConnection, reader: Reader, repository_id: int, first: date, weeks: int
) -> list[tuple[int, int]]:
    """(opened, merged) per span of seven days from `first` on; one query."""
    start, since = day_number(first), midnight(first, reader.zone)
    parts = []
    for kind, at in (("opened", pull_request.c.created_at), ("merged", pull_request.c.merged_at)):
        week = (local_day(at, reader, since=since) - start) // 7
        rows = select(week.label("week")).where(_is_here(pull_request, reader, repository_id), at >= since)
        found = rows.subquery()
        parts.append(select(literal(kind), found.c.week, func.count()).group_by(found.c.week))
    counts: dict[tuple[str, int], int] = {
        (kind, week): count for kind, week, count in (await conn.execute(union_all(*parts))).all()
    }
    return [(counts.get(("opened", week), 0), counts.get(("merged", week), 0)) for week in range(weeks)]


def _who() -> tuple[ColumnElement[str], ColumnElement[str]]:
    """(login, name) of a commit's author: the name counts only where GitHub knows no account."""
    login = func.coalesce(person.c.login, "")
    return login, case((login == "", commit.c.author_name), else_="")


def _pulls(reader: Reader, repository_id: int, window: Window) -> Any:
    pull = pull_request.c
    merged = and_(pull.merged_at >= window.start, pull.merged_at < window.end)
    closed = and_(pull.closed_at >= window.start, pull.closed_at < window.end, pull.merged_at.is_(None))
    reviewed = counting_review(reader).exists()
    return select(
        count_if(and_(pull.created_at >= window.start, pull.created_at < window.end)),
        count_if(merged),
        count_if(closed),
        count_if(and_(merged, ~reviewed)),
    ).where(_is_here(pull_request, reader, repository_id))


def _within(reader: Reader, repository_id: int, window: Window) -> list[ColumnElement[bool]]:
    return [
        _is_here(commit, reader, repository_id),
        commit.c.committed_at >= window.start,
        commit.c.committed_at < window.end,
    ]


def _is_here(table: Any, reader: Reader, repository_id: int) -> ColumnElement[bool]:
    """Rows of this repository, if this account may read it."""
    return and_(table.c.repository_id == repository_id, table.c.repository_id.in_(readable(reader)))
