"""Searches that somebody keeps under a name; every question names the account, so nobody sees another's."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import insert_once
from trackeep.errors import NotFound, UsageError
from trackeep.store.tables_searches import saved_search

PULLS = "pulls"
MOST, LONGEST_NAME = 12, 40


@dataclass(frozen=True)
class Saved:
    id: int
    name: str
    query: str


async def kept(conn: AsyncConnection, account_id: int, kind: str) -> tuple[Saved, ...]:
    """This account's searches of one list, in the order they were kept; one query."""
    table = saved_search.c
    rows = select(table.id, table.name, table.query).where(_own(account_id, kind)).order_by(table.id)
    return tuple(Saved(**row._mapping) for row in await conn.execute(rows))


async def keep(conn: AsyncConnection, account_id: int, kind: str, search: tuple[str, str], now: int) -> None:
    """Keep (name, query); a name that is taken gets the new query.

    Raises UsageError for a name that is empty or too long, and when there are too many.
    """
    name = _named(search[0])
    values = {"account_id": account_id, "kind": kind, "name": name, "query": search[1], "created_at": now}
    count = select(func.count()).select_from(saved_search).where(_own(account_id, kind))
    same = and_(_own(account_id, kind), saved_search.c.name == name)
    changed = await conn.execute(update(saved_search).where(same).values(query=search[1]))
    if changed.rowcount:
        return
    if (await conn.execute(count)).scalar_one() >= MOST:
        raise UsageError(f"{MOST} searches are kept already.", "Remove one that you no longer need.")
    await insert_once(conn, saved_search, values)


async def rename(conn: AsyncConnection, account_id: int, kind: str, search_id: int, name: str) -> Saved:
    """Give a kept search another name. Raises NotFound, and UsageError where the name is taken."""
    name = _named(name)
    taken = and_(_own(account_id, kind), saved_search.c.name == name, saved_search.c.id != search_id)
    if (await conn.execute(select(saved_search.c.id).where(taken))).first() is not None:
        raise UsageError(f"Another search is called “{name}” already.", "Choose another name.")
    this = and_(_own(account_id, kind), saved_search.c.id == search_id)
    await conn.execute(update(saved_search).where(this).values(name=name))
    return await _found(conn, this)


async def forget(conn: AsyncConnection, account_id: int, kind: str, search_id: int) -> Saved:
    """Remove a kept search; raises NotFound."""
    this = and_(_own(account_id, kind), saved_search.c.id == search_id)
    found = await _found(conn, this)
    await conn.execute(delete(saved_search).where(this))
    return found


async def _found(conn: AsyncConnection, this: ColumnElement[bool]) -> Saved:
    table = saved_search.c
    row = (await conn.execute(select(table.id, table.name, table.query).where(this))).first()
    if row is None:
        raise NotFound("There is no such search.", "It may have been removed in another window.")
    return Saved(**row._mapping)


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or "\0" in name:
        raise UsageError(
            "A search needs a name to be kept.", f"Write one of at most {LONGEST_NAME} characters."
        )
    return name


def _own(account_id: int, kind: str) -> ColumnElement[bool]:
    return and_(saved_search.c.account_id == account_id, saved_search.c.kind == kind)
