"""What people type for a day: yesterday, friday, 7d, 2026-11-23; pure."""

from __future__ import annotations

import re
from datetime import date, timedelta

from trackeep.errors import UsageError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS_OF = {"d": 1, "w": 7}
_SATURDAY = 5
HELP = "a day such as yesterday, workday (the last one), friday, 7d, 2w or 2026-11-23"


def day_meant(text: str, today: date) -> date:
    """The day that `text` means, never after `today`; raises UsageError for anything else.

    A weekday is the last one before today; `7d` begins seven days that end with today.
    """
    word = text.strip().lower()
    found = _named(word, today) or _counted(word, today) or _written(word)
    if found is None or not date.min.year < found.year < date.max.year:
        raise UsageError(f"“{text[:40]}” is not a day.", f"Write {HELP}.")
    if found > today:
        raise UsageError(f"{found} is still to come.", "Choose a day that has begun.")
    return found


def weeks_first_day(day: date, week_start: int) -> date:
    """The day on which the week of `day` begins; `week_start` is 1 for Monday to 7 for Sunday."""
    return day - timedelta(days=(day.isoweekday() - week_start) % 7)


def _named(word: str, today: date) -> date | None:
    if word == "today":
        return today
    if word == "yesterday":
        return today - timedelta(days=1)
    if word == "workday":
        back = 1
        while (today - timedelta(days=back)).weekday() >= _SATURDAY:
            back += 1
        return today - timedelta(days=back)
    matching = [n for n, name in enumerate(WEEKDAYS) if len(word) >= 3 and name.startswith(word)]
    if matching:
        return today - timedelta(days=(today.weekday() - matching[0] - 1) % 7 + 1)
    return None


def _counted(word: str, today: date) -> date | None:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([dw])", word)
    if found is None:
        return None
    return today - timedelta(days=int(found[1]) * _DAYS_OF[found[2]] - 1)


def _written(word: str) -> date | None:
    try:
        return date.fromisoformat(word)
    except ValueError:
        return None
