"""Which reviews count, and what nobody looked at."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import reviews
from trackeep.metrics.reviews import Given, Load

ALICE, BOB, CAROL, BOT = 1, 2, 3, 4
PLAIN = Given(pull=5, author=ALICE, reviewer=BOB, by_bot=False, submitted_at=100)
ANY = st.builds(
    Given,
    pull=st.integers(1, 4),
    author=st.none() | st.integers(1, 3),
    reviewer=st.none() | st.integers(1, 3),
    by_bot=st.booleans(),
    submitted_at=st.none() | st.integers(0, 10**9),
)


def test_ones_own_review_and_a_bots_do_not_count() -> None:
    """Neither does one that was never submitted; an account that is gone is somebody else."""
    assert reviews.counts(PLAIN)
    assert not reviews.counts(replace(PLAIN, reviewer=ALICE))
    assert not reviews.counts(replace(PLAIN, by_bot=True))
    assert reviews.counts(replace(PLAIN, by_bot=True), bots=True)
    assert not reviews.counts(replace(PLAIN, submitted_at=None))
    assert reviews.counts(replace(PLAIN, reviewer=None))


def test_the_first_review_is_the_earliest_that_counts() -> None:
    """The author's at 10 and the bot's at 20 are passed over."""
    given_ = [
        replace(PLAIN, reviewer=ALICE, submitted_at=10),
        replace(PLAIN, reviewer=BOT, by_bot=True, submitted_at=20),
        replace(PLAIN, reviewer=CAROL, submitted_at=40),
        replace(PLAIN, submitted_at=30),
    ]
    assert reviews.first_at(given_) == 30
    assert reviews.first_at(given_[:2]) is None


def test_depth_needs_something_merged() -> None:
    """Six comments and four reviews of five merged ones are two each; of none, unknown."""
    assert reviews.depth(6, 4, 5) == 2
    assert reviews.depth(1, 1, 0) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**4))
def test_depth_times_merged_is_what_was_said(comments: int, given_: int, merged: int) -> None:
    """Nothing is invented: the average over what was merged gives back the sum."""
    found = reviews.depth(comments, given_, merged)
    assert (found is None) is (merged == 0)
    if found is not None:
        assert round(found * merged) == comments + given_


def test_merged_and_open_without_review() -> None:
    """Merged with none; open, ready and with none: a draft waits for nobody."""
    assert reviews.is_merged_without(100, 0)
    assert not reviews.is_merged_without(100, 1)
    assert not reviews.is_merged_without(None, 0)
    assert reviews.is_waiting_for_first("open", draft=False, first_review_at=None)
    assert not reviews.is_waiting_for_first("open", draft=True, first_review_at=None)
    assert not reviews.is_waiting_for_first("open", draft=False, first_review_at=1)
    assert not reviews.is_waiting_for_first("merged", draft=False, first_review_at=None)


@given(st.sampled_from(["open", "closed", "merged"]), st.booleans(), st.lists(ANY, max_size=6))
def test_nobody_waits_and_is_merged(state: str, draft: bool, given_: list[Given]) -> None:
    """What waits for a first review has none that counts, and is never merged without one as well."""
    first, count = reviews.first_at(given_), sum(map(reviews.counts, given_))
    assert (first is None) is (count == 0)
    merged_at = 1 if state == "merged" else None
    waits = reviews.is_waiting_for_first(state, draft=draft, first_review_at=first)
    assert not (waits and reviews.is_merged_without(merged_at, count))
    assert not (waits and count)


def test_load_is_by_person() -> None:
    """Bob gave two reviews of one pull request and one of another; carol one."""
    given_ = [PLAIN, PLAIN, replace(PLAIN, pull=6), replace(PLAIN, reviewer=CAROL)]
    assert reviews.load(given_) == {BOB: Load(3, 2), CAROL: Load(1, 1)}


@given(st.lists(ANY))
def test_load_loses_no_review(given_: list[Given]) -> None:
    """The reviews of all people are those that count; nobody reviewed more pulls than they gave reviews."""
    found = reviews.load(given_)
    assert sum(each.reviews for each in found.values()) == sum(map(reviews.counts, given_))
    assert all(0 < each.pulls <= each.reviews for each in found.values())
