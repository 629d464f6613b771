"""Sizes, sections and rates of pull requests."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import pulls
from trackeep.metrics.pulls import SECTIONS, Standing

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
    """Merge rate and review depth are unknown, not zero, where nothing was finished."""
    assert pulls.merge_rate(3, 1) == 0.75
    assert pulls.merge_rate(0, 0) is None
    assert pulls.review_depth(6, 4, 5) == 2
    assert pulls.review_depth(1, 1, 0) is None


def test_stale_after_fourteen_days() -> None:
    """Open and untouched for more than 14 days."""
    assert pulls.is_stale("open", NOW - 15 * 86_400, NOW)
    assert not pulls.is_stale("open", NOW - 13 * 86_400, NOW)
    assert not pulls.is_stale("merged", 0, NOW)
