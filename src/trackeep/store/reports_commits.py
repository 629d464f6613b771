"""Commits as people look for them: searched, counted and paged by key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.metrics.windows import day_of
from trackeep.store import search_files, search_filters, search_text
from trackeep.store.counted_once import counted_once, once
from trackeep.store.reports_access import (
    Reader,
    among,
    author_of,
    beginning_of,
    followed,
    readable,
)
from trackeep.store.search_filters import LookedUp
from trackeep.store.search_grammar import Filter, Query, Term, parse, words_in
from trackeep.store.search_keys import COMMITS
from trackeep.store.tables import follow, person, repository
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_search import LONGEST_TEXT

COUNTED_UP_TO = 10_000
# Of words: whoever typed them narrows a search of this many hits, and counting costs more than the page.
HITS_COUNTED_UP_TO = 1_000
# A sha's beginning of four digits is that of few commits, however many there are.
_MOST_BY_SHA = 1_000


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
    """Which commits a list shows; `words` is written in the grammar of searches (search_keys.COMMITS).

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
    """`count` is exact up to `most`; one more means "more than that".

    `with_files`, where paths were asked for: in how many of how many repositories they are here.
    """

    rows: tuple[CommitRow, ...]
    count: int
    repositories: int
    after: tuple[int, str] | None
    most: int = COUNTED_UP_TO
    with_files: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Found:
    """The ids of a page's commits and one more if there is more, and how many commits there are in all."""

    ids: tuple[int, ...]
    count: int
    repositories: int
    most: int
    with_files: tuple[int, int] | None


@dataclass(frozen=True)
class _Asked:
    """A search with everything looked up; `where` is all but words, time of the page, and sha."""

    reader: Reader
    wanted: Wanted
    query: Query
    places: Select[Any]
    known: LookedUp
    where: tuple[ColumnElement[bool], ...]
    since: int | None
    until: int | None
    with_files: tuple[int, int] | None = None

    @property
    def at(self) -> Any:
        return _dated(self.wanted)

    @property
    def most(self) -> int:
        return HITS_COUNTED_UP_TO if self.query.terms else COUNTED_UP_TO


async def search(conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 50) -> CommitPage:
    """One page of commits, newest first; a commit that is in several repositories comes once.

    Raises UsageError for words that the grammar does not know. Four queries, one more for each person and
    branch that is named and where a sha's beginning may be meant.
    """
    found = await _found(conn, reader, wanted, limit)
    rows = await _rows(conn, reader, wanted, found.ids[:limit])
    after = (rows[-1].at, rows[-1].sha) if len(found.ids) > limit else None
    return CommitPage(rows, found.count, found.repositories, after, found.most, found.with_files)


@counted_once
async def _found(conn: AsyncConnection, reader: Reader, wanted: Wanted, limit: int) -> _Found:
    asked = await _look_up(conn, reader, wanted)
    if asked.known.places == ():
        return _Found((), 0, 0, asked.most, asked.with_files)
    if conn.dialect.name == "postgresql":
        # A plan for all words would be none for this one: one word is in every message, another in none.
        await conn.execute(text("set local plan_cache_mode = force_custom_plan"))
    by_sha = await _with_sha(conn, asked)
    everywhere = ("commits", replace(wanted, after=None))
    count, repositories = await once(conn, reader, everywhere, lambda: _counted(conn, asked, by_sha))
    keys = await _keys(conn, asked, by_sha, limit, is_frequent=count > asked.most)
    return _Found(tuple(keys), count, repositories, asked.most, asked.with_files)


def query_of(wanted: Wanted, reader: Reader) -> Query:
    """What `wanted` asks for, its author among the filters. Raises UsageError."""
    query = parse(wanted.words, COMMITS, day_of(reader.now, reader.zone))
    if not wanted.author:
        return query
    return replace(query, filters=(*query.filters, Filter("author", wanted.author)))


@counted_once
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


def _dated(wanted: Wanted) -> Any:
    return commit.c.authored_at if wanted.dated == "author" else commit.c.committed_at


