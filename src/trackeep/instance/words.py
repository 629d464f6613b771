"""Numbers, ages and dates as people read them; pure."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from zoneinfo import ZoneInfo

NOTHING = "—"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
_FACE_COLOURS = ("g", "b", "v", "o")


def number(value: float | None) -> str:
    """12345 as 12,345; a dash where nothing is known."""
    return NOTHING if value is None else f"{value:,.0f}"


def counted(value: int, one: str, many: str = "", *, most: int | None = None) -> str:
    """3 as "3 commits"; more than `most` as "10,000+ commits"."""
    noun = one if value == 1 else (many or f"{one}s")
    return f"{most:,}+ {noun}" if most is not None and value > most else f"{value:,} {noun}"


def up_to(value: int, most: int) -> str:
    """12345 as "12,345"; more than `most` as "10,000+"."""
    return f"{most:,}+" if value > most else f"{value:,}"


def duration_parts(seconds: float | None) -> tuple[str, str]:
    """A value and its unit: 33840 as ("9.4", "h"); at most two digits that matter."""
    if seconds is None:
        return NOTHING, ""
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        value = seconds / unit_s
        if value >= (2 if unit == "d" else 1):
            return (f"{value:.1f}" if value < 9.95 else f"{value:,.0f}").removesuffix(".0"), unit
    return f"{seconds:.0f}", "s"


def duration(seconds: float | None) -> str:
    return " ".join(duration_parts(seconds)).strip()


def age(now: float, at: float | None) -> str:
    """How long ago, short: "22 min", "5 h", "2 d", "5 weeks", "3 years"."""
    if at is None:
        return NOTHING
    seconds = max(0.0, now - at)
    if seconds < MINUTE_S:
        return "now"
    for unit_s, below_s, word in _AGES:
        if seconds < below_s:
            return f"{int(seconds // unit_s)} {word}"
    years = int(seconds // (365 * DAY_S))
    return f"{years} year{'' if years == 1 else 's'}"


_AGES = (
    (MINUTE_S, HOUR_S, "min"),
    (HOUR_S, DAY_S, "h"),
    (DAY_S, 14 * DAY_S, "d"),
    (7 * DAY_S, 70 * DAY_S, "weeks"),
    (30 * DAY_S, 365 * DAY_S, "months"),
)


def ago(now: float, at: float | None) -> str:
    """ "22 min ago", "just now", or a dash."""
    text = age(now, at)
    return {"now": "just now", NOTHING: NOTHING}.get(text, f"{text} ago")


def until(now: float, at: float | None) -> str:
    """ "in 3 min", or "now"."""
    if at is None:
        return NOTHING
    seconds = at - now
    if seconds < 1:
        return "now"
    return f"in {seconds:.0f} s" if seconds < MINUTE_S else f"in {age(at, now)}"


def clock(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%H:%M}"


def moment(at: float, zone: ZoneInfo, style: str = "") -> str:
    """ "23 November 2026, 14:05"."""
    return label(datetime.fromtimestamp(at, zone), style)


# Each date takes a `style`: "day" (or ""), "month" (the month first) or "iso" (2026-11-23).


def day(value: date, style: str = "") -> str:
    if style == "iso":
        return value.isoformat()
    return f"{value:%B} {value.day}, {value.year}" if style == "month" else f"{value.day} {value:%B %Y}"


def label(value: str | date, style: str = "") -> str:
    """The name of a row or a column: a day or a moment in the reader's style, words as they are."""
    if isinstance(value, datetime):
        return f"{day(value.date(), style)}, {value:%H:%M}"
    return day(value, style) if isinstance(value, date) else value


def short_day(value: date, style: str = "") -> str:
    if style == "iso":
        return f"{value:%m-%d}"
    return f"{value:%b} {value.day}" if style == "month" else f"{value.day} {value:%b}"


def weekday(value: date, style: str = "") -> str:
    if style == "iso":
        return f"{value:%A} {value:%m-%d}"
    return f"{value:%A}, {value:%B} {value.day}" if style == "month" else f"{value:%A} {value.day} {value:%B}"


def size(count: int) -> str:
    """Bytes as "38 MB"."""
    for unit_bytes, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= unit_bytes:
            return f"{count / unit_bytes:,.0f} {unit}"
    return f"{count} B"


def initials(login: str, name: str = "") -> str:
    """Two letters for a face: of the first and last name, else of the login."""
    parts = [part for part in name.split() if part[0].isalnum()]
    if len(parts) > 1:
        return (parts[0][0] + parts[-1][0]).upper()
    word = parts[0] if parts else login.removesuffix("[bot]") or "?"
    return word[:2].upper()


def face_colour(login: str) -> str:
    """One of four tints, always the same for the same person."""
    return _FACE_COLOURS[hashlib.sha256(login.encode()).digest()[0] % len(_FACE_COLOURS)]
