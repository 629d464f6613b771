"""How active one person was: days by kind, sums of a window, merged pull requests and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import CompoundSelect, Select, and_, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.durations import ready_at, time_to_merge
from trackeep.metrics.windows import Window, day_from_number, day_of, midnight
from trackeep.store.counted_once import counted_once
from trackeep.store.reports_access import Reader, among, followed, is_counted, is_mine, local_day, my_ids
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import commit, issue, pull_request, review

KINDS = ("commit", "pull", "review", "issue")


@dataclass(frozen=True)
class Days:
    """Per kind and day: how many there were, and how many of them are contributions.

    Kinds: commit, pull (opened), review, issue (opened), merged (my pull requests, no contribution).
    A contribution of kind commit is not only in a fork; of kind review it is a pull request, not a review.
    """

    counts: Mapping[str, Mapping[date, int]]
    contributions: Mapping[str, Mapping[date, int]]

    @cached_property
    def contributed(self) -> Mapping[date, int]:
        """Contributions of all kinds per day."""
        total: dict[date, int] = {}
        for days in self.contributions.values():
            for day, count in days.items():
                total[day] = total.get(day, 0) + count
        return total


@dataclass(frozen=True)
class Totals:
    commits: int
    merged: int
    reviews: int


@dataclass(frozen=True)
class Merge:
    """One merged pull request: when, and seconds from ready to merged (None where unknown)."""

    merged_at: int
    seconds: int | None


@counted_once
async def days(conn: AsyncConnection, reader: Reader) -> Days:
    """Everything this person did in the followed repositories, per local day; two queries."""
    counts: dict[str, dict[date, int]] = {}
    contributions: dict[str, dict[date, int]] = {}
    rows = [row for statement in _days(reader) for row in (await conn.execute(statement)).all()]
    # The same date for all kinds: these stay in memory.
    dates: dict[int, date] = {}
    for kind, day, count, contributed in rows:
        on = dates.setdefault(day, day_from_number(day))
        counts.setdefault(kind, {})[on] = int(count)
        if contributed:
            contributions.setdefault(kind, {})[on] = int(contributed)
    return Days(counts, contributions)


async def totals(conn: AsyncConnection, reader: Reader, window: Window) -> Totals:
    """Counted commits, merged pull requests and reviews of this person within `window`; two queries at most.

    A window that ends by the clock is counted as whole days, which are counted once, and the hours behind.
    """
    last = midnight(day_of(window.end, reader.zone), reader.zone)
    if not window.start < last < window.end:
        return await (_totals if last < window.end else _totals_of_days)(conn, reader, window)
    days, hours = (
        await _totals_of_days(conn, reader, Window(window.start, last)),
        await _totals(conn, reader, Window(last, window.end)),
    )
    return Totals(days.commits + hours.commits, days.merged + hours.merged, days.reviews + hours.reviews)


@counted_once
async def _totals_of_days(conn: AsyncConnection, reader: Reader, window: Window) -> Totals:
    return await _totals(conn, reader, window)


async def _totals(conn: AsyncConnection, reader: Reader, window: Window) -> Totals:
    statement = select(
        _within(my_commits(reader), "authored_at", window, func.count(func.distinct(commit.c.sha))),
        _within(my_pulls(reader), "merged_at", window, func.count()),
        _within(my_reviews(reader), "submitted_at", window, func.count()),
    )
    commits, merged, reviews = (await conn.execute(statement)).one()
    return Totals(commits, merged, reviews)


@counted_once
async def merges(conn: AsyncConnection, reader: Reader, since: int) -> tuple[Merge, ...]:
    """This person's pull requests merged at or after `since`; one query."""
    columns = (pull_request.c.merged_at, pull_request.c.created_at, pull_request.c.ready_at)
    statement = my_pulls(reader).where(pull_request.c.merged_at >= since).with_only_columns(*columns)
    rows = (await conn.execute(statement.order_by(pull_request.c.merged_at))).all()
    return tuple(
        Merge(merged, time_to_merge(ready_at(created, ready), merged)) for merged, created, ready in rows
    )


