"""The words of a search of pull requests."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.errors import UsageError
from trackeep.store.pull_words import KEYS, Days, Term, bound, days, order, parse, stale_days

TODAY = date(2026, 11, 23)


def test_keys_words_phrases_and_a_minus() -> None:
    """Each part of a search becomes one condition, in its order."""
    assert parse('is:open -label:"good first issue" retry "on a slow line" -draft author:alice') == (
        Term("is", "open"),
        Term("label", "good first issue", negated=True),
        Term("", "retry"),
        Term("", "on a slow line"),
        Term("", "draft", negated=True),
        Term("author", "alice"),
    )


def test_what_only_looks_like_a_filter_is_a_word() -> None:
    """A colon at the end, a lone minus and a filter in quotes are text of the title."""
    assert parse("fix: - ") == (Term("", "fix:"),)
    assert parse('"is:open"') == (Term("", "is:open"),)
    assert parse("  ") == ()
    assert parse("AUTHOR:Alice") == (Term("author", "Alice"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo:bar", "“foo:” is no filter"),
        ("is:late", "“is:late” means nothing"),
        ("review:maybe", "means nothing"),
        ("size:huge", "means nothing"),
        ("sort:stars", "means nothing"),
        ("stale:soon", "means nothing"),
        ("created:yesterday", "“yesterday” is not a day"),
        ("merged:2026-13-01", "is not a day"),
        ("since:0001-01-01", "is not a day"),
        ("x" * 401, "too long"),
        ("a b c " * 9, "too many parts"),
        ("a\0b", "too long"),
    ],
)
def test_what_means_nothing_is_refused(text: str, said: str) -> None:
    """One sentence that names the part, and a hint that says what may be written."""
    with pytest.raises(UsageError, match=said) as refused:
        parse(text)
    assert refused.value.hint


def test_days_of_all_kinds() -> None:
    """One day, two days, an open end, and so many days back with today."""
    first, last = date(2026, 11, 1), TODAY
    assert days("2026-11-01", TODAY) == Days(first, first)
    assert days("2026-11-01..2026-11-23", TODAY) == Days(first, last)
    assert days("2026-11-01..", TODAY) == Days(first, None)
    assert days("..2026-11-23", TODAY) == Days(None, last)
    assert days("7d", TODAY) == Days(date(2026, 11, 17), TODAY)
    assert days("2w", TODAY) == Days(date(2026, 11, 10), TODAY)
    assert days("9999y", TODAY) == Days(date(2, 1, 1), TODAY)


def test_since_and_until_name_one_end() -> None:
    """Both days belong to the result; with two dots they name both ends."""
    first = date(2026, 11, 1)
    assert bound(Term("since", "2026-11-01"), TODAY) == Days(first, None)
    assert bound(Term("until", "2026-11-01"), TODAY) == Days(None, first)
    assert bound(Term("until", "7d"), TODAY) == Days(None, date(2026, 11, 17))
    assert bound(Term("since", "2026-11-01..2026-11-02"), TODAY) == Days(first, date(2026, 11, 2))


def test_order_and_staleness() -> None:
    """The last order counts; stale takes the reader's days, or its own."""
    assert order(parse("sort:created sort:merged-asc")) == ("merged", True)
    assert order(parse("retry")) is None
    assert (stale_days("yes", 14), stale_days("no", 14), stale_days("30d", 14)) == (
        (14, True),
        (14, False),
        (30, True),
    )


def test_every_filter_is_documented() -> None:
    """docs/pulls.md lists the filters that there are, with the words of the page."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "pulls.md").read_text()
    assert dict(re.findall(r"^\| `([a-z-]+):` \| (.+) \|$", page, re.M)) == dict(KEYS)


@given(st.text(max_size=400))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever is typed becomes conditions of known keys with a value, or one sentence."""
    try:
        found = parse(text)
    except UsageError:
        return
    assert all((term.key == "" or term.key in KEYS) and term.value for term in found)


@given(st.lists(st.sampled_from(["is:open", "-is:draft", "retry", '"two words"', "size:XL", "since:30d"])))
def test_order_of_the_parts_says_nothing(parts: list[str]) -> None:
    """The same parts in another order are the same conditions."""
    try:
        forwards, backwards = parse(" ".join(parts)), parse(" ".join(reversed(parts)))
    except UsageError:
        return
    assert sorted(map(repr, forwards)) == sorted(map(repr, backwards))
    assert len(forwards) == len(parts)
