"""Who carries a repository, which branches are forgotten, how fresh the copy is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import branches, storage, syncing
from trackeep.metrics.people import absence_factor, is_bot

DAY = 86_400


@pytest.mark.parametrize(("commits", "people"), [([], 0), ([5], 1), ([4, 3, 2, 1], 2), ([1, 1, 1, 1], 2)])
def test_absence_factor(commits: list[int], people: int) -> None:
    """The fewest people who made half of the commits."""
    assert absence_factor(commits) == people


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40))
def test_absence_factor_is_the_fewest(commits: list[int]) -> None:
    """So many people made half of it, and one fewer did not."""
    ordered, count = sorted(commits, reverse=True), absence_factor(commits)
    assert sum(ordered[:count]) * 2 >= sum(ordered) > sum(ordered[: count - 1]) * 2


def test_bots() -> None:
    """By what GitHub says, or by the mark in the login."""
    assert is_bot("Bot", "renovate")
    assert is_bot("User", "dependabot[bot]")
    assert not is_bot("User", "abbot")


@pytest.mark.parametrize(
    ("given_state", "expected"),
    [
        ({"is_default": True, "is_merged": True, "committed_at": 0}, "default"),
        ({"is_default": False, "is_merged": True, "committed_at": 0}, "merged"),
        ({"is_default": False, "is_merged": False, "committed_at": 9 * DAY}, "stale"),
        ({"is_default": False, "is_merged": False, "committed_at": 11 * DAY}, "active"),
        ({"is_default": False, "is_merged": False, "committed_at": None}, "active"),
    ],
)
def test_branch_states(given_state: dict[str, bool | int | None], expected: str) -> None:
    """Stale after 90 days without a commit, unless it is merged or the default."""
    found = branches.state(
        is_default=bool(given_state["is_default"]),
        is_merged=bool(given_state["is_merged"]),
        committed_at=given_state["committed_at"],
        now=100 * DAY,
    )
    assert found == expected


def test_what_is_not_known_is_not_zero() -> None:
    """Before the first success there is no lag, and without requests no ratio."""
    assert syncing.lag_s(100, None) is None
    assert syncing.lag_s(100, 40) == 60
    assert syncing.hit_ratio(0, 0) is None
    assert syncing.hit_ratio(87, 100) == 0.87
    assert syncing.budget_use(5000, 4000) == 0.2
    assert syncing.budget_use(0, 0) is None
    assert syncing.seconds_left(12, 48, 60) == 180
    assert syncing.seconds_left(0, 48, 60) is None
    assert syncing.seconds_left(48, 48, 60) == 0


@pytest.mark.parametrize(
    ("total", "read", "per_page", "pages"),
    [(0, 0, 100, 1), (900, 300, 100, 6), (901, 300, 100, 7), (5, 9, 0, 1)],
)
def test_pages_that_are_left(total: int, read: int, per_page: int, pages: int) -> None:
    """At least one, because only the last page says that it is the last."""
    assert syncing.pages_left(total, read, per_page) == pages


def test_how_long_the_rest_takes() -> None:
    """Pending requests at the pace that GitHub allows until the reset; nothing known while it allows none."""
    assert syncing.eta_s(30, 3_600, 1_800) == 15
    assert syncing.eta_s(0, 0, 0) == 0
    assert syncing.eta_s(1, 0, 1_800) is None
    assert syncing.eta_s(1, 5, 0) is None


def test_how_far_behind() -> None:
    """The longest lag, and what nineteen of twenty do not exceed."""
    assert syncing.behind([]) is None
    assert syncing.behind([5.0]) == (5.0, 5.0)
    assert syncing.behind([float(n) for n in range(1, 101)]) == (100.0, 95.0)


def test_what_is_stored_is_estimated_by_rows() -> None:
    """Each kind of row has its weight; what has none counts nothing."""
    assert storage.stored_bytes({"commits": 2, "issues": 1, "pulse": 9}) == 1_450
    assert storage.stored_bytes({}) == 0
