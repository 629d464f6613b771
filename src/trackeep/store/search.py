"""Searching everything at once: repositories by their names, beside commits and pull requests."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader
from trackeep.store.search_filters import places
from trackeep.store.search_grammar import Query
from trackeep.store.tables import repository


@dataclass(frozen=True)
class Place:
    """A repository as a search shows it."""

    owner: str
    name: str
    description: str
    private: bool
    fork: bool
    archived: bool
    pushed_at: int | None


async def repositories(
    conn: AsyncConnection, reader: Reader, query: Query, *, limit: int = 10
) -> tuple[tuple[Place, ...], int]:
    """Followed repositories with all words in owner/name or description, newest push first, and how many.

    One query; a word may be a part of a longer one, as names have no spaces.
    """
    full_name = func.lower(repository.c.owner).concat("/").concat(func.lower(repository.c.name))
    where = []
    for term in query.terms:
        part = term.text.lower()
        matches = or_(
            full_name.contains(part, autoescape=True),
            func.lower(repository.c.description).contains(part, autoescape=True),
        )
        where.append(~matches if term.negated else matches)
    names = ("owner", "name", "description", "private", "fork", "archived", "pushed_at")
    found = (
        select(*(repository.c[name] for name in names), func.count().over().label("every"))
        .where(repository.c.id.in_(places(reader, query, None, forks=True)), *where)
        .order_by(func.coalesce(repository.c.pushed_at, 0).desc(), repository.c.id)
        .limit(limit)
    )
    rows = (await conn.execute(found)).all()
    shown = tuple(Place(*(getattr(row, name) for name in names)) for row in rows)
    return shown, rows[0].every if rows else 0
