"""The dashboard: what needs me, how active was I, where is work stuck, is the data fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts, charts_calendar, stamps, visits, words
from trackeep.instance.backlog import backlog
from trackeep.instance.blocks import blocks_of
from trackeep.instance.charts_calendar import Calendar
from trackeep.instance.frame import address, comparison_in, days_of, reader_of, show, span_words, style_of
from trackeep.instance.lists import commits_link
from trackeep.instance.site import site_of
from trackeep.instance.stamps import COMMITS, EVERYTHING, ISSUES, PULLS
from trackeep.metrics.contributions import active_days, change_percent, levels, streaks
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.windows import Comparison, Window, day_of, midnight, weeks_back
from trackeep.store import reports_events, reports_mine, reports_pulls, reports_repositories, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_mine import KINDS, Days, Merge, Totals
from trackeep.store.reports_repositories import WEEKS

KIND_WORDS = {
    "": "All kinds",
    "commit": "Commits",
    "pull": "Pull requests",
    "review": "Reviews",
    "issue": "Issues",
}
# What the calendar counts of each kind: one thing, several, and what its own tile counts otherwise.
COUNTED_WORDS = {
    "": ("contribution", "contributions", "Commits in forks left out; a reviewed pull request once a day"),
    "commit": ("commit outside forks", "commits outside forks", "The number above counts forks too"),
    "pull": ("pull request opened", "pull requests opened", ""),
    "review": (
        "pull request reviewed",
        "pull requests reviewed",
        "Once a day each; the number above counts every review",
    ),
    "issue": ("issue opened", "issues opened", ""),
}
# What each block is made from.
SOURCES = {
    "numbers": (COMMITS, PULLS),
    "queue": (PULLS,),
    "activity": EVERYTHING,
    "repositories": (COMMITS, PULLS),
}
SOURCES_OF_KIND = {
    "": EVERYTHING,
    "commit": (COMMITS,),
    "pull": (PULLS,),
    "review": (PULLS,),
    "issue": (ISSUES,),
}
WAITING_SHOWN = 7
EVENTS_SHOWN = 10
EVENTS_WITHIN = timedelta(days=90)
REPOSITORIES_SHOWN = 10
STREAK_CELLS = 14
# Times are seconds since then.
FIRST_YEAR = 1970


@dataclass(frozen=True)
class Tile:
    """One number with its change, what it is compared with and a small chart; `meaning` is its definition."""

    meaning: str
    title: str
    href: str
    value: str
    unit: str
    meta: str
    chart: Markup
    delta: str = ""
    arrow: str = "up"
    mood: str = ""
    is_few: bool = False


@dataclass(frozen=True)
class CalendarCard:
    """The calendar with the facts beside it."""

    drawn: Markup
    title: str
    note: str
    kind: str
    year: int | None
    years: tuple[int, ...]
    facts: tuple[tuple[str, str, str], ...]


async def dashboard(request: Request) -> Response:
    """GET /"""
    reader = reader_of(request)
    comparison = comparison_in(request, reader)
    kind, year = kind_of(request), year_of(request, reader)
    window, shown = comparison.current, charts_calendar.span(day_of(reader.now, reader.zone), year)
    async with blocks_of(request) as block:
        freshness = await reports_sync.freshness(block.conn, reader)
        is_filling = freshness.succeeded_at is None
        days = await block.read(reports_mine.days, reader)
        before = await block.read(_before, reader, comparison.previous)
        merges = await block.read(reports_mine.merges, reader, _merges_since(reader, comparison))
        busiest = await block.read(reports_mine.busiest_repository, reader, *shown)
        queue = await block.read(reports_pulls.queue, reader)
        table = await block.read(reports_repositories.table, reader, window, limit=REPOSITORIES_SHOWN)
        events = await block.read(reports_events.latest, reader, _lately(reader), limit=EVENTS_SHOWN)
        partial = await reports_sync.repositories(block.conn, reader, partial=True)
        stored = await reports_sync.stored(block.conn, reader) if freshness.is_first else None
        numbers = block.made(tiles, days, before, merges, reader, comparison)
        calendar = block.made(calendar_card, days, busiest, reader, kind, year, is_filling)
    last_visit = await visits.note(site_of(request), reader, freshness)
    return show(
        request,
        "dashboard.html",
        "dashboard",
        last_visit=last_visit,
        freshness=freshness,
        stamps=stamps.of_many(partial, freshness, {**SOURCES, "calendar": SOURCES_OF_KIND[kind]}, reader.now),
        left=backlog(partial, freshness, reader.now).left,
        stored=stored,
        period=comparison.period,
        span=span_words(comparison, reader, style_of(request)),
        window=days_of(window, reader.zone),
        tiles=numbers,
        calendar=calendar,
        queue=queue,
        most_waiting=WAITING_SHOWN,
        events=events,
        repositories=table,
        sparkline=charts.sparkline,
        event_commits=commits_link(request, reader),
        kinds=KIND_WORDS,
    )


async def _before(conn: AsyncConnection, reader: Reader, window: Window | None) -> Totals | None:
    """What the window before comes to; None for all time, which has none."""
    return await reports_mine.totals(conn, reader, window) if window else None


def _merges_since(reader: Reader, comparison: Comparison) -> int:
    """From when on merges are needed: for the weeks that are drawn, and for the window before."""
    drawn = midnight(weeks_back(WEEKS, reader.now, reader.zone)[0], reader.zone)
    return min(drawn, comparison.previous.start if comparison.previous else 0)


def _lately(reader: Reader) -> reports_events.Wanted:
    # Whole days: a line of commits is the same as in the list of activity.
    since = day_of(reader.now, reader.zone) - EVENTS_WITHIN
    return reports_events.Wanted(since=midnight(since, reader.zone))


def kind_of(request: Request) -> str:
    kind = request.query_params.get("kind", "")
    return kind if kind in KINDS else ""


def year_of(request: Request, reader: Reader) -> int | None:
    """`?year=2025`, or None for the last twelve months; so is what is no year, or not one of the past."""
    text = request.query_params.get("year", "")
    year = int(text) if text.isdecimal() and len(text) == 4 else 0
    return year if FIRST_YEAR <= year <= day_of(reader.now, reader.zone).year else None


# ---- five numbers -------------------------------------------------------------------------------


def tiles(
    days: Days, previous: Totals | None, merges: Sequence[Merge], reader: Reader, comparison: Comparison
) -> tuple[Tile, ...]:
    """Commits, pull requests merged, reviews given, median time to merge, streak."""
    window, counts = days_of(comparison.current, reader.zone), days.counts
    count = partial(_count_tile, reader=reader, comparison=comparison)
    return (
        count(
            "commits",
            "Commits",
            address("/commits", author="me", by="author", only="counted", **window),
            counted=(counts.get("commit", {}), previous.commits if previous else None),
        ),
        count(
            "merged",
            "Pull requests merged",
            address("/pulls", list="merged", author="me", **window),
            counted=(counts.get("merged", {}), previous.merged if previous else None),
        ),
        count(
            "reviews",
            "Reviews given",
            address("/activity", kind="review", who="me", **window),
            counted=(counts.get("review", {}), previous.reviews if previous else None),
        ),
        _merge_tile(merges, reader, comparison),
        _streak_tile(days.contributed, reader),
    )


def _count_tile(
    meaning: str,
    title: str,
    href: str,
    *,
    counted: tuple[Mapping[date, int], int | None],
    reader: Reader,
    comparison: Comparison,
) -> Tile:
    """`counted` are the days, and what the window before adds up to."""
    days, before = counted
    now = sum_between(days, comparison.current, reader)
    chart = charts.sparkline(per_week(days, reader))
    if before is None:
        return Tile(meaning, title, href, words.number(now), "", "since the first one", chart)
    meta = f"{before:,} in the {comparison.days} days before"
    percent = change_percent(now, before)
    if not percent:
        return Tile(meaning, title, href, words.number(now), "", meta, chart)
    arrow, mood = ("up", "good") if percent > 0 else ("down", "")
    return Tile(meaning, title, href, words.number(now), "", meta, chart, f"{abs(percent)}%", arrow, mood)


def _merge_tile(merges: Sequence[Merge], reader: Reader, comparison: Comparison) -> Tile:
    now = merge_spread(merges, comparison.current)
    before = merge_spread(merges, comparison.previous) if comparison.previous else Spread(0, None, None)
    value, unit = words.duration_parts(now.p50)
    delta, arrow, mood = "", "up", ""
    if now.p50 is not None and before.p50 is not None and now.p50 != before.p50:
        delta = words.duration(abs(now.p50 - before.p50))
        arrow, mood = ("down", "good") if now.p50 < before.p50 else ("up", "bad")
    meta = f"p90 {words.duration(now.p90)} · {now.n:,} merged" if now.n else "Nothing merged"
    href = address("/pulls", list="merged", author="me", **days_of(comparison.current, reader.zone))
    chart = charts.sparkline(medians_per_week(merges, reader))
    return Tile(
        "time-to-merge",
        "Median time to merge",
        href,
        value,
        unit,
        meta,
        chart,
        delta,
        arrow,
        mood,
        now.is_few,
    )


def _streak_tile(days: Mapping[date, int], reader: Reader) -> Tile:
    today = day_of(reader.now, reader.zone)
    found = streaks(days, today)
    last = [today - timedelta(days=back) for back in reversed(range(STREAK_CELLS))]
    grade = levels(days.get(today - timedelta(days=back), 0) for back in reversed(range(365)))
    return Tile(
        "streak",
        "Current streak",
        "/calendar",
        words.number(found.current),
        "day" if found.current == 1 else "days",
        f"Longest ever {words.counted(found.longest, 'day')}",
        charts.cells(grade[-len(last) :]),
    )


def sum_between(days: Mapping[date, int], window: Window, reader: Reader) -> int:
    """What the days of a window add up to."""
    first, last = day_of(window.start, reader.zone), day_of(window.end - 1, reader.zone)
    return sum(count for day, count in days.items() if first <= day <= last)


def per_week(days: Mapping[date, int], reader: Reader) -> list[float | None]:
    """26 sums of seven days each, the newest ending today."""
    starts = weeks_back(WEEKS, reader.now, reader.zone)
    return [sum(days.get(start + timedelta(days=n), 0) for n in range(7)) for start in starts]


def merge_spread(merges: Iterable[Merge], window: Window) -> Spread:
    return spread(merge.seconds for merge in merges if window.holds(merge.merged_at))


def medians_per_week(merges: Sequence[Merge], reader: Reader) -> list[float | None]:
    """The median of each of 26 spans of seven days; None where nothing was merged."""
    starts = weeks_back(WEEKS, reader.now, reader.zone)
    weeks: list[list[float | None]] = [[] for _ in starts]
    for merge in merges:
        week = (day_of(merge.merged_at, reader.zone) - starts[0]).days // 7
        if 0 <= week < len(weeks):
            weeks[week].append(merge.seconds)
    return [spread(week).p50 for week in weeks]


# ---- the calendar -------------------------------------------------------------------------------


def calendar_card(
    done: Days, most_in: tuple[str, str] | None, reader: Reader, kind: str, year: int | None, is_filling: bool
) -> CalendarCard:
    """The drawn calendar, its title and four facts: (label, value, href)."""
    today = day_of(reader.now, reader.zone)
    first, last = charts_calendar.span(today, year)
    counts = done.contributions.get(kind, {}) if kind else done.contributed
    calendar = Calendar(first, max(first, last), today, counts, is_filling)
    days, busiest = calendar.days, calendar.busiest
    longest = streaks({day: calendar.counts.get(day, 0) for day in days}, calendar.last).longest
    what, many, note = COUNTED_WORDS[kind]
    span = f"in {year}" if year else "in the last year"
    facts = (
        ("Active days", f"{active_days(calendar.counts.get(day, 0) for day in days):,} of {len(days)}", ""),
        (
            "Busiest day",
            f"{words.short_day(busiest[0])}, {busiest[1]:,}" if busiest else words.NOTHING,
            address("/activity", day=busiest[0].isoformat(), kind=kind) if busiest else "",
        ),
        ("Longest streak in view", words.counted(longest, "day"), ""),
        (
            "Most in",
            "/".join(most_in) if most_in else words.NOTHING,
            f"/r/{'/'.join(most_in)}" if most_in else "",
        ),
    )
    title = f"{words.counted(calendar.total, what, many)} {span}"
    return CalendarCard(
        drawn=charts_calendar.draw(calendar),
        title="Your calendar is filling" if calendar.is_filling else title,
        note="" if calendar.is_filling else note,
        kind=kind,
        year=year,
        years=years(done, today),
        facts=() if calendar.is_filling else facts,
    )


def years(done: Days, today: date) -> tuple[int, ...]:
    """The years that can be shown, newest first."""
    first = min((day.year for day in done.contributed), default=today.year)
    return tuple(range(today.year, max(first, today.year - 30) - 1, -1))
