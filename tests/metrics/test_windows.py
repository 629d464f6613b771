"""Windows of time in a person's zone."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics.windows import (
    PERIOD_DAYS,
    Window,
    between,
    compare,
    day_from_number,
    day_number,
    day_of,
    midnight,
    steps,
    weeks_back,
    zone_offsets,
)

PRAGUE = ZoneInfo("Europe/Prague")
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC",
            "Europe/Prague",
            "America/New_York",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
            "Pacific/Apia",
            "America/Sao_Paulo",
        )
    ]
)
INSTANTS = st.integers(1_150_000_000, 1_900_000_000)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=PRAGUE).timestamp())


def test_seven_days_end_with_today() -> None:
    """From midnight six days ago to the end of today, against the same hours of the week before."""
    found = compare("7d", at("2026-11-23T12:00"), PRAGUE)
    assert found.current.start == at("2026-11-17T00:00")
    assert found.current.end == at("2026-11-24T00:00")
    assert found.previous is not None
    assert found.previous.start == at("2026-11-10T00:00")
    assert found.previous.end == at("2026-11-16T12:00")


def test_a_change_of_clocks_keeps_midnight() -> None:
    """The day on which Prague's clocks go back has 25 hours and still begins at midnight."""
    found = compare("7d", at("2026-10-26T12:00"), PRAGUE)
    assert found.current.end - found.current.start == 7 * 86_400 + 3_600
    assert found.current.start == at("2026-10-20T00:00")


def test_all_time_has_nothing_before() -> None:
    """Without a period there is nothing to compare with."""
    assert compare("all", at("2026-11-23T12:00"), PRAGUE).previous is None


@given(ZONES, INSTANTS, st.sampled_from(sorted(PERIOD_DAYS)))
def test_windows_lie_side_by_side(zone: ZoneInfo, now: int, period: str) -> None:
    """Now is in the window, the window before ends before it starts, and both begin at a midnight."""
    found = compare(period, now, zone)
    assert found.previous is not None
    assert found.current.holds(now)
    assert found.previous.start < found.previous.end <= found.current.start
    assert midnight(day_of(found.current.start, zone), zone) == found.current.start


@given(ZONES, INSTANTS)
def test_the_newest_of_26_weeks_ends_today(zone: ZoneInfo, now: int) -> None:
    """Spans of seven days follow each other without a gap up to today."""
    starts = weeks_back(26, now, zone)
    assert (day_of(now, zone) - starts[-1]).days == 6
    assert {(later - earlier).days for earlier, later in pairwise(starts)} == {7}


@given(ZONES, INSTANTS)
def test_offsets_find_the_same_day_as_the_zone_itself(zone: ZoneInfo, now: int) -> None:
    """The list of offsets that a database uses agrees with the zone at every instant."""
    offsets = zone_offsets(zone, 2005, 2031)
    offset = next((shift for until, shift in offsets[:-1] if now < until), offsets[-1][1])
    assert day_from_number((now + offset) // 86_400) == day_of(now, zone)


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2024, 2, 29), date(2026, 11, 23)])
def test_day_numbers_go_both_ways(day: date) -> None:
    """A day survives becoming a number."""
    assert day_from_number(day_number(day)) == day


def test_days_of_ones_own_are_compared_with_as_many_before() -> None:
    """Ten days of October stand beside the ten days before them, both whole."""
    found = between(date(2026, 10, 11), date(2026, 10, 20), at("2026-11-23T12:00"), PRAGUE)
    assert (found.period, found.days) == ("custom", 10)
    assert found.current == Window(at("2026-10-11T00:00"), at("2026-10-21T00:00"))
    assert found.previous == Window(at("2026-10-01T00:00"), at("2026-10-11T00:00"))


def test_a_month_that_still_runs_is_compared_with_what_has_passed() -> None:
    """November on its 23rd at noon stands beside the first 22 days and a half of the 30 days before."""
    found = between(date(2026, 11, 1), date(2026, 11, 30), at("2026-11-23T12:00"), PRAGUE)
    assert found.current.end == at("2026-12-01T00:00")
    assert found.previous == Window(at("2026-10-02T00:00"), at("2026-10-24T12:00"))


def test_a_period_does_not_run_backwards() -> None:
    """Days in the wrong order are no period."""
    with pytest.raises(ValueError, match="before"):
        between(date(2026, 11, 2), date(2026, 11, 1), at("2026-11-23T12:00"), PRAGUE)


@given(ZONES, INSTANTS, st.integers(-400, 400), st.integers(0, 800))
def test_days_of_ones_own_lie_side_by_side(zone: ZoneInfo, now: int, back: int, more: int) -> None:
    """The days before are as many, end where the others begin, or at the same time of their own last day."""
    first = day_of(now, zone) - timedelta(days=back)
    found = between(first, first + timedelta(days=more), now, zone)
    assert found.previous is not None and found.days == more + 1
    assert midnight(first, zone) == found.current.start
    assert day_of(found.previous.start, zone) == first - timedelta(days=found.days)
    assert found.previous.end <= found.current.start
    if not found.current.holds(now):
        assert found.previous.end == found.current.start
    else:
        passed = (day_of(now, zone) - first).days
        assert (day_of(found.previous.end, zone) - day_of(found.previous.start, zone)).days - passed in (0, 1)


@given(ZONES, INSTANTS, st.sampled_from(sorted(PERIOD_DAYS)))
def test_a_named_period_is_those_days(zone: ZoneInfo, now: int, period: str) -> None:
    """The last 30 days are the same as the days from the 29th before today to today."""
    today = day_of(now, zone)
    own = between(today - timedelta(days=PERIOD_DAYS[period] - 1), today, now, zone)
    named = compare(period, now, zone)
    assert (named.current, named.previous, named.days) == (own.current, own.previous, own.days)


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 15_000))
def test_steps_cover_the_window_and_end_with_it(first: date, more: int) -> None:
    """Spans of one length follow each other, hold every day of the window, and are never too many."""
    last = first + timedelta(days=more)
    found = steps(first, last)
    assert {(later - earlier).days for earlier, later in pairwise(found.starts)} <= {found.days}
    assert found.starts[-1] + timedelta(days=found.days - 1) == last
    assert found.starts[0] <= first < found.starts[0] + timedelta(days=found.days)
    assert len(found.starts) <= 110


def test_a_step_has_a_name() -> None:
    """A week is drawn by day, a year by week, a decade by four weeks and more."""
    last = date(2026, 11, 23)
    words = [steps(last - timedelta(days=days - 1), last).word for days in (7, 30, 365, 2_000, 8_000, 20_000)]
    assert words == ["day", "week", "week", "4 weeks", "13 weeks", "52 weeks"]
