"""Who carries a repository, which branches are forgotten, how fresh the copy is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import branches, storage, syncing
from trackeep.metrics.people import absence_factor, contributors, is_bot

ALICE, BOB, BOT = 1, 2, 4

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


def test_contributors_are_people() -> None:
    """Authors and co-authors once each; bots and addresses of nobody are none."""
    assert contributors([ALICE, ALICE, None, BOT], [BOB, ALICE, None], bots=[BOT]) == {ALICE, BOB}


WHO = st.lists(st.none() | st.integers(1, 6))


@given(WHO, WHO, st.lists(st.integers(1, 6)))
def test_contributors_never_include_a_bot(
    authors: list[int | None], others: list[int | None], bots: list[int]
) -> None:
    """Whoever is named and is no bot is one of them, and nobody else."""
    found = contributors(authors, others, bots)
    assert found == {who for who in authors + others if who is not None and who not in bots}


def test_bots() -> None:
    """By what GitHub says, by the mark in the login, or because the reader says so."""
    assert is_bot("User", "Build-Robot", chosen=["build-robot"])
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


@given(st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(0, 200 * DAY))
def test_the_default_branch_is_neither(
    is_default: bool, on_default: bool, of_merged: bool, committed_at: int | None
) -> None:
    """It is never stale and never merged; every other branch has the one state that its facts give it."""
    merged = branches.is_merged(is_default=is_default, on_default=on_default, head_of_merged_pull=of_merged)
    stale = branches.is_stale(is_default=is_default, committed_at=committed_at, now=200 * DAY)
    state = branches.state(is_default=is_default, is_merged=merged, committed_at=committed_at, now=200 * DAY)
    if is_default:
        assert (merged, stale, state) == (False, False, "default")
    else:
        assert merged is (on_default or of_merged)
        assert state == ("merged" if merged else "stale" if stale else "active")


def test_ahead_and_behind_by_hand() -> None:
    """A fork in the road at b: two commits on this side, one on the other; a merge brings all of them."""
    parents = {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "x": ["b"], "m": ["x", "d"]}
    assert branches.ahead_behind(parents, "d", "x") == (2, 1)
    assert branches.ahead_behind(parents, "d", "m") == (0, 2)
    assert branches.ahead_behind(parents, "m", "m") == (0, 0)
    assert branches.ahead_behind(parents, "gone", "m") is None


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[str]]:
    """Each commit has older ones as parents."""
    size = draw(st.integers(1, 9))
    return {
        str(n): [str(old) for old in draw(st.sets(st.integers(0, n - 1), max_size=2))] if n else []
        for n in range(size)
    }


@given(histories(), st.data())
def test_ahead_is_the_others_behind(parents: dict[str, list[str]], data: st.DataObject) -> None:
    """Seen from the other side the two numbers change places, and whoever is an ancestor is not ahead."""
    one, other = (data.draw(st.sampled_from(sorted(parents))) for _ in range(2))
    found = branches.ahead_behind(parents, one, other)
    assert found is not None
    assert found == tuple(reversed(branches.ahead_behind(parents, other, one) or ()))
    if one in parents[other]:
        assert found[0] == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**6))
def test_shares_are_between_nothing_and_all(part: int, more: int, elapsed_s: float) -> None:
    """Ratios are shares, lags and what is left are never negative."""
    for share in (syncing.hit_ratio(part, part + more), syncing.budget_use(part + more, part)):
        assert share is None or 0 <= share <= 1
    assert (syncing.lag_s(part, more) or 0) >= 0
    left = syncing.seconds_left(part, part + more, elapsed_s)
    assert left is None or left >= 0


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
