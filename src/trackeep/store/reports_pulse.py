"""What else makes up one repository: issues, releases, languages, lines per week, its first day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Steps, Window, day_number, day_of, midnight
from trackeep.store.counted_once import counted_once
from trackeep.store.reports_access import Reader, count_if, is_counted, local_day, readable
from trackeep.store.tables_fetched import commit, issue, language, release

RELEASES_SHOWN = 5


@dataclass(frozen=True)
class Issues:
    """Issues opened and closed in a window, each in its own, and those that are open now."""

    opened: int
    closed: int
    open_now: int


@dataclass(frozen=True)
class Release:
    tag: str
    name: str
    prerelease: bool
    published_at: int


@dataclass(frozen=True)
class Language:
    """How much of a repository is written in it; `color` as GitHub draws it, or ""."""

    name: str
    bytes: int
    color: str


@dataclass(frozen=True)
class Lines:
    """Lines of the `measured` ones among the counted `commits` of one span of days."""

    additions: int = 0
    deletions: int = 0
    commits: int = 0
    measured: int = 0


@counted_once
async def issues(conn: AsyncConnection, reader: Reader, repository_id: int, window: Window) -> Issues:
    """One query."""
    opened, closed = issue.c.created_at, issue.c.closed_at
    statement = select(
        count_if(and_(opened >= window.start, opened < window.end)),
        count_if(and_(closed >= window.start, closed < window.end)),
        count_if(issue.c.state == "open"),
    ).where(_is_here(issue, reader, repository_id))
    return Issues(*(await conn.execute(statement)).one())


async def releases(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[int, tuple[Release, ...]]:
    """How many were published in the window, and the newest of all; two queries."""
    at = release.c.published_at
    published = (
        select(func.count())
        .select_from(release)
        .where(_is_here(release, reader, repository_id), release.c.draft.is_(False), at.is_not(None))
    )
    count = await conn.scalar(published.where(at >= window.start, at < window.end))
    newest = (
        published.with_only_columns(release.c.tag, release.c.name, release.c.prerelease, at)
        .order_by(at.desc(), release.c.id.desc())
        .limit(RELEASES_SHOWN)
    )
    rows = (await conn.execute(newest)).all()
    return count or 0, tuple(
        Release(row.tag, row.name, bool(row.prerelease), row.published_at) for row in rows
    )


async def languages(conn: AsyncConnection, reader: Reader, repository_id: int) -> tuple[Language, ...]:
    """The largest first; one query."""
    statement = (
        select(language.c.name, language.c.bytes, language.c.color)
        .where(_is_here(language, reader, repository_id), language.c.bytes > 0)
        .order_by(language.c.bytes.desc(), language.c.name)
    )
    return tuple(Language(*row) for row in (await conn.execute(statement)).all())


@counted_once
async def days_of_window(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[date, date]:
    """The first and last day of a window, all time beginning with the first counted commit; one query."""
    last = day_of(window.end - 1, reader.zone)
    if window.start:
        return day_of(window.start, reader.zone), last
    first = await conn.scalar(
        select(func.min(commit.c.committed_at)).where(
            _is_here(commit, reader, repository_id), is_counted(), commit.c.committed_at >= 0
        )
    )
    return (min(last, day_of(first, reader.zone)) if first is not None else last), last


@counted_once
async def lines(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window, steps: Steps
) -> tuple[Lines, ...]:
    """Lines of counted commits per step, by committer date; one query."""
    limited = within_steps(window, steps, reader)
    rows = (
        select(step_of(steps, reader).label("step"), commit.c.additions, commit.c.deletions)
        .where(_is_here(commit, reader, repository_id), *between(limited), is_counted())
        .subquery()
    )
    statement = select(
        rows.c.step,
        func.coalesce(func.sum(rows.c.additions), 0),
        func.coalesce(func.sum(rows.c.deletions), 0),
        func.count(),
        func.count(rows.c.additions),
    ).group_by(rows.c.step)
    found = {row[0]: Lines(*map(int, row[1:])) for row in (await conn.execute(statement)).all()}
    return tuple(found.get(number, Lines()) for number in range(len(steps.starts)))


def within_steps(window: Window, steps: Steps, reader: Reader) -> Window:
    """The part of a window that steps can tell apart; all time ends with the last step."""
    first = midnight(steps.starts[0], reader.zone)
    after = midnight(steps.starts[-1] + timedelta(days=steps.days), reader.zone)
    return Window(max(first, window.start), min(after, window.end))


def step_of(steps: Steps, reader: Reader) -> ColumnElement[Any]:
    """The number of the step that a commit belongs to; only for commits within the steps."""
    since = midnight(steps.starts[0], reader.zone)
    day = local_day(commit.c.committed_at, reader, since=since)
    return (day - day_number(steps.starts[0])) // steps.days


def between(window: Window) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Commits of a window by committer date."""
    return commit.c.committed_at >= window.start, commit.c.committed_at < window.end


def _is_here(table: Any, reader: Reader, repository_id: int) -> ColumnElement[bool]:
    """Rows of this repository, if this account may read it."""
    return and_(table.c.repository_id == repository_id, table.c.repository_id.in_(readable(reader)))
