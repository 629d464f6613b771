"""What happened to pull requests over weeks: their moments, their lines and how much they were looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.pulls import Moments
from trackeep.metrics.reviews import Load
from trackeep.metrics.windows import Window
from trackeep.store.counted_once import counted_once
from trackeep.store.reports_access import Reader, among, followed, is_machine, my_ids
from trackeep.store.search_pulls import counting_review
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import pull_request, review, review_asked, review_comment

WAITING_COUNTED_UP_TO = 10_000


@dataclass(frozen=True)
class Wanted:
    """Where and whose: a repository's owner and name, a login or "me"; those of bots only on request."""

    repository: tuple[str, str] | None = None
    author: str = ""
    bots: bool = False


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull request; unix seconds. Reviews and comments are those by people other than the author."""

    owner: str
    repository: str
    number: int
    title: str
    author: str
    created_at: int
    ready_at: int | None
    first_commit_at: int | None
    merged_at: int | None
    closed_at: int | None
    additions: int | None
    deletions: int | None
    first_review_at: int | None
    reviews: int
    comments: int

    @property
    def moments(self) -> Moments:
        return Moments(self.created_at, self.merged_at, self.closed_at)


@dataclass(frozen=True, slots=True)
class Waits:
    """An open pull request that nobody has reviewed, since it was ready."""

    owner: str
    repository: str
    number: int
    title: str
    author: str
    since: int


@dataclass(frozen=True, slots=True)
class Person:
    login: str
    name: str


async def pulls(conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted) -> tuple[Pull, ...]:
    """Those that were opened, merged or closed in `window`, by creation; one query."""
    pull = pull_request.c
    happened = (
        and_(at >= window.start, at < window.end) for at in (pull.created_at, pull.merged_at, pull.closed_at)
    )
    counted = counting_review(reader)
    said = select(func.count()).select_from(
        review_comment.outerjoin(person, person.c.id == review_comment.c.author_id)
    )
    said = said.where(
        review_comment.c.repository_id == pull.repository_id,
        review_comment.c.number == pull.number,
        func.coalesce(review_comment.c.author_id, 0) != func.coalesce(pull.author_id, -1),
        or_(person.c.id.is_(None), ~is_machine(reader)),
    ).correlate(pull_request)
    statement = (
        _select_pulls(reader, wanted)
        .add_columns(
            *(pull.created_at, pull.ready_at, pull.first_commit_at, pull.merged_at, pull.closed_at),
            *(pull.additions, pull.deletions),
            _only(counted, func.min(review.c.submitted_at)).label("first_review_at"),
            _only(counted, func.count()).label("reviews"),
            said.scalar_subquery().label("comments"),
        )
        .where(or_(*happened))
        .order_by(pull.created_at, pull.repository_id, pull.number)
    )
    # By place, not by name: a year of many repositories has thousands.
    return tuple(Pull(*row) for row in (await conn.execute(statement)).all())


async def settled(conn: AsyncConnection, reader: Reader, window: Window) -> Window:
    """The same for pull requests, but it ends right behind the last that happened in it; one query."""
    pull = pull_request.c
    last = (
        select(func.max(at))
        .where(among(pull.repository_id, followed(reader)), at >= window.start, at < window.end)
        .scalar_subquery()
        for at in (pull.created_at, pull.merged_at, pull.closed_at)
    )
    times = [at for at in (await conn.execute(select(*last))).one() if at is not None]
    return Window(window.start, max(times) + 1 if times else window.start)


@counted_once
async def unreviewed(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 5
) -> tuple[int, tuple[Waits, ...]]:
    """How many open ones are ready and wait for a first review, and the oldest of them; two queries."""
    pull = pull_request.c
    since = func.coalesce(pull.ready_at, pull.created_at)
    where = (pull.state == "open", pull.draft.is_(False), ~counting_review(reader).exists())
    rows = _select_pulls(reader, wanted).where(*where)
    count = rows.with_only_columns(pull.number).limit(WAITING_COUNTED_UP_TO).subquery()
    found = rows.add_columns(since.label("since")).order_by(since, pull.repository_id, pull.number)
    oldest = (await conn.execute(found.limit(limit))).all()
    total = (await conn.execute(select(func.count()).select_from(count))).scalar_one()
    return int(total), tuple(Waits(**row._mapping) for row in oldest)


@counted_once
async def load(
    conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted
) -> tuple[tuple[Person, Load], ...]:
    """What each person reviewed of others in `window`, the busiest first; one query.

    `wanted.author` is who gave the reviews. Of accounts that are gone nobody knows whose they were.
    """
    same = and_(
        pull_request.c.repository_id == review.c.repository_id, pull_request.c.number == review.c.number
    )
    tables = review.join(pull_request, same).join(repository, repository.c.id == pull_request.c.repository_id)
    each = (review.c.author_id, review.c.repository_id, review.c.number)
    given = (
        select(*each, func.count().label("reviews"))
        .select_from(tables)
        .where(
            *_place(review.c.repository_id, reader, wanted),
            *_who(review.c.author_id, reader, wanted),
            review.c.author_id != func.coalesce(pull_request.c.author_id, -1),
            review.c.submitted_at >= window.start,
            review.c.submitted_at < window.end,
        )
        .group_by(*each)
        .subquery()
    )
    pulls_of = func.count().label("pulls")
    statement = (
        select(person.c.login, person.c.name, func.sum(given.c.reviews).label("reviews"), pulls_of)
        .select_from(given.join(person, person.c.id == given.c.author_id))
        .group_by(person.c.id, person.c.login, person.c.name)
        .order_by(pulls_of.desc(), person.c.login)
    )
    if not wanted.bots:
        statement = statement.where(~is_machine(reader))
    rows = (await conn.execute(statement)).all()
    return tuple((Person(row.login, row.name), Load(int(row.reviews), row.pulls)) for row in rows)


async def turnarounds(
    conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Per pull request of others that I first reviewed in `window`: when I was asked, and my reviews."""
    me = my_ids(reader.account_id)
    theirs = and_(
        pull_request.c.repository_id == review.c.repository_id,
        pull_request.c.number == review.c.number,
        func.coalesce(pull_request.c.author_id, 0).not_in(me),
    )
    tables = review.join(pull_request, theirs).join(repository, repository.c.id == review.c.repository_id)
    mine = (
        select(review.c.repository_id, review.c.number, func.min(review.c.submitted_at).label("at"))
        .select_from(tables)
        .where(*_place(review.c.repository_id, reader, wanted), review.c.author_id.in_(me))
        .group_by(review.c.repository_id, review.c.number)
        .having(func.min(review.c.submitted_at) >= window.start)
        .having(func.min(review.c.submitted_at) < window.end)
        .subquery()
    )
    key = and_(review_asked.c.repository_id == mine.c.repository_id, review_asked.c.number == mine.c.number)
    asked = and_(key, review_asked.c.reviewer_id.in_(me))
    statement = select(
        mine.c.repository_id, mine.c.number, mine.c.at, review_asked.c.requested_at
    ).select_from(mine.outerjoin(review_asked, asked))
    found: dict[tuple[int, int], tuple[int, list[int]]] = {}
    for row in (await conn.execute(statement)).all():
        _, requests = found.setdefault((row.repository_id, row.number), (row.at, []))
        if row.requested_at is not None:
            requests.append(row.requested_at)
    return tuple((tuple(sorted(requests)), (at,)) for _, (at, requests) in sorted(found.items()))


