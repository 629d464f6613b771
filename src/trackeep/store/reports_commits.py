"""Commits as people look for them: filtered lists, counted and paged by key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import (
    Reader,
    among,
    author_of,
    beginning_of,
    followed,
    is_mine,
    known_authors,
    named,
    readable,
)
from trackeep.store.tables import follow, person, repository
from trackeep.store.tables_fetched import commit

COUNTED_UP_TO = 10_000


@dataclass(frozen=True)
class CommitRow:
    """One commit as lists show it; `login` is "" where its address belongs to nobody GitHub knows.

    `at` is the time that orders the list. The offset is the author's, 0 also where GitHub did not tell it.
    """

    repository_id: int
    owner: str
    repository: str
    private: bool
    sha: str
    subject: str
    login: str
    author_name: str
    at: int
    authored_at: int
    author_offset_minutes: int
    committed_at: int
    additions: int | None
    deletions: int | None
    on_default: bool
    parent_count: int


@dataclass(frozen=True)
class Wanted:
    """Which commits a list shows.

    `dated` is author or committer: whose date bounds and orders it. `everything` adds merges and other
    branches. `after` is the (time, sha) of the last row of the page before.
    """

    words: str = ""
    repository: tuple[str, str] | None = None
    author: str = ""
    dated: str = "committer"
    everything: bool = True
    forks: bool = True
    since: int | None = None
    until: int | None = None
    after: tuple[int, str] | None = None


@dataclass(frozen=True)
class CommitPage:
    """`count` is exact up to 10,000; one more means "more than that"."""

    rows: tuple[CommitRow, ...]
    count: int
    repositories: int
    after: tuple[int, str] | None


async def search(conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 50) -> CommitPage:
    """One page of commits, newest first; a commit that is in several repositories comes once.

    Two queries, one more for the commits of somebody else.
    """
    where = _conditions(wanted)
    if wanted.author:
        where.append(await _is_by(conn, reader, wanted.author))
    places = _repositories(reader, wanted)
    # Any rows will do to be counted, so they are read repository by repository.
    here = among(commit.c.repository_id, places) if wanted.author else commit.c.repository_id.in_(places)
    counted = select(commit.c.repository_id).where(here, *where, *_first_of_its_sha(reader, wanted))
    counted_rows = counted.limit(COUNTED_UP_TO + 1).subquery()
    totals = select(func.count(), func.count(func.distinct(counted_rows.c.repository_id)))
    count, repositories = (await conn.execute(totals.select_from(counted_rows))).one()
    rows = await _page(conn, reader, wanted, where, limit)
    shown = rows[:limit]
    after = (shown[-1].at, shown[-1].sha) if len(rows) > limit else None
    return CommitPage(tuple(_row(row) for row in shown), count, repositories, after)


async def stored(conn: AsyncConnection, reader: Reader) -> tuple[int, int]:
    """Commits stored for this account, and in how many followed repositories; one query."""
    commits = select(func.count()).where(commit.c.repository_id.in_(followed(reader))).scalar_subquery()
    repositories = (
        select(func.count())
        .select_from(follow)
        .where(follow.c.account_id == reader.account_id, follow.c.repository_id.in_(readable(reader)))
        .scalar_subquery()
    )
    row = (await conn.execute(select(commits, repositories))).one()
    return row[0], row[1]


async def _page(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, where: list[ColumnElement[bool]], limit: int
) -> Sequence[Any]:
    """One row more than `limit` where there is more; one query, more where most rows are copies of others.

    Copies of a commit have one time and one sha, so they stand beside each other, and `most` rows that hold
    more than `limit` commits hold each of those with all of its copies.
    """
    most = (limit + 1) * 4
    while True:
        rows: Sequence[Any] = (await conn.execute(_rows(reader, wanted, where, (limit, most)))).all()
        if len(rows) > limit + 1 or not rows or rows[0].candidates < most:
            return rows[: limit + 1]
        most *= 4


def _rows(
    reader: Reader, wanted: Wanted, where: list[ColumnElement[bool]], limits: tuple[int, int]
) -> Select[Any]:
    """The keys of the rows are found first, so that only those are joined with their authors."""
    at, (limit, most) = _at(wanted), limits
    places = _repositories(reader, wanted)
    # The rows are wanted in the order of time, not repository by repository.
    here = among(commit.c.repository_id, places)
    if wanted.repository is not None:
        here = commit.c.repository_id == places.scalar_subquery()
    keys = select(commit.c.repository_id, commit.c.sha, at.label("at")).where(here, *where)
    if wanted.after is not None:
        moment, sha = wanted.after
        keys = keys.where(tuple_(at, commit.c.sha) < tuple_(literal(moment), literal(sha)))
    # Plus nothing: one person's commits are sorted by time, rather than looked for among everybody's.
    first = (at + 0).desc() if wanted.author else at.desc()
    candidates = keys.order_by(first, commit.c.sha.desc()).limit(most).subquery()
    found = (
        select(
            candidates.c.sha,
            func.min(candidates.c.repository_id).label("repository_id"),
            func.sum(func.count()).over().label("candidates"),
        )
        .group_by(candidates.c.at, candidates.c.sha)
        .order_by(candidates.c.at.desc(), candidates.c.sha.desc())
        .limit(limit + 2)
        .subquery("found")
    )
    is_found = and_(commit.c.repository_id == found.c.repository_id, commit.c.sha == found.c.sha)
    return (
        select(
            commit.c.repository_id,
            repository.c.owner,
            repository.c.name.label("repository"),
            repository.c.private,
            commit.c.sha,
            beginning_of(commit.c.message).label("message"),
            func.coalesce(person.c.login, "").label("login"),
            commit.c.author_name,
            at.label("at"),
            commit.c.authored_at,
            commit.c.author_offset_minutes,
            commit.c.committed_at,
            commit.c.additions,
            commit.c.deletions,
            commit.c.on_default,
            commit.c.parent_count,
            found.c.candidates,
        )
        .select_from(found)
        .join(commit, is_found)
        .join(repository, repository.c.id == commit.c.repository_id)
        .outerjoin(person, person.c.id == author_of(reader.account_id))
        .order_by(at.desc(), commit.c.sha.desc())
    )


def _at(wanted: Wanted) -> Any:
    return commit.c.authored_at if wanted.dated == "author" else commit.c.committed_at


def _repositories(reader: Reader, wanted: Wanted) -> Select[Any]:
    """Ids of the repositories whose commits are looked at."""
    places = named(reader, wanted.repository) if wanted.repository else followed(reader)
    return places if wanted.forks else places.where(repository.c.fork.is_(False))


async def _is_by(conn: AsyncConnection, reader: Reader, author: str) -> ColumnElement[bool]:
    """Commits by "me", a login, or else a name; one query but for "me".

    A name stands for those alone whom GitHub knows no account of, as in the list of contributors.
    """
    if author == "me":
        return is_mine(reader.account_id)
    known = known_authors(reader.account_id)
    address = func.lower(commit.c.author_email)
    accounts = select(known.c.email).join(person, person.c.id == known.c.person_id)
    theirs = (await conn.scalars(accounts.where(func.lower(person.c.login) == author.lower()))).all()
    by_name = func.lower(commit.c.author_name) == author.lower()
    by_name &= address.not_in(accounts.where(person.c.login != ""))
    return address.in_(theirs) if theirs else by_name


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    at = _at(wanted)
    conditions: list[ColumnElement[bool]] = []
    if not wanted.everything:
        conditions += [commit.c.on_default, commit.c.parent_count <= 1]
    conditions += [_matches(word) for word in wanted.words.split()]
    if wanted.since is not None:
        conditions.append(at >= wanted.since)
    if wanted.until is not None:
        conditions.append(at < wanted.until)
    return conditions


def _matches(word: str) -> ColumnElement[bool]:
    in_text = or_(
        func.lower(commit.c.message).contains(word.lower(), autoescape=True),
        func.lower(commit.c.author_name).contains(word.lower(), autoescape=True),
    )
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", word):
        return or_(commit.c.sha.startswith(word.lower()), in_text)
    return in_text


def _first_of_its_sha(reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Leaves out the copies of a commit that other followed repositories (forks) have too."""
    if wanted.repository is not None:
        return []
    other = commit.alias("other")
    same = [
        other.c.sha == commit.c.sha,
        # Plus nothing: few commits share a sha, while each repository has thousands.
        other.c.repository_id + 0 < commit.c.repository_id,
        among(other.c.repository_id, _repositories(reader, wanted)),
    ]
    if not wanted.everything:
        same.append(other.c.on_default)
    return [~select(literal(1)).select_from(other).where(*same).correlate(commit).exists()]


def _row(row: Any) -> CommitRow:
    values = dict(row._mapping)
    del values["candidates"]
    subject = values.pop("message").split("\n", 1)[0]
    return CommitRow(**values, subject=subject)
