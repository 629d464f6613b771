"""Windows of time in a person's zone."""

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics.windows import (
    PERIOD_DAYS,
    compare,
    day_from_number,
    day_number,
    day_of,
    midnight,
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
