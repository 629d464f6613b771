"""Commits as people look for them: filtered lists, counted and paged by key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, beginning_of, followed, is_mine, readable, with_authors
from trackeep.store.tables import follow, person, repository
from trackeep.store.tables_fetched import commit

COUNTED_UP_TO = 10_000


@dataclass(frozen=True)
class CommitRow:
    """One commit as lists show it; `login` is "" where its address belongs to nobody GitHub knows."""

    repository_id: int
    owner: str
    repository: str
    private: bool
    sha: str
    subject: str
    login: str
    author_name: str
    at: int
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
    """One page of commits, newest first; a commit that is in several repositories comes once. Two queries."""
    where = _conditions(reader, wanted)
    counted = select(commit.c.repository_id).select_from(_searched(reader, wanted)).where(*where)
    counted_rows = counted.limit(COUNTED_UP_TO + 1).subquery()
    totals = select(func.count(), func.count(func.distinct(counted_rows.c.repository_id)))
    count, repositories = (await conn.execute(totals.select_from(counted_rows))).one()
    rows = (await conn.execute(_page(reader, where, wanted, limit))).all()
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


def _page(reader: Reader, where: list[ColumnElement[bool]], wanted: Wanted, limit: int) -> Select[Any]:
    """The keys of the page's rows are found first, so that only those are joined with their authors."""
    at = _at(wanted)
    keys = select(commit.c.repository_id, commit.c.sha).select_from(_searched(reader, wanted)).where(*where)
    if wanted.after is not None:
        moment, sha = wanted.after
        keys = keys.where(tuple_(at, commit.c.sha) < tuple_(literal(moment), literal(sha)))
    found = keys.order_by(at.desc(), commit.c.sha.desc()).limit(limit + 1).subquery("found")
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
            commit.c.additions,
            commit.c.deletions,
            commit.c.on_default,
            commit.c.parent_count,
        )
        .select_from(with_authors(reader).join(found, is_found))
        .join(repository, repository.c.id == commit.c.repository_id)
        .order_by(at.desc(), commit.c.sha.desc())
    )


def _at(wanted: Wanted) -> Any:
    return commit.c.authored_at if wanted.dated == "author" else commit.c.committed_at


def _searched(reader: Reader, wanted: Wanted) -> Any:
    # Who wrote a commit is worked out only where it is asked for: that join costs more than all others.
    commits = with_authors(reader) if wanted.author not in ("", "me") else commit
    return commits.join(repository, repository.c.id == commit.c.repository_id)


def _conditions(reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    at = _at(wanted)
    conditions: list[ColumnElement[bool]] = []
    if wanted.repository is not None:
        owner, name = wanted.repository
        conditions.append(commit.c.repository_id.in_(readable(reader)))
        conditions.append(func.lower(repository.c.owner) == owner.lower())
        conditions.append(func.lower(repository.c.name) == name.lower())
    else:
        # Plus nothing: the rows are wanted in the order of time, not repository by repository.
        conditions.append((commit.c.repository_id + 0).in_(followed(reader)))
        conditions.append(_first_of_its_sha(reader, wanted))
    if not wanted.everything:
        conditions += [commit.c.on_default, commit.c.parent_count <= 1]
    if not wanted.forks:
        conditions.append(repository.c.fork.is_(False))
    if wanted.author == "me":
        conditions.append(is_mine(reader.account_id))
    elif wanted.author:
        # A name stands for those alone whom GitHub knows no account of, as in the list of contributors.
        login = func.lower(func.coalesce(person.c.login, ""))
        by_name = (login == "") & (func.lower(commit.c.author_name) == wanted.author.lower())
        conditions.append(or_(login == wanted.author.lower(), by_name))
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


def _first_of_its_sha(reader: Reader, wanted: Wanted) -> ColumnElement[bool]:
    """Leaves out the copies of a commit that other followed repositories (forks) have too."""
    other, home = commit.alias("other"), repository.alias("home")
    same = [
        other.c.sha == commit.c.sha,
        other.c.repository_id < commit.c.repository_id,
        other.c.repository_id.in_(followed(reader)),
        home.c.id == other.c.repository_id,
    ]
    if not wanted.everything:
        same.append(other.c.on_default)
    if not wanted.forks:
        same.append(home.c.fork.is_(False))
    return ~select(literal(1)).select_from(other).join(home, and_(*same)).correlate(commit).exists()


def _row(row: Any) -> CommitRow:
    values = dict(row._mapping)
    subject = values.pop("message").split("\n", 1)[0]
    return CommitRow(**values, subject=subject)
