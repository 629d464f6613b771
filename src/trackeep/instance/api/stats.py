"""Figures in the JSON API: how active you were, your calendar, and where changes spend their time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from trackeep.instance.api import models_figures as models
from trackeep.instance.api.access import Guarded, needs
from trackeep.instance.api.queries import CalendarQuery, CycleQuery, PeriodQuery
from trackeep.instance.charts_calendar import span
from trackeep.instance.frame import reader_of
from trackeep.instance.site import site_of
from trackeep.metrics import durations
from trackeep.metrics.contributions import active_days, levels, streaks
from trackeep.metrics.windows import Comparison, Window, compare, day_of
from trackeep.store import reports_durations, reports_mine
from trackeep.store.reports_access import Reader
from trackeep.store.reports_durations import Passage
from trackeep.store.reports_mine import KINDS, Days

router = APIRouter(route_class=Guarded, tags=["Figures"])


@router.get("/stats/summary", summary="How active you were", **needs("read"))
async def summary(request: Request, query: Annotated[PeriodQuery, Query()]) -> models.Summary:
    """The five numbers of the dashboard."""
    reader = reader_of(request)
    comparison = compare(query.period, reader.now, reader.zone)
    current, previous = comparison.current, comparison.previous
    async with site_of(request).db.read() as conn:
        days = await reports_mine.days(conn, reader)
        before = await reports_mine.totals(conn, reader, previous) if previous else None
        merges = await reports_mine.merges(conn, reader, current.start)
    took = durations.spread(merge.seconds for merge in merges if current.holds(merge.merged_at))
    contributions = _contributions(days, "")
    busy = _within(contributions, current, reader)
    run = streaks(contributions, day_of(reader.now, reader.zone))

    def figure(kind: str, earlier: int | None) -> models.Figure:
        value = sum(_within(days.counts.get(kind, {}), current, reader).values())
        return models.Figure(value=value, previous=earlier)

    return models.Summary(
        window=_window(comparison, reader),
        commits=figure("commit", before.commits if before else None),
        merged_pulls=figure("merged", before.merged if before else None),
        reviews=figure("review", before.reviews if before else None),
        contributions=sum(busy.values()),
        active_days=active_days(busy.values()),
        time_to_merge=_spread(took),
        streak=models.Streak(current=run.current, longest=run.longest),
    )


@router.get("/stats/calendar", summary="Your calendar", **needs("read"))
async def calendar(request: Request, query: Annotated[CalendarQuery, Query()]) -> models.Calendar:
    """Contributions per day: commits outside forks, pull requests opened, pull requests reviewed, issues."""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        days = await reports_mine.days(conn, reader)
    first, last = span(day_of(reader.now, reader.zone), query.year)
    shown = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    contributions = _contributions(days, query.kind)
    counts = [contributions.get(day, 0) for day in shown]
    kinds = [days.contributions.get(kind, {}) if query.kind in ("", kind) else {} for kind in KINDS]
    run = streaks(dict(zip(shown, counts, strict=True)), last)
    grades = levels(counts)
    return models.Calendar(
        first=first,
        last=last,
        contributions=sum(counts),
        active_days=active_days(counts),
        streak=models.Streak(current=run.current, longest=run.longest),
        days=tuple(
            models.CalendarDay(
                day=day,
                level=level,
                contributions=count,
                **dict(zip(_FIELDS, (each.get(day, 0) for each in kinds), strict=True)),
            )
            for day, level, count in zip(shown, grades, counts, strict=True)
        ),
    )


@router.get("/stats/cycle-time", summary="Where changes spend their time", **needs("read"))
async def cycle_time(request: Request, query: Annotated[CycleQuery, Query()]) -> models.CycleTime:
    """Of the pull requests merged in a period, in everything you follow: medians, never a mean alone."""
    reader = reader_of(request)
    comparison = compare(query.period, reader.now, reader.zone)
    owner, _, name = (query.repository or "").partition("/")
    wanted = reports_durations.Wanted((owner, name) if owner else None, query.author.strip())
    async with site_of(request).db.read() as conn:
        found = await reports_durations.passages(conn, reader, comparison.current, wanted)
        waiting = await reports_durations.waiting(conn, reader, wanted)
    return models.CycleTime(
        window=_window(comparison, reader),
        merged_pulls=len(found),
        coding=_spread(durations.spread(map(_coding, found))),
        pickup=_spread(durations.spread(map(_pickup, found))),
        review=_spread(durations.spread(map(_review, found))),
        time_to_merge=_spread(durations.spread(map(_to_merge, found))),
        cycle_time=_spread(durations.spread(map(_cycle, found))),
        without_review=sum(one.first_review_at is None for one in found),
        waiting=waiting,
    )


_FIELDS = ("commits", "pulls", "reviews", "issues")


def _coding(one: Passage) -> int | None:
    return durations.coding_time(one.first_commit_at, durations.ready_at(one.created_at, one.ready_at))


def _pickup(one: Passage) -> int | None:
    return durations.pickup_time(durations.ready_at(one.created_at, one.ready_at), one.first_review_at)


def _review(one: Passage) -> int | None:
    return durations.review_time(one.first_review_at, one.merged_at)


def _to_merge(one: Passage) -> int | None:
    return durations.time_to_merge(durations.ready_at(one.created_at, one.ready_at), one.merged_at)


def _cycle(one: Passage) -> int | None:
    return durations.cycle_time(one.first_commit_at, one.merged_at)


def _spread(found: durations.Spread) -> models.Spread:
    return models.Spread(n=found.n, p50_s=found.p50, p90_s=found.p90)


def _window(comparison: Comparison, reader: Reader) -> models.Window:
    current = comparison.current
    return models.Window.model_validate(
        {
            "period": comparison.period,
            "since": day_of(current.start, reader.zone) if comparison.previous else None,
            "until": day_of(current.end - 1, reader.zone),
        }
    )


def _contributions(days: Days, kind: str) -> dict[date, int]:
    total: dict[date, int] = {}
    for name, counts in days.contributions.items():
        for day, count in counts.items() if kind in ("", name) else ():
            total[day] = total.get(day, 0) + count
    return total


def _within(days: Mapping[date, int], window: Window, reader: Reader) -> dict[date, int]:
    first, last = day_of(window.start, reader.zone), day_of(window.end - 1, reader.zone)
    return {day: count for day, count in days.items() if first <= day <= last}
