"""What people type for a day is the day they mean."""

from datetime import date

import pytest

from trackeep.cli.days import day_meant, weeks_first_day
from trackeep.cli.report import week_meant
from trackeep.errors import UsageError

# A Wednesday.
TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", date(2026, 11, 25)),
        ("yesterday", date(2026, 11, 24)),
        ("Monday", date(2026, 11, 23)),
        # A weekday is the last one before today, never today.
        ("wednesday", date(2026, 11, 18)),
        ("fri", date(2026, 11, 20)),
        ("1d", date(2026, 11, 25)),
        ("7d", date(2026, 11, 19)),
        ("2w", date(2026, 11, 12)),
        ("2026-01-31", date(2026, 1, 31)),
        ("workday", date(2026, 11, 24)),
    ],
)
def test_a_day_has_many_names(text: str, day: date) -> None:
    """Words, weekdays, spans that end today, and dates."""
    assert day_meant(text, TODAY) == day


def test_the_last_workday_before_a_monday_is_friday() -> None:
    """A standup on Monday tells of Friday, one on Sunday as well."""
    assert day_meant("workday", date(2026, 11, 23)) == date(2026, 11, 20)
    assert day_meant("workday", date(2026, 11, 22)) == date(2026, 11, 20)


@pytest.mark.parametrize(
    "text", ["", "soon", "0d", "-1d", "2026-13-01", "tomorrow", "99999w", "mo", "2026-11-26"]
)
def test_what_is_no_day_is_refused_in_words(text: str) -> None:
    """Neither a slip nor a day to come is taken for another day."""
    with pytest.raises(UsageError):
        day_meant(text, TODAY)


def test_weeks_begin_on_the_day_that_was_chosen() -> None:
    """Monday, Saturday and Sunday are the first day of somebody's week."""
    assert weeks_first_day(TODAY, 1) == date(2026, 11, 23)
    assert weeks_first_day(TODAY, 6) == date(2026, 11, 21)
    assert weeks_first_day(TODAY, 7) == date(2026, 11, 22)
    assert weeks_first_day(date(2026, 11, 22), 7) == date(2026, 11, 22)


def test_a_report_is_of_whole_weeks() -> None:
    """The last week is whole, the running one ends today, and a day stands for its week."""
    assert week_meant("last", TODAY, 1) == (date(2026, 11, 16), date(2026, 11, 22))
    assert week_meant("this", TODAY, 1) == (date(2026, 11, 23), TODAY)
    assert week_meant("2026-11-08", TODAY, 7) == (date(2026, 11, 8), date(2026, 11, 14))
