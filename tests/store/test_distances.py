"""How far branches are from the default branch, counted in histories that fit on a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics.branches import ahead_behind
from trackeep.store.distances import Distance, distances

# main: a - b - c - m; topic leaves after b with two commits and was merged into main by m; side has one more.
HISTORY = {
    "a": (),
    "b": ("a",),
    "c": ("b",),
    "t1": ("b",),
    "t2": ("t1",),
    "m": ("c", "t2"),
    "s": ("t2",),
    "old": ("a",),
    "root": (),
}


def test_what_only_one_of_both_has_is_counted() -> None:
    """A merged branch is only behind, one with work of its own is ahead, an unrelated one shares nothing."""
    found = distances(HISTORY, "m", ["t2", "s", "old", "root", "m", "c"])
    assert found == {
        "t2": Distance(0, 2),
        "s": Distance(1, 2),
        "old": Distance(1, 5),
        "root": Distance(1, 6),
        "m": Distance(0, 0),
        "c": Distance(0, 3),
    }


def test_a_history_with_a_hole_is_not_counted() -> None:
    """Where a commit's ancestor is not stored the number would be wrong, so there is none."""
    holed = {**HISTORY, "x": ("gone",), "y": ("x",)}
    assert distances(holed, "m", ["y", "s"]) == {"s": Distance(1, 2)}
    assert distances(holed, "y", ["s", "m"]) == {}


def test_a_tip_that_is_not_stored_has_no_distance() -> None:
    """Neither a branch nor a default branch whose commit is unknown is guessed at."""
    assert distances(HISTORY, "nowhere", ["s"]) == {}
    assert distances(HISTORY, "m", ["nowhere"]) == {}


@given(st.data())
def test_many_at_once_are_as_one_by_one(data: st.DataObject) -> None:
    """In any history both numbers are those that the formula says of one branch."""
    size = data.draw(st.integers(1, 24))
    history: dict[str, tuple[str, ...]] = {}
    for number in range(size):
        above = data.draw(st.sets(st.sampled_from(sorted(history)), max_size=3)) if history else set()
        history[f"c{number:02}"] = tuple(sorted(above))
    base = data.draw(st.sampled_from(sorted(history)))
    heads = data.draw(st.lists(st.sampled_from(sorted(history)), max_size=6))
    for head, found in distances(history, base, heads).items():
        assert (found.ahead, found.behind) == ahead_behind(history, head, base)
