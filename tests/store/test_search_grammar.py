"""The language of the search boxes: what can be typed, and what it means."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trackeep.errors import UsageError
from trackeep.store.search_grammar import Filter, Grammar, Query, Term, parse
from trackeep.store.search_keys import COMMITS, PULLS

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
        "is:open",
        "label",
        "since:",
        "merged:",
        "7d",
        "..",
        "2026-11-01",
        "*",
        "\0",
        "é",
        "(",
        "NEAR",
    ]
)


BOTH = pytest.mark.parametrize("grammar", [COMMITS, PULLS], ids=["commits", "pulls"])


def read(text: str, grammar: Grammar = COMMITS) -> Query:
    return parse(text, grammar, TODAY)


@BOTH
@given(text=st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join)))
@example("\ud800")
@example('-"')
@example('author:"')
def test_any_text_is_a_search_or_a_sentence(grammar: Grammar, text: str) -> None:
    """Whatever is typed is understood, or refused in one sentence; written again, it means the same."""
    try:
        query = read(text, grammar)
    except UsageError as refused:
        assert str(refused).count("\n") == 0 and refused.hint
        return
    assert read(str(query), grammar) == query
    assert {one.key for one in query.filters} <= {key.name for key in grammar.keys}


@BOTH
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
        ("co-authored-by: them", (Term("co-authored-by:"), Term("them"))),
        ("a\0b", (Term("a"), Term("b"))),
        ("  ", ()),
    ],
)
def test_words_and_phrases(grammar: Grammar, text: str, terms: tuple[Term, ...]) -> None:
    """Words, phrases, beginnings, each with a minus or not; a colon alone makes no key."""
    assert read(text, grammar) == Query(terms)


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
    ("text", "filters"),
    [
        ('-label:"good first issue"', (Filter("label", "good first issue", negated=True),)),
        ("reviewed-by:bob -is:DRAFT", (Filter("reviewed-by", "bob"), Filter("is", "draft", negated=True))),
        ("stale:no stale:30d size:XL", (Filter("stale", "no"), Filter("stale", "30d"), Filter("size", "xl"))),
        ("sort:merged-asc", (Filter("sort", "merged-asc"),)),
    ],
)
def test_filters_of_pull_requests(text: str, filters: tuple[Filter, ...]) -> None:
    """A key may have a dash; choices are written in any case."""
    assert read(text, PULLS) == Query((), filters)


DAY, NOV = 86_400, date(2026, 11, 1)
NAMED = (
    ("2026-11-20", date(2026, 11, 20), date(2026, 11, 21)),
    ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
    ("2025", date(2025, 1, 1), date(2026, 1, 1)),
    ("7d", date(2026, 11, 16), date(2026, 11, 17)),
    ("2w", date(2026, 11, 9), date(2026, 11, 10)),
    ("30d", date(2026, 10, 24), date(2026, 10, 25)),
    ("12m", date(2025, 11, 28), date(2025, 11, 29)),
    ("9999y", date(1970, 1, 1), date(1970, 1, 2)),
    ("today", TODAY, date(2026, 11, 24)),
    ("yesterday", date(2026, 11, 22), TODAY),
)


@BOTH
@pytest.mark.parametrize(("text", "first", "following"), NAMED)
def test_days(grammar: Grammar, text: str, first: date, following: date) -> None:
    """Days, months, years and how long ago: since: and until: take them in, after: and before: do not."""
    written = f"since:{text} until:{text} after:{text} before:{text}"
    spans = [one.days for one in read(written, grammar).filters]
    assert spans == [(first, None), (None, following), (following, None), (None, first)]


@pytest.mark.parametrize(
    ("text", "first", "following"),
    [
        *(one for one in NAMED if one[0][-1] not in "dwmy" or one[0] == "today"),
        ("7d", date(2026, 11, 16), date(2026, 11, 24)),
        ("12m", date(2025, 11, 28), date(2026, 11, 24)),
        ("2026-11-01..2026-11-23", NOV, date(2026, 11, 24)),
        ("2026-11..yesterday", NOV, TODAY),
        ("2026-11-01..", NOV, None),
        ("..2026-11-01", None, date(2026, 11, 2)),
    ],
)
def test_days_between_which_something_happened(text: str, first: date | None, following: date | None) -> None:
    """What is named, from one to another, an open end; 7d is since 7d, with today."""
    assert read(f"merged:{text}", PULLS).filters[0].days == (first, following)


@BOTH
def test_bounds_include_the_days_they_name(grammar: Grammar) -> None:
    """From 00:00 of the first day, in the person's zone, to 00:00 after the last; the narrowest counts."""

    def bounds(text: str, zone: ZoneInfo = UTC) -> tuple[int | None, int | None]:
        return read(text, grammar).bounds(zone)

    assert bounds("since:1970-01-02 until:1970-01-04") == (DAY, 4 * DAY)
    assert bounds("after:1970-01-02 before:1970-01-04") == (2 * DAY, 3 * DAY)
    assert bounds("since:1970-01-02 since:1970-01-05") == (4 * DAY, None)
    assert bounds("since:1970-01-02..1970-01-03") == bounds("until:1970-01-02..1970-01-03") == (DAY, 3 * DAY)
    assert bounds("since:1970-01-02", ZoneInfo("Asia/Tokyo")) == (DAY - 9 * 3600, None)
    assert bounds("word") == (None, None)


