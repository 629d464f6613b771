"""Standups and reports read well wherever they are pasted, and nothing in them does anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from trackeep.cli.journal import Entry, Figure, Journal, Section
from trackeep.cli.journal_text import COMMITS_SHOWN, days_text, html, markdown

HUB = "https://github.com/a/b"
PULL = Entry("opened and merged", "Add retry", "#7", f"{HUB}/pull/7")
COMMIT = Entry("commit", "Retry twice", "4b825dc64", f"{HUB}/commit/4b825dc64")
JOURNAL = Journal(
    "alice",
    date(2026, 11, 20),
    date(2026, 11, 23),
    "Europe/Prague",
    (Section("a/b", HUB, (PULL, COMMIT)),),
    (Entry("to review", "Fix it", "#8", f"{HUB}/pull/8", "a/b"),),
    (Figure("Commits", "3", "1,200"),),
)


def test_markdown_is_grouped_by_repository() -> None:
    """A heading a repository, a bullet a pull request or commit, then what waits."""
    assert markdown(JOURNAL, "Standup: alice") == (
        "## Standup: alice\n\n20 to 23 November 2026, Europe/Prague\n\n"
        "| | this week | week before |\n|---|---:|---:|\n| Commits | 3 | 1,200 |\n\n"
        f"### [a/b]({HUB})\n\n"
        f"- Opened and merged [#7]({HUB}/pull/7) Add retry\n"
        f"- Retry twice ([4b825dc64]({HUB}/commit/4b825dc64))\n\n"
        f"### Waiting for you\n\n- Review [#8]({HUB}/pull/8) Fix it (a/b)"
    )


def test_html_says_the_same_and_loads_nothing() -> None:
    """One page with the same lines; no script, no picture, no style from elsewhere."""
    page = html(JOURNAL, "Standup: alice")
    assert f'<li>Opened and merged <a href="{HUB}/pull/7">#7</a> Add retry</li>' in page
    assert "<td>Commits</td><td>3</td><td>1,200</td>" in page
    assert not any(word in page for word in ("<script", "<img", "<link", "src=", "@import"))


@pytest.mark.parametrize(
    "title",
    [
        "[click](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "# A heading",
        "1. A list",
        "**loud** and `code`",
        "&lt;script&gt;",
        "_quiet_ words",
    ],
)
def test_a_title_is_shown_as_it_was_written(title: str) -> None:
    """Markdown and HTML in a title are text: no link, no tag, no heading, no entity."""
    wrong = replace(JOURNAL, sections=(Section("a/b", HUB, (replace(COMMIT, text=title),)),), waiting=())
    line = markdown(wrong, "x").splitlines()[-1]
    assert "](javascript" not in line.replace("\\](", "") and not line.startswith(("- #", "- 1."))
    assert all(f"\\{mark}" in line for mark in "[<*_&" if title.startswith(mark))
    page = html(wrong, "x")
    assert "<img" not in page and "&lt;script&gt;" not in page.replace("&amp;lt;script&amp;gt;", "")


def test_names_in_snake_case_stay_readable() -> None:
    """Between letters a line is only a letter."""
    named = replace(JOURNAL, sections=(Section("a/b", HUB, (replace(PULL, text="Rename load_all_rows"),)),))
    assert "Rename load_all_rows" in markdown(named, "x")


def test_a_long_day_is_cut_and_says_so() -> None:
    """Of very many commits the newest are listed and the rest is counted."""
    many = tuple(replace(COMMIT, text=f"Change {n}") for n in range(COMMITS_SHOWN + 5))
    busy = replace(JOURNAL, sections=(Section("a/b", HUB, many),))
    assert "- and 5 more commits" in markdown(busy, "x")
    assert "<li>and 5 more commits</li>" in html(busy, "x")


def test_an_empty_week_says_so() -> None:
    """Nothing is no blank page."""
    empty = replace(JOURNAL, sections=())
    assert "Nothing happened" in markdown(empty, "x") and "Nothing happened" in html(empty, "x")


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2026, 11, 23), date(2026, 11, 23), "Monday 23 November 2026"),
        (date(2026, 11, 30), date(2026, 12, 6), "30 November to 6 December 2026"),
        (date(2026, 12, 28), date(2027, 1, 3), "28 December 2026 to 3 January 2027"),
    ],
)
def test_days_are_written_with_what_differs(first: date, last: date, text: str) -> None:
    """Month and year come once where they are the same."""
    assert days_text(first, last) == text