async def _look_up(conn: AsyncConnection, reader: Reader, wanted: Wanted) -> _Asked:
    query = query_of(wanted, reader)
    places = search_filters.places(reader, query, wanted.repository, forks=wanted.forks)
    known = await search_filters.look_up(conn, reader, query, places)
    since, until = query.bounds(reader.zone)
    starts = [each for each in (since, wanted.since) if each is not None]
    ends = [each for each in (until, wanted.until) if each is not None]
    since, until = max(starts, default=None), min(ends, default=None)
    where = search_filters.conditions(reader, query, known, places)
    if not wanted.everything:
        where += [commit.c.on_default, commit.c.parent_count <= 1]
    with_files = await _with_files(conn, reader, query, places)
    asked = _Asked(reader, wanted, query, places, known, tuple(where), since, until, with_files)
    if since is not None:
        where.append(asked.at >= since)
    if until is not None:
        where.append(asked.at < until)
    return replace(asked, where=tuple(where))


async def _with_files(
    conn: AsyncConnection, reader: Reader, query: Query, places: Select[Any]
) -> tuple[int, int] | None:
    """In how many of these repositories paths can be found. Raises UsageError where in none of them."""
    if not any(one.key == "path" for one in query.filters):
        return None
    some, every = await search_files.covered(conn, reader, places)
    if every and not some:
        raise UsageError(
            "“path:” finds nothing yet: the files of a repository are fetched only when you ask for it.",
            "Ask on the page of its sync, or with `trackeep repo files OWNER/NAME`.",
        )
    return some, every


# ---- the keys of what is found ------------------------------------------------------------------


async def _counted(conn: AsyncConnection, asked: _Asked, by_sha: Sequence[Any]) -> tuple[int, int]:
    """How many commits there are, and in how many repositories."""
    places = set(by_sha)
    found = _candidates(conn, asked, ordered=False)
    for exactly in (False, True):
        # Where most rows are copies of others, those are left out one by one.
        rows = found.where(*_first_of_its_sha(asked)) if exactly else found
        some = rows.limit(asked.most + 1).subquery()
        once = select(some.c.sha, func.min(some.c.repository_id).label("place"), func.count().label("copies"))
        each = once.group_by(some.c.sha).subquery()
        totals = select(
            func.count(), func.count(func.distinct(each.c.place)), func.coalesce(func.sum(each.c.copies), 0)
        )
        count, repositories, copies = (await conn.execute(totals.select_from(each))).one()
        if count > asked.most or copies <= asked.most:
            break
    return count + len(places), repositories + len({row.repository_id for row in places})


async def _keys(
    conn: AsyncConnection, asked: _Asked, by_sha: Sequence[Any], limit: int, *, is_frequent: bool
) -> list[int]:
    """Ids of the page's commits in their order, one more where there is more; the first copy of each.

    More than one query only where most rows are copies of others.
    """
    most = (limit + 1) * 4
    after = asked.wanted.after
    by_sha = [row for row in by_sha if after is None or (row.at, row.sha) < after]
    while True:
        found = _candidates(conn, asked, ordered=True, is_frequent=is_frequent)
        rows = list((await conn.execute(_after(asked, found).limit(most))).all())
        is_whole = len(rows) < most
        last = rows[-1] if rows else None
        copies: dict[tuple[int, str], tuple[int, int]] = {}
        for row in (*rows, *by_sha):
            key, copy = (row.at, row.sha), (row.repository_id, row.id)
            copies[key] = min(copy, copies.get(key, copy))
        if last is not None and not is_whole:
            # The rows of its second, or copies of it, may stand behind the last row.
            copies = {key: copy for key, copy in copies.items() if not _may_go_on(asked, key, last)}
        order = sorted(copies, reverse=True)
        if is_whole or len(order) > limit:
            return [copies[key][1] for key in order[: limit + 1]]
        most *= 4


def _may_go_on(asked: _Asked, key: tuple[int, str], last: Any) -> bool:
    return key[0] <= last.at if asked.query.terms else key <= (last.at, last.sha)


def _candidates(
    conn: AsyncConnection, asked: _Asked, *, ordered: bool, is_frequent: bool = False
) -> Select[Any]:
    """Rows that are found, each copy; in their order at least by the second."""
    columns = (commit.c.id, commit.c.repository_id, commit.c.sha, asked.at.label("at"))
    found = select(*columns).where(*asked.where)
    terms = asked.query.terms
    if not terms:
        return found.order_by(*_order(asked)) if ordered else found
    if conn.dialect.name == "postgresql":
        found = found.where(*search_text.has_words(terms))
        # Plus nothing: what is rare is found by its words, what is frequent in the order of time.
        return found.order_by((asked.at if is_frequent else asked.at + 0).desc()) if ordered else found
    words = search_text.commit_words
    tags = search_filters.tags(asked.query, asked.known)
    found = found.select_from(words.join(commit, search_text.is_row())).where(
        search_text.matches(terms, tags)
    )
    if asked.wanted.dated == "author":
        return found.order_by(asked.at.desc()) if ordered else found
    found = found.where(*search_text.within(asked.since, _until(asked)))
    return found.order_by(words.c.rowid.desc()) if ordered else found


