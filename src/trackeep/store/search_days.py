"""What people type for days in a search: 2026-11-23, 2026-11, 2026-11-01..2026-11-23, 7d, yesterday; pure.

A span is (first day, day after the last), None where it is open: in a person's zone both begin at 00:00.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

Span = tuple[date | None, date | None]
# Each names one end of a span of time.
EDGES = ("since", "until", "after", "before")
HOW_TO_WRITE = (
    "Write a day as 2026-11-23, a month as 2026-11, several as 2026-11-01..2026-11-23, "
    "or how long ago as 7d, 4w, 3m or 1y."
)
_FIRST, _LAST = date(1970, 1, 1), date(9998, 12, 31)
_DAY = timedelta(days=1)
_AGO = re.compile(r"(\d{1,4})([dwmy])")
_DAYS_IN = {"d": 1, "w": 7, "m": 30, "y": 365}


def from_edge(name: str, value: str, today: date) -> Span | None:
    """The span that since:, until:, after: or before: leaves; None where `value` is no day.

    The first two take the days in that are named, and both ends where two dots name them.
    """
    if name in ("since", "until") and ".." in value:
        return _between(value, today)
    found = _named(value, today)
    if found is None:
        return None
    first, following = found
    spans: dict[str, Span] = {
        "since": (first, None),
        "until": (None, following),
        "after": (following, None),
        "before": (None, first),
    }
    return spans[name]


def within(value: str, today: date) -> Span | None:
    """The days that are named, or from so long ago (7d) to today; None where `value` is no day."""
    if ".." in value:
        return _between(value, today)
    found = _named(value, today)
    return (found[0], today + _DAY) if found and _AGO.fullmatch(value) else found


def length(value: str) -> int | None:
    """How many days 30d, 2w, 3m or 1y are; None for anything else."""
    found = _AGO.fullmatch(value)
    return int(found[1]) * _DAYS_IN[found[2]] if found else None


def _between(value: str, today: date) -> Span | None:
    first, _, last = value.partition("..")
    begins, ends = (_named(part, today) if part else None for part in (first, last))
    if (first and begins is None) or (last and ends is None) or not (first or last):
        return None
    return begins and begins[0], ends and ends[1]


def _named(value: str, today: date) -> tuple[date, date] | None:
    """A day, a month, a year or a day so long ago; how long a person's history may be."""
    try:
        first, following = _span(value, today)
    except (ValueError, OverflowError):
        return None
    return (first, following) if first >= _FIRST and following <= _LAST else None


def _span(value: str, today: date) -> tuple[date, date]:
    ago = {"today": 0, "yesterday": 1}.get(value, length(value))
    if ago is not None:
        # Before the first day nothing is stored, however long before.
        day = date.fromordinal(max(_FIRST.toordinal(), today.toordinal() - ago))
        return day, day + _DAY
    if re.fullmatch(r"\d{4}", value):
        return date(int(value), 1, 1), date(int(value) + 1, 1, 1)
    if re.fullmatch(r"\d{4}-\d{2}", value):
        year, month = int(value[:4]), int(value[5:])
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(value)
    day = date.fromisoformat(value)
    return day, day + _DAY
