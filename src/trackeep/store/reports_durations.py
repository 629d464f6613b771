"""How long changes took: each merged pull request of a window with the moments that divide its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Window
from trackeep.store.reports_access import Reader, among, followed, is_machine, my_ids, named
from trackeep.store.tables import person
from trackeep.store.tables_fetched import pull_request, review


@dataclass(frozen=True)
class Wanted:
    """Whose pull requests, and where; `author` is a login, "me", or "" for everybody's."""

    repository: tuple[str, str] | None = None
    author: str = ""


@dataclass(frozen=True)
class Passage:
    """One merged pull request; unix seconds. The first review is one by somebody else who is no bot."""

    first_commit_at: int | None
    created_at: int
    ready_at: int | None
    first_review_at: int | None
    merged_at: int


async def passages(
    conn: AsyncConnection, reader: Reader, window: Window, wanted: Wanted
) -> tuple[Passage, ...]:
    """The pull requests that were merged in `window`, oldest first; one query."""
    pull = pull_request.c
    statement = (
        select(
            pull.first_commit_at,
            pull.created_at,
            pull.ready_at,
            _first_review(reader).label("first_review_at"),
            pull.merged_at,
        )
        .where(*_in_sight(reader, wanted), pull.merged_at >= window.start, pull.merged_at < window.end)
        .order_by(pull.merged_at, pull.repository_id, pull.number)
    )
    return tuple(Passage(**row._mapping) for row in (await conn.execute(statement)).all())


async def waiting(conn: AsyncConnection, reader: Reader, wanted: Wanted) -> int:
    """How many open pull requests are ready and nobody else has reviewed; one query."""
    pull = pull_request.c
    unseen = _first_review(reader).is_(None)
    where = (*_in_sight(reader, wanted), pull.state == "open", pull.draft.is_(False), unseen)
    statement = select(func.count()).select_from(pull_request).where(*where)
    return int((await conn.execute(statement)).scalar_one())


def _first_review(reader: Reader) -> Any:
    pull = pull_request.c
    same = and_(review.c.repository_id == pull.repository_id, review.c.number == pull.number)
    by_another = func.coalesce(review.c.author_id, 0) != func.coalesce(pull.author_id, -1)
    by_somebody = or_(person.c.id.is_(None), ~is_machine(reader))
    return (
        select(func.min(review.c.submitted_at))
        .select_from(review.outerjoin(person, person.c.id == review.c.author_id))
        .where(same, by_another, by_somebody)
        .correlate(pull_request)
        .scalar_subquery()
    )


def _in_sight(reader: Reader, wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    here = pull_request.c.repository_id
    place = among(here, followed(reader))
    if wanted.repository is not None:
        place = here == named(reader, wanted.repository).scalar_subquery()
    if not wanted.author:
        return (place,)
    if wanted.author == "me":
        return place, pull_request.c.author_id.in_(my_ids(reader.account_id))
    them = select(person.c.id).where(func.lower(person.c.login) == wanted.author.lower())
    return place, pull_request.c.author_id.in_(them)
