"""How long changes take."""

from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import durations
from trackeep.metrics.durations import Spread, spread

HOUR = 3_600


def test_missing_values_are_not_zero() -> None:
    """What is not known is left out of median and count."""
    assert spread([2, None, 4, None]) == Spread(2, 3, 4)
    assert spread([None]) == Spread(0, None, None)


def test_p90_is_the_ninth_of_ten() -> None:
    """One slow change in ten stays outside."""
    assert spread(range(1, 11)) == Spread(10, 5.5, 9)
    assert spread([1, 2, 3, 4]).is_few
    assert not spread([1, 2, 3, 4, 5]).is_few


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**8)), max_size=60))
def test_half_take_at_most_the_median(values: list[int | None]) -> None:
    """At least half of the known values are not above p50, and p90 is not below it."""
    found, known = spread(values), [value for value in values if value is not None]
    assert found.n == len(known)
    if found.p50 is not None and found.p90 is not None:
        assert sum(value <= found.p50 for value in known) * 2 >= len(known)
        assert found.p90 >= min(known)


def test_a_draft_waits_from_ready() -> None:
    """Time to merge starts when a draft was made ready; its age as a draft, when it was opened."""
    assert durations.ready_at(100, None) == 100
    assert durations.time_to_merge(durations.ready_at(100, 160), 200) == 40
    assert durations.age(300, 100, 160, draft=False) == 140
    assert durations.age(300, 100, None, draft=True) == 200


def test_contradictions_are_missing() -> None:
    """A first commit dated after the merge says nothing, and neither does an open end."""
    assert durations.cycle_time(HOUR, 0) is None
    assert durations.coding_time(None, HOUR) is None
    assert durations.pickup_time(0, None) is None
    assert durations.review_time(HOUR, 3 * HOUR) == 2 * HOUR
    assert durations.review_turnaround(HOUR, 2 * HOUR) == HOUR
