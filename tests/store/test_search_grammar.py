"""The language of the search boxes: what can be typed, and what it means."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trackeep.errors import UsageError
from trackeep.store.search_grammar import COMMITS, DAYS, Filter, Key, Query, Term, parse

TODAY = date(2026, 11, 23)
UTC = ZoneInfo("UTC")
PIECES = st.sampled_from(
    [
        "fix",
        "-",
        '"',
        ":",
        " ",
        "author",
        "repo:",
        "is:mine",
        "since:",
        "7d",
        "2026-11-01",
        "*",
        "\0",
        "é",
        "(",
        "NEAR",
    ]
)


def read(text: str) -> Query:
    return parse(text, COMMITS, TODAY)


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join)))
@example("\ud800")
@example('-"')
@example('author:"')
def test_any_text_is_a_search_or_a_sentence(text: str) -> None:
    """Whatever is typed is understood, or refused in one sentence; written again, it means the same."""
    try:
        query = read(text)
    except UsageError as refused:
        assert str(refused).count("\n") == 0 and refused.hint
        return
    assert read(str(query)) == query


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("fix cache", (Term("fix"), Term("cache"))),
        ('"fix the cache"', (Term("fix the cache"),)),
        ("fix -cache", (Term("fix"), Term("cache", negated=True))),
        ('-"the cache"', (Term("the cache", negated=True),)),
        ("retr*", (Term("retr", is_prefix=True),)),
        ('"never closed', (Term("never closed"),)),
        ("fix: a thing", (Term("fix:"), Term("a"), Term("thing"))),
        ("std::sort - https://a.example/x", (Term("std::sort"), Term("https://a.example/x"))),
        ("12:30", (Term("12:30"),)),
        ('"repo:x"', (Term("repo:x"),)),
    ],
)
def test_words_and_phrases(text: str, terms: tuple[Term, ...]) -> None:
    """Words, phrases, beginnings, each with a minus or not; a colon alone makes no key."""
    assert read(text) == Query(terms)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("repo:acme/api", (Filter("repo", "acme/api"),)),
        ("Author:Alice", (Filter("author", "Alice"),)),
        ('author:"Alice Moreau"', (Filter("author", "Alice Moreau"),)),
        ("-author:bob", (Filter("author", "bob", negated=True),)),
        ('-committer:"Bob O"', (Filter("committer", "Bob O", negated=True),)),
        ("is:MERGE -is:mine", (Filter("is", "merge"), Filter("is", "mine", negated=True))),
        ("branch:feature/x:y", (Filter("branch", "feature/x:y"),)),
    ],
)
def test_filters(text: str, filters: tuple[Filter, ...]) -> None:
    """A key of the table with a value, quoted where it has spaces."""
    assert read(text) == Query((), filters)


@pytest.mark.parametrize(
    ("text", "first", "following"),
    [
        ("2026-11-20", date(2026, 11, 20), date(2026, 11, 21)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2025", date(2025, 1, 1), date(2026, 1, 1)),
        ("7d", date(2026, 11, 16), date(2026, 11, 17)),
        ("2w", date(2026, 11, 9), date(2026, 11, 10)),
        ("today", TODAY, date(2026, 11, 24)),
        ("yesterday", date(2026, 11, 22), TODAY),
    ],
)
def test_days(text: str, first: date, following: date) -> None:
    """Days, months, years and how long ago."""
    assert read(f"since:{text}").filters[0].days == (first, following)


def test_bounds_include_the_days_they_name() -> None:
    """since: and until: take their days in, after: and before: leave them out; the narrowest counts."""
    day = 86_400

    def bounds(text: str) -> tuple[int | None, int | None]:
        return read(text).bounds(UTC)

    assert bounds("since:1970-01-02 until:1970-01-04") == (day, 4 * day)
    assert bounds("after:1970-01-02 before:1970-01-04") == (2 * day, 3 * day)
    assert bounds("since:1970-01-02 since:1970-01-05") == (4 * day, None)
    assert bounds("word") == (None, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("color:red", "There is no key “color:” here."),
        ("author:", "“author:” needs a value."),
        ("is:closed", "“is:closed” is not known."),
        ("since:soon", "“since:soon” is no day."),
        ("since:2026-02-30", "“since:2026-02-30” is no day."),
        ("since:0000", "“since:0000” is no day."),
        ("since:99999y", "“since:99999y” is no day."),
        ("-since:7d", "“since:” takes no minus."),
        ("?!", "“?!” has no letters or digits to look for."),
        ("x" * 501, "A search has at most 500 characters."),
        ("a " * 33, "A search has at most 32 parts."),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, sentence: str) -> None:
    """An unknown key, a bad value or day, too much of it: one sentence and what to do."""
    with pytest.raises(UsageError) as refused:
        read(text)
    assert str(refused.value).startswith(sentence) and refused.value.hint


def test_another_table_is_another_language() -> None:
    """The keys are given: pull requests have labels, commits have none."""
    keys = (Key("label", "bug"), Key("is", "open", "choice", ("open", "draft")), *DAYS)
    query = parse("label:bug -is:draft crash", keys, TODAY)
    assert query.values("label") == ("bug",)
    assert query.values("is", negated=True) == ("draft",)
    with pytest.raises(UsageError):
        read("label:bug")


def test_a_filter_is_taken_and_left() -> None:
    """What a chip links to: the search with that filter, and without it again."""
    query = read("fix author:me")
    assert str(query.toggled("is", "merge")) == "fix author:me is:merge"
    assert query.toggled("is", "merge").toggled("is", "merge") == query
