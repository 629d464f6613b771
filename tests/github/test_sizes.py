"""How much is asked at once follows what GitHub managed, per query and repository."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trackeep.github.sizes import MOST, Sizes

HEAVY, LIGHT = "heavy", "light"


def test_half_of_what_failed_is_tried_next() -> None:
    """And for this query and these repositories alone."""
    sizes = Sizes()
    sizes.too_much("Details", [HEAVY] * 20)
    assert sizes.fit("Details", [HEAVY] * 20) == 10
    assert sizes.fit("Details", [LIGHT] * 20) == 20
    assert sizes.fit("Pages", [HEAVY] * 20) == 20
    assert sizes.fit("Details", [LIGHT] * 12 + [HEAVY]) == 12


def test_it_grows_slowly_and_is_forgotten_at_the_end() -> None:
    """An eighth at a time, only where the limit was used to the full."""
    sizes = Sizes({"Details": {HEAVY: 10}})
    sizes.managed("Details", [HEAVY] * 4)
    assert sizes.fit("Details", [HEAVY] * 20) == 10
    sizes.managed("Details", [HEAVY] * 10)
    assert sizes.fit("Details", [HEAVY] * 20) == 11
    assert Sizes(sizes.as_json()).fit("Details", [HEAVY] * 20) == 11
    while sizes.as_json():
        sizes.managed("Details", [HEAVY] * sizes.fit("Details", [HEAVY] * MOST))
    assert sizes.fit("Details", [HEAVY] * MOST) == MOST


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=40),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 50)),
)
def test_what_fits_is_within_every_limit(wanted: list[str], limits: dict[str, int]) -> None:
    """Something always goes out, and one more would be too much for a repository among them."""
    count = Sizes({"Details": limits}).fit("Details", wanted)
    assert 1 <= count <= len(wanted)
    assert all(count <= limits.get(each, count) for each in wanted[:count])
    longer = wanted[: count + 1]
    assert count == len(wanted) or any(count + 1 > limits.get(each, count + 1) for each in longer)
