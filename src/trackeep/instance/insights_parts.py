"""The parts of the insights into pull requests: numbers with their lists, charts and tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from markupsafe import Markup

from trackeep.instance import charts, charts_pulls, words
from trackeep.instance.charts import Caption
from trackeep.instance.figures import TableOf
from trackeep.instance.frame import address, days_of
from trackeep.instance.insights import Figures, Times
from trackeep.metrics.contributions import change_percent
from trackeep.metrics.durations import Spread
from trackeep.metrics.pulls import SIZES, Throughput
from trackeep.metrics.reviews import Load
from trackeep.metrics.windows import Window
from trackeep.store.reports_insights import Person, Wanted

HOUR_S = 3_600
# A tick further out than this many times the medians would make them too small to see.
FURTHEST = 5
# Of many weeks every eighth is named, and of few every second.
MANY_WEEKS, SELDOM = 20, 8
LINES_OF = (
    "under 10",
    *(f"{low}–{high - 1}" for low, high in zip((10, 30, 100, 500), (30, 100, 500, 1_000), strict=True)),
    "1,000+",
)
SIZE_LINES = tuple(zip((*(name for name, _ in SIZES), "XXL"), LINES_OF, strict=True))


@dataclass(frozen=True)
class Links:
    """The lists behind the numbers, as searches of pull requests."""

    window: Window
    wanted: Wanted
    zone: ZoneInfo

    @property
    def days(self) -> str:
        days = days_of(self.window, self.zone)
        return f"{days.get('since', '')}..{days['until']}"

    def to(self, *parts: str) -> str:
        """Those that meet `parts`, within the repository, the person and the bots that were asked for."""
        bots = () if self.wanted.bots else ("-is:bot",)
        author = (f"author:{self.wanted.author}",) if self.wanted.author else ()
        return address("/pulls", q=" ".join((*parts, *self._place, *author, *bots)))

    def reviewed_by(self, login: str) -> str:
        return address("/pulls", q=" ".join((f"reviewed-by:{login}", f"reviewed:{self.days}", *self._place)))

    @property
    def opened(self) -> str:
        return self.to(f"created:{self.days}")

    @property
    def merged(self) -> str:
        return self.to(f"merged:{self.days}")

    @property
    def finished(self) -> str:
        return self.to(f"closed:{self.days}")

    @property
    def unreviewed(self) -> str:
        return self.to(f"merged:{self.days}", "review:none")

    @property
    def waiting(self) -> str:
        return self.to("is:open", "-is:draft", "review:none")

    def of_size(self, name: str) -> str:
        return self.to(f"merged:{self.days}", f"size:{name}")

    @property
    def _place(self) -> tuple[str, ...]:
        return (f"repo:{'/'.join(self.wanted.repository)}",) if self.wanted.repository else ()


@dataclass(frozen=True)
class Tile:
    """One number: where its list is, what it is compared with, and whether it stands on too few."""

    title: str
    href: str
    value: str
    unit: str
    meta: str
    delta: str = ""
    arrow: str = "up"
    mood: str = ""
    is_few: bool = False


@dataclass(frozen=True)
class CycleRow:
    """One window of the chart of times: its name, how many were merged, the drawing, median and tick."""

    title: str
    merged: int
    drawn: Markup
    cycle: Spread


@dataclass(frozen=True)
class SizeChart:
    """The bars, how many percent are big (None where no size is known), and how many have no size yet."""

    drawn: Markup
    big: int | None
    unsized: int


def tiles(now: Figures, before: Figures | None, turnaround: Spread, links: Links) -> tuple[Tile, ...]:
    """Merged, time to merge, merge rate, review depth, and the reader's own turnaround."""
    finished = now.counts.merged + now.counts.closed
    return (
        _merged(now, before, links),
        _duration(
            "Time to merge", links.merged, now.times.to_merge, before.times.to_merge if before else None
        ),
        Tile(
            "Merge rate",
            links.finished,
            *_percent(now.merge_rate),
            f"{now.counts.merged:,} of {finished:,} finished" if finished else "Nothing was finished",
            is_few=finished < 5,
        ),
        Tile(
            "Review depth",
            links.merged,
            words.NOTHING if now.depth is None else f"{now.depth:.1f}",
            "",
            "reviews and comments each",
            is_few=now.times.merged < 5,
        ),
        _duration("Your review turnaround", links.reviewed_by("me"), turnaround, None),
    )


def _merged(now: Figures, before: Figures | None, links: Links) -> Tile:
    value = words.number(now.counts.merged)
    if before is None:
        return Tile("Merged", links.merged, value, "", "since the first one")
    meta, percent = f"{before.counts.merged:,} in the window before", None
    percent = change_percent(now.counts.merged, before.counts.merged)
    if not percent:
        return Tile("Merged", links.merged, value, "", meta)
    arrow, mood = ("up", "good") if percent > 0 else ("down", "")
    return Tile("Merged", links.merged, value, "", meta, f"{abs(percent)}%", arrow, mood)


def _duration(title: str, href: str, now: Spread, before: Spread | None) -> Tile:
    value, unit = words.duration_parts(now.p50)
    meta = f"median of {now.n:,} · p90 {words.duration(now.p90)}" if now.n else "None is known"
    if before is None or before.p50 is None or now.p50 is None or now.p50 == before.p50:
        return Tile(title, href, value, unit, meta, is_few=now.is_few)
    arrow, mood = ("down", "good") if now.p50 < before.p50 else ("up", "bad")
    return Tile(
        title, href, value, unit, meta, words.duration(abs(now.p50 - before.p50)), arrow, mood, now.is_few
    )


