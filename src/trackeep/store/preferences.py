"""What a person chose for their own pages, and when they looked at them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.tables import account

THEMES = {"system": "Like the system", "light": "Light", "dark": "Dark", "contrast": "High contrast"}
HEATMAPS = {"green": "Green", "blue": "Blue", "violet": "Violet", "orange": "Orange", "mono": "Grey"}
# As ISO counts weekdays.
WEEK_STARTS = {1: "Monday", 6: "Saturday", 7: "Sunday"}
DATE_STYLES = {"day": "23 November 2026", "month": "November 23, 2026", "iso": "2026-11-23"}
STALE_DAYS = (1, 365)


async def save(conn: AsyncConnection, account_id: int, **chosen: Any) -> None:
    """Save some of time_zone, theme, heatmap, week_start, date_style and stale_days, all checked before.

    `time_zone` is an IANA name, `week_start` a key of WEEK_STARTS, `stale_days` whole days, the others are
    keys of the tables above.
    """
    await conn.execute(update(account).where(account.c.id == account_id).values(**chosen))


async def save_visit(conn: AsyncConnection, account_id: int, now: int, previous: int | None) -> None:
    """This visit lasts until `now`; the one before it ended at `previous`."""
    await save(conn, account_id, last_visit_at=now, previous_visit_at=previous)
