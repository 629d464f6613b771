"""Sizes, sections and rates of pull requests."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import pulls
from trackeep.metrics.pulls import SECTIONS, SIZE_NAMES, Moments, Standing, Throughput
from trackeep.metrics.windows import Window

NOW = 1_000_000_000
MINE = Standing(
    state="open",
    draft=False,
    mine=True,
    requested_of_me_at=None,
    reviewers_asked=0,
    reviewed_by_me_at=None,
    decision="",
    decided_at=None,
    head_pushed_at=None,
    checks="",
    mergeable="",
    merged_at=None,
)
THEIRS = replace(MINE, mine=False, requested_of_me_at=NOW - 50)


@pytest.mark.parametrize(
    ("lines", "name"),
    [(9, "XS"), (10, "S"), (29, "S"), (30, "M"), (100, "L"), (500, "XL"), (999, "XL"), (1000, "XXL")],
)
def test_sizes(lines: int, name: str) -> None:
    """Buckets by lines added and removed together."""
    assert pulls.size(lines, 0) == pulls.size(0, lines) == name
    assert pulls.size(None, lines) is None


@pytest.mark.parametrize(
    ("pull", "section"),
    [
        (THEIRS, "review"),
        (replace(THEIRS, draft=True), None),
        (replace(THEIRS, reviewed_by_me_at=NOW - 60), "review"),
        (replace(THEIRS, reviewed_by_me_at=NOW - 40), None),
        (replace(MINE, decision="CHANGES_REQUESTED", decided_at=NOW - 9), "returned"),
        (replace(MINE, decision="CHANGES_REQUESTED", decided_at=5, head_pushed_at=9), "waiting"),
        (replace(MINE, checks="FAILURE", decision="APPROVED"), "returned"),
        (replace(MINE, mergeable="CONFLICTING", decision="APPROVED"), "returned"),
        (replace(MINE, decision="APPROVED"), "ready"),
        (replace(MINE, decision="APPROVED", checks="PENDING"), "waiting"),
        (MINE, "ready"),
        (replace(MINE, reviewers_asked=1), "waiting"),
        (replace(MINE, draft=True, checks="FAILURE"), "draft"),
        (replace(MINE, state="merged", merged_at=NOW - 86_400), "merged"),
        (replace(MINE, state="merged", merged_at=NOW - 8 * 86_400), None),
        (replace(MINE, state="closed"), None),
    ],
)
def test_sections(pull: Standing, section: str | None) -> None:
    """Whose turn it is, in each of the cases the queue knows."""
    assert pulls.section(pull, NOW) == section


@given(
    st.builds(
        Standing,
        state=st.sampled_from(["open", "closed", "merged"]),
        draft=st.booleans(),
        mine=st.booleans(),
        requested_of_me_at=st.none() | st.integers(NOW - 100, NOW),
        reviewers_asked=st.integers(0, 3),
        reviewed_by_me_at=st.none() | st.integers(NOW - 100, NOW),
        decision=st.sampled_from(["", "APPROVED", "CHANGES_REQUESTED", "REVIEW_REQUIRED"]),
        decided_at=st.none() | st.integers(NOW - 100, NOW),
        head_pushed_at=st.none() | st.integers(NOW - 100, NOW),
        checks=st.sampled_from(["", "SUCCESS", "FAILURE", "ERROR", "PENDING"]),
        mergeable=st.sampled_from(["", "MERGEABLE", "CONFLICTING", "UNKNOWN"]),
        merged_at=st.none() | st.integers(NOW - 10**6, NOW),
    )
)
def test_every_pull_request_of_mine_has_a_place(pull: Standing) -> None:
    """An open one of mine is in exactly one section, never both ready and returned."""
    found = pulls.section(pull, NOW)
    assert found is None or found in SECTIONS
    assert not (pulls.is_ready(pull) and pulls.is_returned(pull))
    if pull.mine and pull.state == "open":
        assert found in ("draft", "returned", "ready", "waiting")


def test_rates_need_something_to_divide_by() -> None:
    """The merge rate is unknown, not zero, where nothing was finished."""
    assert pulls.merge_rate(3, 1) == 0.75
    assert pulls.merge_rate(0, 0) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_merge_rate_is_a_share(merged: int, closed: int) -> None:
    """Between nothing and all, and the rest is what was closed without a merge."""
    found = pulls.merge_rate(merged, closed)
    assert (found is None) is (merged + closed == 0)
    if found is not None:
        assert 0 <= found <= 1
        assert round(found * (merged + closed)) == merged


def test_stale_after_fourteen_days() -> None:
    """Open and untouched for more than 14 days."""
    assert pulls.is_stale("open", NOW - 15 * 86_400, NOW)
    assert not pulls.is_stale("open", NOW - 13 * 86_400, NOW)
    assert not pulls.is_stale("merged", 0, NOW)
    assert pulls.is_stale("open", NOW - 4 * 86_400, NOW, days=3)


@given(st.integers(0, NOW), st.integers(1, 365))
def test_patience_makes_nothing_stale(updated_at: int, days: int) -> None:
    """What is stale after so many days is stale after fewer."""
    if pulls.is_stale("open", updated_at, NOW, days=days):
        assert pulls.is_stale("open", updated_at, NOW, days=max(1, days - 1))


def test_each_event_is_counted_by_its_own_moment() -> None:
    """Opened before the window and merged in it: merged, not opened. A merged one is not closed as well."""
    window = Window(100, 200)
    moments = [
        Moments(created_at=50, merged_at=150, closed_at=150),
        Moments(created_at=120, merged_at=None, closed_at=199),
        Moments(created_at=199, merged_at=200, closed_at=200),
        Moments(created_at=200, merged_at=None, closed_at=None),
    ]
    assert pulls.throughput(moments, window) == Throughput(opened=2, merged=1, closed=1)


MOMENT = st.none() | st.integers(0, 300)


@given(st.lists(st.builds(Moments, st.integers(0, 300), MOMENT, MOMENT)), st.integers(0, 300))
def test_two_halves_are_the_whole(moments: list[Moments], middle: int) -> None:
    """Nothing is lost between two windows that touch, and nothing is counted in both."""
    parts = [pulls.throughput(moments, window) for window in (Window(0, middle), Window(middle, 301))]
    whole = pulls.throughput(moments, Window(0, 301))
    assert whole.opened == sum(each.opened for each in parts) == len(moments)
    assert whole.merged == sum(each.merged for each in parts)
    assert whole.closed == sum(each.closed for each in parts)


@given(
    st.lists(st.builds(Moments, st.integers(0, 300), MOMENT, MOMENT)),
    st.sets(st.integers(0, 300), min_size=2),
)
def test_weeks_are_windows_that_touch(moments: list[Moments], edges: set[int]) -> None:
    """Each week has what its own window has, however many there are."""
    ordered = sorted(edges)
    windows = [Window(start, end) for start, end in pairwise(ordered)]
    assert pulls.weekly(moments, ordered) == [pulls.throughput(moments, each) for each in windows]


def test_sizes_are_counted_in_order() -> None:
    """Two small ones, a big one, and one whose lines are not known; empty sizes are there, too."""
    found = pulls.sizes([(1, 1), (9, 0), (600, 400), (None, None)])
    assert list(found.items()) == [
        *(("XS", 2), ("S", 0), ("M", 0), ("L", 0), ("XL", 0), ("XXL", 1)),
        (None, 1),
    ]


@given(st.lists(st.tuples(st.none() | st.integers(0, 2_000), st.none() | st.integers(0, 2_000))))
def test_every_pull_request_has_one_size(lines: list[tuple[int | None, int | None]]) -> None:
    """The sizes add up to all of them, and more lines never have a smaller size."""
    assert sum(pulls.sizes(lines).values()) == len(lines)
    known = sorted(a + d for a, d in lines if a is not None and d is not None)
    names = [SIZE_NAMES.index(pulls.size(each, 0) or "") for each in known]
    assert names == sorted(names)