def _select_pulls(reader: Reader, wanted: Wanted) -> Select[Any]:
    pull = pull_request.c
    tables = pull_request.join(repository, repository.c.id == pull.repository_id)
    statement = (
        select(
            *(repository.c.owner, repository.c.name.label("repository"), pull.number, pull.title),
            func.coalesce(person.c.login, "").label("author"),
        )
        .select_from(tables.outerjoin(person, person.c.id == pull.author_id))
        .where(*_place(pull.repository_id, reader, wanted), *_who(pull.author_id, reader, wanted))
    )
    return statement if wanted.bots else statement.where(or_(person.c.id.is_(None), ~is_machine(reader)))


def _place(column: ColumnElement[Any], reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [among(column, followed(reader))]
    if wanted.repository is not None:
        parts = zip((repository.c.owner, repository.c.name), wanted.repository, strict=True)
        conditions += [func.lower(own) == part.lower() for own, part in parts]
    return conditions


def _who(column: ColumnElement[Any], reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    if not wanted.author:
        return []
    if wanted.author.lower() == "me":
        return [column.in_(my_ids(reader.account_id))]
    them = person.alias("them")
    return [column.in_(select(them.c.id).where(func.lower(them.c.login) == wanted.author.lower()))]


def _only(rows: Select[Any], counted: Any) -> Any:
    return rows.with_only_columns(counted).scalar_subquery()