@counted_once
async def hours(conn: AsyncConnection, reader: Reader, window: Window) -> list[list[int]]:
    """This person's counted commits by weekday (Monday first) and hour of the author's clock; one query."""
    at = commit.c.authored_at
    made = (
        my_commits(reader)
        .where(at >= window.start, at < window.end)
        .with_only_columns(commit.c.sha, (at + commit.c.author_offset_minutes * 60).label("local"))
        .distinct()
        .subquery()
    )
    # 1 January 1970 was a Thursday.
    weekday, hour = (made.c.local // 86_400 + 3) % 7, made.c.local // 3_600 % 24
    cell = select(weekday.label("weekday"), hour.label("hour")).subquery()
    statement = select(cell.c.weekday, cell.c.hour, func.count()).group_by(cell.c.weekday, cell.c.hour)
    table = [[0] * 24 for _ in range(7)]
    for row, column, count in (await conn.execute(statement)).all():
        table[row][column] = count
    return table


@counted_once
async def busiest_repository(
    conn: AsyncConnection, reader: Reader, first: date, last: date
) -> tuple[str, str] | None:
    """Owner and name of the repository with most of this person's commits between two days; one query."""
    since, until = midnight(first, reader.zone), midnight(last + timedelta(days=1), reader.zone)
    statement = (
        my_commits(reader)
        .join(repository, repository.c.id == commit.c.repository_id)
        .where(repository.c.fork.is_(False), commit.c.authored_at >= since, commit.c.authored_at < until)
        .with_only_columns(repository.c.owner, repository.c.name)
        .group_by(repository.c.id, repository.c.owner, repository.c.name)
        .order_by(func.count().desc(), repository.c.id)
        .limit(1)
    )
    row = (await conn.execute(statement)).first()
    return (row.owner, row.name) if row else None


def my_commits(reader: Reader) -> Select[Any]:
    """This person's counted commits in followed repositories; a commit is there once per repository."""
    return select(commit.c.sha).where(
        among(commit.c.repository_id, followed(reader)),
        is_mine(reader.account_id),
        is_counted(),
    )


def my_pulls(reader: Reader) -> Select[Any]:
    return select(pull_request.c.number).where(
        among(pull_request.c.repository_id, followed(reader)),
        pull_request.c.author_id.in_(my_ids(reader.account_id)),
    )


def my_reviews(reader: Reader) -> Select[Any]:
    """Submitted reviews of other people's pull requests."""
    me = my_ids(reader.account_id)
    same = and_(
        pull_request.c.repository_id == review.c.repository_id, pull_request.c.number == review.c.number
    )
    return (
        select(review.c.id)
        .join(pull_request, same)
        .where(
            among(review.c.repository_id, followed(reader)),
            review.c.author_id.in_(me),
            review.c.submitted_at.is_not(None),
            func.coalesce(pull_request.c.author_id, 0).not_in(me),
        )
    )


def my_issues(reader: Reader) -> Select[Any]:
    return select(issue.c.number).where(
        among(issue.c.repository_id, followed(reader)), issue.c.author_id.in_(my_ids(reader.account_id))
    )


def _within(rows: Select[Any], column: str, window: Window, counted: Any) -> Any:
    at = next(table.c[column] for table in (commit, pull_request, review) if column in table.c)
    limited = rows.where(at >= window.start, at < window.end)
    return limited.with_only_columns(counted).scalar_subquery()


def _days(reader: Reader) -> tuple[Select[Any], CompoundSelect[Any]]:
    return _commit_days(reader), union_all(
        _simple_days("pull", my_pulls(reader), pull_request.c.created_at, reader, contributes=True),
        _simple_days("merged", my_pulls(reader), pull_request.c.merged_at, reader, contributes=False),
        _simple_days("issue", my_issues(reader), issue.c.created_at, reader, contributes=True),
        _review_days(reader),
    )


def _commit_days(reader: Reader) -> Select[Any]:
    day = local_day(commit.c.authored_at, reader).label("day")
    rows = (
        my_commits(reader)
        .join(repository, repository.c.id == commit.c.repository_id)
        .with_only_columns(day, commit.c.sha, repository.c.fork)
        .subquery()
    )
    kept = func.count(func.distinct(case((rows.c.fork.is_(False), rows.c.sha))))
    every = func.count(func.distinct(rows.c.sha))
    return select(literal("commit"), rows.c.day, every, kept).group_by(rows.c.day)


def _review_days(reader: Reader) -> Select[Any]:
    day = local_day(review.c.submitted_at, reader).label("day")
    rows = my_reviews(reader).with_only_columns(day, review.c.repository_id, review.c.number).subquery()
    pulls = (
        select(rows.c.day, func.count().label("n"))
        .group_by(rows.c.day, rows.c.repository_id, rows.c.number)
        .subquery()
    )
    return select(literal("review"), pulls.c.day, func.sum(pulls.c.n), func.count()).group_by(pulls.c.day)


def _simple_days(kind: str, rows: Select[Any], at: Any, reader: Reader, *, contributes: bool) -> Select[Any]:
    dated = rows.where(at.is_not(None)).with_only_columns(local_day(at, reader).label("day")).subquery()
    contributed = func.count() if contributes else literal(0)
    return select(literal(kind), dated.c.day, func.count(), contributed).group_by(dated.c.day)
