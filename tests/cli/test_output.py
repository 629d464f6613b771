"""Tables are aligned, fit the terminal, and never carry what a terminal would obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.cli.output import Cell, Column, plain, table


def test_columns_are_aligned_also_with_wide_letters() -> None:
    """A letter that takes two columns of the terminal is counted as two."""
    printed = table((Column("name"), Column("n", is_number=True)), [["ok", "7"], ["港湾", "12"]])
    assert printed.replace("\x1b[90m", "").replace("\x1b[0m", "").splitlines() == [
        "NAME   N",
        "ok     7",
        "港湾  12",
    ]


def test_the_wide_column_gives_way() -> None:
    """A table is no wider than the terminal where something can be shortened."""
    rows = [["owner/name#1", "A title that is far too long for so narrow a window", "open"]]
    columns = (Column("pull request"), Column("title", is_wide=True), Column("state"))
    lines = table(columns, rows, width=40).splitlines()
    assert len(lines[1]) == 40 - len("state") + len("open")
    assert lines[1].startswith("owner/name#1") and "…" in lines[1] and lines[1].endswith("open")


@given(st.text(max_size=40))
def test_whatever_somebody_wrote_stays_one_harmless_line(text: str) -> None:
    """No control character survives, neither in a sentence nor in a cell of a table."""
    printed = table((Column("title"),), [[Cell(text)]])
    for shown in (plain(text), printed.split("\n", 1)[1]):
        assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in shown)
        assert "\n" not in shown


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\ufeff", "\u2028"])
def test_marks_that_turn_the_writing_round_are_left_out(mark: str) -> None:
    """`exe.cod` does not read as `doc.exe`."""
    assert plain(f"doc{mark}exe") == "docexe"