def _order(asked: _Asked) -> tuple[ColumnElement[Any], ...]:
    by_person = bool(asked.query.values("author") or "mine" in asked.query.values("is"))
    # Plus nothing: one person's commits are sorted by time, rather than looked for among everybody's.
    return (asked.at + 0 if by_person else asked.at).desc(), commit.c.sha.desc()


def _until(asked: _Asked) -> int | None:
    ends = [each for each in (asked.until, asked.wanted.after and asked.wanted.after[0] + 1) if each]
    return min(ends, default=None)


def _after(asked: _Asked, found: Select[Any]) -> Select[Any]:
    if asked.wanted.after is None:
        return found
    moment, sha = asked.wanted.after
    return found.where(tuple_(asked.at, commit.c.sha) < tuple_(literal(moment), literal(sha)))


async def _with_sha(conn: AsyncConnection, asked: _Asked) -> Sequence[Any]:
    """Commits whose sha begins with the only word, but for those that have it as a word, too."""
    (term, *others) = asked.query.terms or (Term(""),)
    beginning = term.text.lower()
    if others or term.negated or not re.fullmatch(r"[0-9a-f]{4,64}", beginning):
        return ()
    first = commit.c.sha.between(beginning, beginning + "g")
    columns = (commit.c.id, commit.c.repository_id, commit.c.sha, asked.at.label("at"))
    texts = (func.substr(commit.c.message, 1, LONGEST_TEXT).label("message"), commit.c.author_name)
    rows = await conn.execute(select(*columns, *texts).where(first, *asked.where).limit(_MOST_BY_SHA))

    def has_word(row: Any) -> bool:
        words = {*words_in(row.message), *words_in(row.author_name)}
        return any(word.startswith(beginning) if term.is_prefix else word == beginning for word in words)

    return [row for row in rows if not has_word(row)]


def _first_of_its_sha(asked: _Asked) -> list[ColumnElement[bool]]:
    """Leaves out the copies of a commit that other repositories (forks) of the search have too."""
    other = commit.alias("other")
    same = [
        other.c.sha == commit.c.sha,
        # Plus nothing: few commits share a sha, while each repository has thousands.
        other.c.repository_id + 0 < commit.c.repository_id,
        among(other.c.repository_id, asked.places),
    ]
    if not asked.wanted.everything:
        same.append(other.c.on_default)
    return [~select(literal(1)).select_from(other).where(*same).correlate(commit).exists()]


# ---- rows ---------------------------------------------------------------------------------------


async def _rows(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, ids: Sequence[int]
) -> tuple[CommitRow, ...]:
    """The commits with these ids, in their order."""
    statement = (
        select(
            commit.c.id,
            commit.c.repository_id,
            repository.c.owner,
            repository.c.name.label("repository"),
            repository.c.private,
            commit.c.sha,
            beginning_of(commit.c.message).label("message"),
            func.coalesce(person.c.login, "").label("login"),
            commit.c.author_name,
            _dated(wanted).label("at"),
            commit.c.authored_at,
            commit.c.author_offset_minutes,
            commit.c.committed_at,
            commit.c.additions,
            commit.c.deletions,
            commit.c.on_default,
            commit.c.parent_count,
        )
        .join(repository, repository.c.id == commit.c.repository_id)
        .outerjoin(person, person.c.id == author_of(reader.account_id))
        .where(commit.c.id.in_(ids), among(commit.c.repository_id, readable(reader)))
    )
    found = {row.id: _row(row) for row in await conn.execute(statement)}
    return tuple(found[each] for each in ids if each in found)


def _row(row: Any) -> CommitRow:
    values = dict(row._mapping)
    del values["id"]
    subject = values.pop("message").split("\n", 1)[0]
    return CommitRow(**values, subject=subject)
