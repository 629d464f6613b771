"""What a person chose for their own pages, and when they looked at them."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.tables import account


async def save_theme(conn: AsyncConnection, account_id: int, theme: str) -> None:
    """`theme` is light, dark or system."""
    await conn.execute(update(account).where(account.c.id == account_id).values(theme=theme))


async def save_time_zone(conn: AsyncConnection, account_id: int, time_zone: str) -> None:
    """`time_zone` is an IANA name; days and streaks are counted in it."""
    await conn.execute(update(account).where(account.c.id == account_id).values(time_zone=time_zone))


async def save_visit(conn: AsyncConnection, account_id: int, now: int, previous: int | None) -> None:
    """This visit lasts until `now`; the one before it ended at `previous`."""
    values = {"last_visit_at": now, "previous_visit_at": previous}
    await conn.execute(update(account).where(account.c.id == account_id).values(**values))
