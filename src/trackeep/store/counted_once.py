"""Figures that are counted once and known until something changes: sums, counts, days, no pages of rows.

A figure is known for its question, its reader and the repositories that may be read at this moment, and of
one revision of the database alone (see revisions.py). All of that is read in the transaction that would
count, which sees one state of the database; so what is known is what counting it would give.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Text, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import day_of
from trackeep.revisions import snapshot_of
from trackeep.store.reports_access import Reader, readable
from trackeep.store.tables_revision import revision

P = ParamSpec("P")
T = TypeVar("T")
Counting = Callable[Concatenate[AsyncConnection, Reader, P], Coroutine[Any, Any, T]]
_UNKNOWN = object()


def counted_once(count: Counting[P, T]) -> Counting[P, T]:
    """A reader of figures that asks the database only after a change.

    Of the moment its reader reads at it may use the day alone, and nobody may change what it returns.
    """

    async def known(conn: AsyncConnection, reader: Reader, *given: P.args, **named: P.kwargs) -> T:
        asked = (*map(_fixed, given), *((name, _fixed(value)) for name, value in sorted(named.items())))
        what = (count.__module__, count.__qualname__, *asked)
        return await once(conn, reader, what, lambda: count(conn, reader, *given, **named))

    functools.update_wrapper(known, count)
    return cast("Counting[P, T]", known)


async def once(conn: AsyncConnection, reader: Reader, what: Hashable, count: Callable[[], Awaitable[T]]) -> T:
    """What `count` gives, which is named by `what` for one reader; counted only if it is not known."""
    snapshot = snapshot_of(conn)
    if snapshot is None:
        return await count()
    who = _by_day(reader)
    state = snapshot.states.get(who)
    if state is None:
        state = await _state(conn, reader)
        snapshot.note(conn, who, state)
    number, rights = state
    found: Any = snapshot.figures.get(number, (who, rights, what), _UNKNOWN)
    if found is _UNKNOWN:
        found = await count()
        snapshot.figures.keep(number, (who, rights, what), found)
    return cast(T, found)


async def _state(conn: AsyncConnection, reader: Reader) -> tuple[int, str]:
    """The revision, and which repositories may be read: a proof that grows old raises no number."""
    ids = readable(reader).order_by("id").subquery()
    rights = select(func.aggregate_strings(ids.c.id.cast(Text), ",")).scalar_subquery()
    number = select(func.max(revision.c.number)).scalar_subquery()
    found = (await conn.execute(select(func.coalesce(number, 0), func.coalesce(rights, "")))).one()
    return found[0], found[1]


def _by_day(reader: Reader) -> tuple[Any, ...]:
    today = day_of(reader.now, reader.zone)
    place = (reader.zone.key, reader.week_start, reader.stale_days)
    return reader.account_id, today, *place, reader.is_public


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
