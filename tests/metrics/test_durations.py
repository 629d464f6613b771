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


def test_turnaround_is_from_the_latest_request_to_the_first_review() -> None:
    """Asked at 1 and 2 hours, reviewed at 3 and 9: one hour. Asked again later, that is another story."""
    asked, reviewed = [HOUR, 2 * HOUR, 5 * HOUR], [9 * HOUR, 3 * HOUR]
    assert durations.review_turnaround(asked, reviewed) == HOUR
    assert durations.review_turnaround([4 * HOUR], [3 * HOUR]) is None
    assert durations.review_turnaround([], [HOUR]) is durations.review_turnaround([HOUR], []) is None


MOMENT = st.none() | st.integers(0, 10**6)


@given(MOMENT, st.integers(0, 10**6), MOMENT, MOMENT, MOMENT)
def test_the_parts_of_a_cycle_add_up(
    first_commit: int | None, created: int, ready: int | None, reviewed: int | None, merged: int | None
) -> None:
    """Where all three parts are known, they are the whole; no duration is ever negative."""
    since = durations.ready_at(created, ready)
    coding = durations.coding_time(first_commit, since)
    pickup = durations.pickup_time(since, reviewed)
    review = durations.review_time(reviewed, merged)
    whole, to_merge = durations.cycle_time(first_commit, merged), durations.time_to_merge(since, merged)
    for each in (coding, pickup, review, whole, to_merge):
        assert each is None or each >= 0
    if coding is not None and pickup is not None and review is not None:
        assert coding + pickup + review == whole
        assert pickup + review == to_merge


@given(st.integers(0, 10**6), st.integers(0, 10**6), MOMENT, st.booleans())
def test_an_age_is_never_negative(now: int, created: int, ready: int | None, draft: bool) -> None:
    """A clock of GitHub's that is ahead makes nothing younger than new; ready says nothing of a draft."""
    found = durations.age(now, created, ready, draft=draft)
    assert found >= 0
    if draft:
        assert found == durations.age(now, created, None, draft=False)


@given(st.lists(st.integers(0, 1_000)), st.lists(st.integers(0, 1_000)))
def test_turnaround_against_all_pairs(asked: list[int], reviewed: list[int]) -> None:
    """The shortest wait before the first review of all."""
    waits = [min(reviewed) - at for at in asked if at <= min(reviewed)] if reviewed else []
    assert durations.review_turnaround(asked, reviewed) == min(waits, default=None)
