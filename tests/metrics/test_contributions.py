"""Levels, streaks and changes."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics.contributions import (
    Streaks,
    active_days,
    change_percent,
    levels,
    nearest_rank,
    of_day,
    streaks,
)

TODAY = date(2026, 11, 23)
COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=400)


def days(*counts: int) -> dict[date, int]:
    """The last days, today's count last."""
    return {TODAY - timedelta(days=back): count for back, count in enumerate(reversed(counts))}


def test_a_day_adds_up_different_things() -> None:
    """Two commits, of which one is in two repositories, a pull request reviewed twice, and an issue: four."""
    assert of_day(["a", "b", "a"], [], [("atlas", 4), ("atlas", 4)], [("atlas", 20)]) == 4
    assert of_day([], [], [], []) == 0


@given(st.lists(st.text(max_size=2)), st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)))
def test_what_is_named_twice_counts_once(commits: list[str], opened: list[int], reviewed: list[int]) -> None:
    """Naming everything again changes nothing, and a pull request may be opened and reviewed."""
    found = of_day(commits, opened, reviewed, [])
    assert found == of_day(commits * 2, opened * 2, reviewed * 2, [])
    assert found == len(set(commits)) + len(set(opened)) + len(set(reviewed))


def test_levels_are_quartiles_of_busy_days() -> None:
    """1 to 8 in pairs: two days for each level, and an empty day has none."""
    assert levels([0, 1, 2, 3, 4, 5, 6, 7, 8]) == (0, 1, 1, 2, 2, 3, 3, 4, 4)


def test_few_different_counts_are_their_own_level() -> None:
    """With fewer than four different counts quartiles would exaggerate."""
    assert levels([0, 1, 2, 9]) == (0, 1, 2, 4)
    assert levels([0, 0]) == (0, 0)


@given(COUNTS)
def test_levels_follow_counts(counts: list[int]) -> None:
    """Zero is level zero, and a bigger count never has a lower level."""
    found = levels(counts)
    assert all(
        (level == 0) == (count == 0) and level <= 4 for count, level in zip(counts, found, strict=True)
    )
    ordered = sorted(zip(counts, found, strict=True))
    assert [level for _, level in ordered] == sorted(found)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1, 1), Streaks(3, 3)),
        ((1, 1, 0), Streaks(2, 2)),
        ((1, 1, 0, 0), Streaks(0, 2)),
        ((1, 1, 1, 0, 1), Streaks(1, 3)),
        ((0,), Streaks(0, 0)),
    ],
)
def test_a_streak_may_still_be_saved_today(counts: tuple[int, ...], expected: Streaks) -> None:
    """A run that ends yesterday counts, because today is not over; the day before that does not."""
    assert streaks(days(*counts), TODAY) == expected


@given(COUNTS)
def test_streaks_against_counting_one_by_one(counts: list[int]) -> None:
    """The longest run equals the longest stretch of a plain loop."""
    longest = run = 0
    for count in counts:
        run = run + 1 if count else 0
        longest = max(longest, run)
    found = streaks(days(*counts), TODAY)
    assert found.longest == longest
    assert found.current <= longest
    assert active_days(counts) == len([count for count in counts if count])


@given(st.lists(st.floats(0, 1e9), min_size=1), st.sampled_from([25, 50, 75, 90]))
def test_nearest_rank_is_a_member(values: list[float], percent: int) -> None:
    """At least that share of values is no bigger, and the answer is one of them."""
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)


@pytest.mark.parametrize(
    ("now", "before", "percent"), [(184, 164, 12), (23, 25, -8), (5, 0, None), (0, 4, -100), (3, 3, 0)]
)
def test_change_in_percent(now: int, before: int, percent: int | None) -> None:
    """Whole percent of what was before; nothing to compare with is not infinite growth."""
    assert change_percent(now, before) == percent


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_change_gives_back_what_was_before(now: int, before: int) -> None:
    """Half a percent at most is lost by rounding, and the sign is right."""
    percent = change_percent(now, before)
    assert percent is not None
    assert abs(before * (1 + percent / 100) - now) <= before * 0.005 + 1e-6
    assert percent * (now - before) >= 0
