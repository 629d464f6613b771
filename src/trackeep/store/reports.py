"""One object for the whole dashboard, read with a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import Comparison, day_of, midnight, weeks_back
from trackeep.store import (
    reports_events,
    reports_mine,
    reports_pulls,
    reports_repositories,
    reports_sync,
)
from trackeep.store.reports_access import Reader

EVENTS_SHOWN = 10
REPOSITORIES_SHOWN = 10
EVENTS_WITHIN = timedelta(days=90)


@dataclass(frozen=True)
class Overview:
    """What the dashboard shows about one person; `previous` is None for all time."""

    freshness: reports_sync.Freshness
    days: reports_mine.Days
    previous: reports_mine.Totals | None
    merges: tuple[reports_mine.Merge, ...]
    busiest: tuple[str, str] | None
    queue: tuple[reports_pulls.PullRow, ...]
    repositories: tuple[reports_repositories.RepositoryRow, ...]
    events: tuple[reports_events.Event, ...]


async def overview(
    conn: AsyncConnection, reader: Reader, comparison: Comparison, shown: tuple[date, date]
) -> Overview:
    """The dashboard of `reader` for a period and the first and last day of the calendar; 18 queries, or 9."""
    previous = comparison.previous
    merges_since = min(
        midnight(weeks_back(reports_repositories.WEEKS, reader.now, reader.zone)[0], reader.zone),
        previous.start if previous else 0,
    )
    # Whole days: a line of commits is the same as in the list of activity.
    since = midnight(day_of(reader.now, reader.zone) - EVENTS_WITHIN, reader.zone)
    events = await reports_events.recent(conn, reader, reports_events.Wanted(since=since), limit=EVENTS_SHOWN)
    return Overview(
        freshness=await reports_sync.freshness(conn, reader),
        days=await reports_mine.days(conn, reader),
        previous=await reports_mine.totals(conn, reader, previous) if previous else None,
        merges=await reports_mine.merges(conn, reader, merges_since),
        busiest=await reports_mine.busiest_repository(conn, reader, *shown),
        queue=await reports_pulls.queue(conn, reader),
        repositories=await reports_repositories.table(
            conn, reader, comparison.current, limit=REPOSITORIES_SHOWN
        ),
        events=events.rows,
    )
