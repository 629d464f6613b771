"""When somebody was here last, so that lists can show what is new since then."""

from __future__ import annotations

from trackeep.instance.site import Site
from trackeep.store import preferences
from trackeep.store.reports_access import Reader
from trackeep.store.reports_sync import Freshness

# After this long without a page, the next page begins another visit.
NEW_AFTER_S = 1_800
# A page view must not cost a write.
NOTED_EVERY_S = 300


async def note(site: Site, reader: Reader, freshness: Freshness) -> int | None:
    """Note this visit; returns when the one before it ended, or None for the first."""
    last, previous = freshness.last_visit_at, freshness.previous_visit_at
    away_s = None if last is None else reader.now - last
    if away_s is None or away_s >= NEW_AFTER_S:
        previous = last
    if away_s is None or away_s >= NOTED_EVERY_S:
        await site.db.note(lambda conn: preferences.save_visit(conn, reader.account_id, reader.now, previous))
    return previous
