"""Who took part in a repository's commits: those who wrote them, and co-authors whose address is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Window
from trackeep.store.counted_once import counted_once
from trackeep.store.reports_access import Reader, is_counted, is_machine, known_authors, readable
from trackeep.store.tables import person
from trackeep.store.tables_fetched import co_author, commit


@dataclass(frozen=True)
class Contributor:
    """Somebody whom GitHub knows; `wrote` is False for a person who is named as co-author alone."""

    id: int
    login: str
    wrote: bool


async def contributors(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[Contributor, ...]:
    """People of the counted commits of a window, bots left out, by login; two queries."""
    writers, named = _takers(reader, repository_id, window)
    wrote = {row.id for row in (await conn.execute(writers)).all()}
    rows = (await conn.execute(union(writers, named).order_by("login", "id"))).all()
    return tuple(Contributor(row.id, row.login, row.id in wrote) for row in rows)


@counted_once
async def co_authors(
    conn: AsyncConnection, reader: Reader, repository_id: int, window: Window
) -> tuple[Contributor, ...]:
    """Those of them who wrote none of the commits: they are named as co-authors alone; one query."""
    writers, named = _takers(reader, repository_id, window)
    rows = (await conn.execute(named.except_(writers).order_by("login", "id"))).all()
    return tuple(Contributor(row.id, row.login, False) for row in rows)


def _takers(reader: Reader, repository_id: int, window: Window) -> tuple[Select[Any], Select[Any]]:
    """Who wrote counted commits, and who is named in them as co-author: (id, login)."""
    here = and_(commit.c.repository_id == repository_id, commit.c.repository_id.in_(readable(reader)))
    within = and_(commit.c.committed_at >= window.start, commit.c.committed_at < window.end)
    counted = and_(here, within, is_counted())
    both = and_(co_author.c.repository_id == commit.c.repository_id, co_author.c.sha == commit.c.sha)
    writers = _known(reader, select(func.lower(commit.c.author_email).label("email")).where(counted))
    named = _known(
        reader, select(func.lower(co_author.c.email)).select_from(commit.join(co_author, both)).where(counted)
    )
    return writers, named


def _known(reader: Reader, addresses: Select[Any]) -> Select[Any]:
    known = known_authors(reader.account_id)
    is_theirs: ColumnElement[bool] = known.c.email.in_(addresses)
    return (
        select(person.c.id, person.c.login)
        .join(known, known.c.person_id == person.c.id)
        .where(is_theirs, ~is_machine(reader))
        .distinct()
    )