def _percent(share: float | None) -> tuple[str, str]:
    return (words.NOTHING, "") if share is None else (f"{share * 100:.0f}", "%")


def cycle_rows(now: Figures, before: Figures | None) -> tuple[CycleRow, ...]:
    """This window and the one before it, on one scale, at which the medians can be told apart."""
    both = [("This period", now.times)] + ([("Period before", before.times)] if before else [])
    medians = max(sum(part or 0 for part in _parts(each)) for _, each in both)
    longest = max(medians, min(FURTHEST * medians, max(each.cycle.p90 or 0 for _, each in both)))
    return tuple(
        CycleRow(title, each.merged, _stack(f"ct{place}", title, each, longest), each.cycle)
        for place, (title, each) in enumerate(both)
    )


def _stack(key: str, title: str, times: Times, longest: float) -> Markup:
    names = ("coding", "pickup", "review")
    said = ", ".join(
        f"{name} {words.duration(value)}" for name, value in zip(names, _parts(times), strict=True)
    )
    text = f"Medians: {said}. Half took at most {words.duration(times.cycle.p50)}"
    text += f", nine in ten at most {words.duration(times.cycle.p90)}; {times.cycle.n:,} are known."
    caption = Caption(key, f"Cycle time, {title.lower()}", text)
    return charts_pulls.stack(_parts(times), times.cycle.p90, longest, caption)


def _parts(times: Times) -> tuple[float | None, ...]:
    return times.coding.p50, times.pickup.p50, times.review.p50


def week_bars(starts: Sequence[date], weeks: Sequence[Throughput], style: str) -> Markup:
    """Opened and merged, side by side."""
    opened, merged = sum(each.opened for each in weeks), sum(each.merged for each in weeks)
    every = SELDOM if len(starts) > MANY_WEEKS else 1
    labels = [words.short_day(day, style) if place % every == 0 else "" for place, day in enumerate(starts)]
    text = f"{len(starts)} weeks from {words.day(starts[0], style)}: {opened:,} opened, {merged:,} merged."
    pairs = [(label, each.opened, each.merged) for label, each in zip(labels, weeks, strict=True)]
    return charts.paired_bars(pairs, Caption("om", "Pull requests opened and merged per week", text))


def size_chart(now: Figures, links: Links, url: Callable[[str], str]) -> SizeChart:
    """A bar per size, each of which leads to its list."""
    sizes = now.sizes
    bars = [(name, lines, sizes[name], url(links.of_size(name))) for name, lines in SIZE_LINES]
    said = ", ".join(f"{name} {count:,}" for name, _, count, _ in bars)
    total = sum(count for _, _, count, _ in bars)
    text = f"{words.counted(total, 'merged pull request')} by lines changed: {said}."
    drawn = charts_pulls.size_bars(bars, Caption("sz", "Pull request size", text))
    return SizeChart(drawn, share_of_big(sizes), sizes[None])


def share_of_big(sizes: Mapping[str | None, int]) -> int | None:
    """How many percent of those whose size is known have 500 lines or more."""
    known = sum(count for name, count in sizes.items() if name)
    return round(100 * (sizes["XL"] + sizes["XXL"]) / known) if known else None


# ---- the same as tables -------------------------------------------------------------------------


def weeks_table(starts: Sequence[date], weeks: Sequence[Throughput]) -> TableOf:
    """A row per week, the oldest first."""
    rows = tuple(
        (day, (each.opened, each.merged, each.closed)) for day, each in zip(starts, weeks, strict=True)
    )
    columns = ("Opened", "Merged", "Closed without a merge")
    return TableOf(f"Pull requests per week, {len(starts)} weeks", "Seven days from", columns, rows)


def cycle_table(now: Times, before: Figures | None, span: str) -> TableOf:
    """Hours, because a spreadsheet can add them."""
    rows = []
    for title, times in (("This period", now), ("Period before", before.times if before else None)):
        if times is None:
            continue
        for name, found in (
            ("coding", times.coding),
            ("pickup", times.pickup),
            ("review", times.review),
            ("time to merge", times.to_merge),
            ("cycle time", times.cycle),
        ):
            rows.append((f"{title}, {name}", (found.n, _hours(found.p50), _hours(found.p90))))
    return TableOf(
        f"Where the time of merged pull requests goes, {span}", "Hours", ("n", "p50", "p90"), tuple(rows)
    )


def sizes_table(sizes: Mapping[str | None, int], span: str) -> TableOf:
    """By lines changed, and how many are not known."""
    rows = [(f"{name}, {lines} lines", (sizes[name],)) for name, lines in SIZE_LINES]
    rows.append(("Not known yet", (sizes[None],)))
    return TableOf(f"Merged pull requests by size, {span}", "Size", ("Merged",), tuple(rows))


def load_table(load: Sequence[tuple[Person, Load]], span: str) -> TableOf:
    """A row per person, the busiest first."""
    rows = tuple((person.login, (each.pulls, each.reviews)) for person, each in load)
    return TableOf(f"Reviews given, {span}", "Person", ("Pull requests", "Reviews"), rows)


def _hours(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds / HOUR_S:.2f}"
