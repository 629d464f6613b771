"""The dashboard: what needs me, how active was I, where is work stuck, is the data fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts, charts_calendar, visits, words
from trackeep.instance.charts_calendar import Calendar
from trackeep.instance.frame import address, comparison_in, days_of, reader_of, show, span_words
from trackeep.instance.lists import commits_link
from trackeep.instance.site import site_of
from trackeep.metrics.contributions import active_days, change_percent, levels, streaks
from trackeep.metrics.durations import Spread, spread
from trackeep.metrics.windows import Comparison, Window, day_of, weeks_back
from trackeep.store import reports, reports_sync
from trackeep.store.reports import Overview
from trackeep.store.reports_access import Reader
from trackeep.store.reports_mine import KINDS, Merge
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
WAITING_SHOWN = 7
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
    shown = charts_calendar.span(day_of(reader.now, reader.zone), year)
    async with site_of(request).db.read() as conn:
        overview = await reports.overview(conn, reader, comparison, shown)
        stored = await reports_sync.stored(conn, reader) if overview.freshness.is_first else None
    last_visit = await visits.note(site_of(request), reader, overview.freshness)
    return show(
        request,
        "dashboard.html",
        "dashboard",
        last_visit=last_visit,
        overview=overview,
        freshness=overview.freshness,
        stored=stored,
        period=comparison.period,
        span=span_words(comparison, reader),
        window=days_of(comparison.current, reader.zone),
        tiles=tiles(overview, reader, comparison),
        calendar=calendar_card(overview, reader, kind, year),
        waiting=[pull for pull in overview.queue if pull.needs_me],
        others=[pull for pull in overview.queue if not pull.needs_me and pull.section != "merged"],
        most_waiting=WAITING_SHOWN,
        sparkline=charts.sparkline,
        event_commits=commits_link(request, reader),
        kinds=KIND_WORDS,
    )


def kind_of(request: Request) -> str:
    kind = request.query_params.get("kind", "")
    return kind if kind in KINDS else ""


def year_of(request: Request, reader: Reader) -> int | None:
    """`?year=2025`, or None for the last twelve months; so is what is no year, or not one of the past."""
    text = request.query_params.get("year", "")
    year = int(text) if text.isdecimal() and len(text) == 4 else 0
    return year if FIRST_YEAR <= year <= day_of(reader.now, reader.zone).year else None


# ---- five numbers -------------------------------------------------------------------------------


def tiles(overview: Overview, reader: Reader, comparison: Comparison) -> tuple[Tile, ...]:
    """Commits, pull requests merged, reviews given, median time to merge, streak."""
    window = days_of(comparison.current, reader.zone)
    previous, counts = overview.previous, overview.days.counts
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
        _merge_tile(overview.merges, reader, comparison),
        _streak_tile(contributions(overview, ""), reader),
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


def contributions(overview: Overview, kind: str) -> Mapping[date, int]:
    """Contributions per day, of one kind or of all."""
    return overview.days.contributions.get(kind, {}) if kind else overview.days.contributed


def calendar_of(overview: Overview, reader: Reader, kind: str, year: int | None) -> Calendar:
    """The days to show, with their contributions of one kind or of all."""
    today = day_of(reader.now, reader.zone)
    first, last = charts_calendar.span(today, year)
    is_filling = overview.freshness.succeeded_at is None
    return Calendar(first, max(first, last), today, contributions(overview, kind), is_filling)


def calendar_card(overview: Overview, reader: Reader, kind: str, year: int | None) -> CalendarCard:
    """The drawn calendar, its title and four facts: (label, value, href)."""
    calendar = calendar_of(overview, reader, kind, year)
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
            "/".join(overview.busiest) if overview.busiest else words.NOTHING,
            f"/r/{'/'.join(overview.busiest)}" if overview.busiest else "",
        ),
    )
    title = f"{words.counted(calendar.total, what, many)} {span}"
    return CalendarCard(
        drawn=charts_calendar.draw(calendar),
        title="Your calendar is filling" if calendar.is_filling else title,
        note="" if calendar.is_filling else note,
        kind=kind,
        year=year,
        years=years(overview, calendar.today),
        facts=() if calendar.is_filling else facts,
    )


def years(overview: Overview, today: date) -> tuple[int, ...]:
    """The years that can be shown, newest first."""
    first = min((day.year for day in contributions(overview, "")), default=today.year)
    return tuple(range(today.year, max(first, today.year - 30) - 1, -1))