@BOTH
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("color:red", "“color:” is no filter of"),
        ("colored-by:red", "“colored-by:” is no filter of"),
        ("author:", "“author:” needs a value."),
        ("is:late", "“is:late” means nothing."),
        ("since:soon", "“since:soon” is no day."),
        ("since:2026-02-30", "“since:2026-02-30” is no day."),
        ("since:2026-13-01", "“since:2026-13-01” is no day."),
        ("since:0000", "“since:0000” is no day."),
        ("since:0001-01-01", "“since:0001-01-01” is no day."),
        ("since:99999y", "“since:99999y” is no day."),
        ("since:..", "“since:..” is no day."),
        ("until:2026-11-01..soon", "“until:2026-11-01..soon” is no day."),
        ("before:2026-11-01..2026-11-02", "“before:2026-11-01..2026-11-02” is no day."),
        ("-since:7d", "“since:” takes no minus."),
        ("?!", "“?!” has no letters or digits to look for."),
        ("x" * 501, "A search has at most 500 characters."),
        ("a " * 33, "A search has at most 32 parts."),
    ],
)
def test_what_cannot_be_meant_is_refused(grammar: Grammar, text: str, sentence: str) -> None:
    """An unknown key, a bad value or day, too much of it: one sentence and what to do."""
    with pytest.raises(UsageError) as refused:
        read(text, grammar)
    assert str(refused.value).startswith(sentence) and refused.value.hint


@pytest.mark.parametrize("text", ["review:maybe", "size:huge", "sort:stars", "stale:soon", "is:merge"])
def test_what_is_no_value_of_pull_requests(text: str) -> None:
    """The sentence names the filter, the hint what it takes, as the page explains it."""
    with pytest.raises(UsageError, match=f"“{text}” means nothing") as refused:
        read(text, PULLS)
    key = next(key for key in PULLS.keys if key.name == text.partition(":")[0])
    assert refused.value.hint == f"Write {key.takes}."


def test_every_filter_is_documented() -> None:
    """docs/pulls.md and docs/search.md list the filters that there are, as the pages explain them."""
    for page, grammar in (("pulls.md", PULLS), ("search.md", COMMITS)):
        written = (Path(__file__).resolve().parents[2] / "docs" / page).read_text()
        listed = dict(re.findall(r"^\| `([a-z-]+):` \| (.+) \|$", written, re.M))
        assert listed == {key.name: key.takes for key in grammar.keys if key.takes}, page


@BOTH
def test_every_example_can_be_typed(grammar: Grammar) -> None:
    """What a page shows for a filter is understood."""
    for key in grammar.keys:
        assert read(f"{key.name}:{key.example}", grammar).filters[0].key == key.name


def test_another_table_is_another_language() -> None:
    """The keys are given: pull requests have labels, commits have none."""
    query = read("label:bug -is:draft crash", PULLS)
    assert query.values("label") == ("bug",)
    assert query.values("is", negated=True) == ("draft",)
    with pytest.raises(UsageError):
        read("label:bug")


def test_a_filter_is_taken_and_left() -> None:
    """What a chip links to: the search with that filter, and without it again."""
    query = read("fix author:me")
    assert str(query.toggled("is", "merge")) == "fix author:me is:merge"
    assert query.toggled("is", "merge").toggled("is", "merge") == query
