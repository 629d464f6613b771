"""Statements are kept for the page that is being made, not for all that were made before it."""

import gc
import weakref
from zoneinfo import ZoneInfo

from sqlalchemy import Subquery, select

from trackeep.store.reports_access import Reader, followed, local_seconds
from trackeep.store.tables_fetched import commit

MOMENTS, AT_MOST = 60, 10


def test_what_earlier_pages_asked_does_not_stay_in_memory() -> None:
    """Each page reads at a moment of its own; of an hour of pages only the last few are still held."""
    asked = [weakref.ref(whole_past(Reader(1, now, ZoneInfo("Europe/Berlin")))) for now in range(MOMENTS)]
    gc.collect()
    assert sum(each() is not None for each in asked) <= AT_MOST


def whole_past(reader: Reader) -> Subquery:
    mine = select(commit.c.committed_at).where(commit.c.repository_id.in_(followed(reader))).subquery()
    assert local_seconds(mine.c.committed_at, reader) is not None
    return mine
