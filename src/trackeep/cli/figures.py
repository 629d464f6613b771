"""Figures of commands: the window they are of, spreads of durations, tables and CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.days import day_meant
from trackeep.cli.output import NOTHING, Column, plain, table

if TYPE_CHECKING:
    from trackeep.metrics.windows import Window
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_durations import Passage

# The parts of a change's way, as the API calls them.
SPANS = ("coding", "pickup", "review", "time_to_merge", "cycle_time")
PERIODS = ("7d", "30d", "90d", "12m", "all")
# What a spreadsheet would take for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@")


def window_of(reader: Reader, period: str, since: str | None) -> Window:
    """The days of a period, or from `since` (as people type it) to the end of today."""
    from trackeep.metrics.windows import Window, compare, day_of, midnight

    whole = compare(period, reader.now, reader.zone).current
    if since is None:
        return whole
    return Window(midnight(day_meant(since, day_of(reader.now, reader.zone)), reader.zone), whole.end)


def window_item(window: Window, reader: Reader) -> dict[str, Any]:
    """A window for programs: its first and last day, and whose zone the days are in."""
    from trackeep.metrics.windows import day_of

    first = day_of(window.start, reader.zone).isoformat() if window.start > 0 else None
    last = day_of(window.end - 1, reader.zone).isoformat()
    return {"since": first, "until": last, "time_zone": str(reader.zone)}


def instant_text(at: int | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def cycle_figures(found: Sequence[Passage], waiting: int, window: Window, reader: Reader) -> dict[str, Any]:
    """Where merged pull requests spent their time, as `GET /api/v1/stats/cycle-time` says it."""
    from trackeep.metrics import durations

    def ready(one: Passage) -> int:
        return durations.ready_at(one.created_at, one.ready_at)

    spans: dict[str, Callable[[Passage], int | None]] = {
        "coding": lambda one: durations.coding_time(one.first_commit_at, ready(one)),
        "pickup": lambda one: durations.pickup_time(ready(one), one.first_review_at),
        "review": lambda one: durations.review_time(one.first_review_at, one.merged_at),
        "time_to_merge": lambda one: durations.time_to_merge(ready(one), one.merged_at),
        "cycle_time": lambda one: durations.cycle_time(one.first_commit_at, one.merged_at),
    }
    spreads = {name: durations.spread(span(one) for one in found) for name, span in spans.items()}
    return {
        "window": window_item(window, reader),
        "merged_pulls": len(found),
        **{name: {"n": one.n, "p50_s": one.p50, "p90_s": one.p90} for name, one in spreads.items()},
        "without_review": sum(one.first_review_at is None for one in found),
        "waiting": waiting,
    }


def figure_rows(
    titles: Sequence[str],
    rows: Iterable[tuple[str, Any]],
    cells: Callable[[Any, bool], Sequence[str]],
    *,
    as_csv: bool,
) -> None:
    """Print named figures as a table, or as CSV; `cells` writes one row's figures for either."""
    written = [[name, *cells(figures, as_csv)] for name, figures in rows]
    if as_csv:
        write_csv(titles, written)
        return
    columns = [Column(title, is_number=n > 0) for n, title in enumerate(titles)]
    click.echo(table(columns, [[name.replace("_", " "), *rest] for name, *rest in written]))


def spread_of(figures: dict[str, Any], as_csv: bool) -> list[str]:
    """The cells of one spread: how many, median, 90th percentile; seconds in CSV, else for people."""
    from trackeep.instance import words

    if as_csv:
        return [str(figures["n"]), *("" if figures[name] is None else str(figures[name]) for name in _SPREAD)]
    return [str(figures["n"]), *(words.duration(figures[name]) for name in _SPREAD)]


_SPREAD = ("p50_s", "p90_s")


def write_csv(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV; a word that a spreadsheet would take for a formula gets a mark in front."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(titles)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])


def number_text(value: int | None) -> str:
    """12,345, or a dash."""
    return NOTHING if value is None else f"{value:,}"


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    word = plain(cell)
    return f"'{word}" if word.startswith(_FORMULA) else word
