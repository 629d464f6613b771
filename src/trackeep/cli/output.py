"""What commands say: data on stdout, messages on stderr, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import click

from trackeep.cli.conventions import manner

NOTHING = "—"
_GAP = 2
_LEAST_WIDTH = 12
# Control characters, and the marks that turn the direction of writing round: whoever names a branch or a
# pull request could otherwise repaint the reader's terminal (https://cwe.mitre.org/data/definitions/150.html).
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Cell(NamedTuple):
    """A word of a table in a colour that click knows, "" for none."""

    text: str
    color: str = ""


class Column(NamedTuple):
    """`is_wide`: on a terminal this column gives way when the table is too wide."""

    title: str
    is_number: bool = False
    is_wide: bool = False


@dataclass(frozen=True)
class Listing:
    """A table for people and, made when asked for, the same for programs; `nothing` is said of no rows."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str | Cell]]
    items: Callable[[], Iterable[Any]]
    nothing: str = "There is nothing."


def plain(text: str) -> str:
    """`text` in one line, without what a terminal would obey instead of showing it."""
    return _OBEYED.sub("", re.sub(r"[\t\r\n]+", " ", text))


def show(listing: Listing, *, as_json: bool = False, as_jsonl: bool = False) -> None:
    """Print a list: a table, one JSON array, or one JSON object a line."""
    if as_jsonl:
        for item in listing.items():
            click.echo(json.dumps(item))
    elif as_json:
        show_json(list(listing.items()))
    elif listing.rows:
        click.echo(table(listing.columns, listing.rows, width=_width()))
    else:
        note(listing.nothing)


def show_json(value: Any) -> None:
    """Print one value as JSON; whatever is not ASCII is escaped, so a terminal obeys nothing in it."""
    click.echo(json.dumps(value, indent=2))


def done(sentence: str) -> None:
    """Say on stdout what a command has done; `--quiet` leaves it out."""
    if not manner().is_quiet:
        click.echo(plain(sentence))


def note(sentence: str) -> None:
    """Say on stderr what helps a person and no program; `--quiet` leaves it out."""
    if not manner().is_quiet:
        click.echo(plain(sentence), err=True)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], *, width: int = 0) -> str:
    """Aligned text with a line of titles; no wider than `width` columns where a wide column can give way."""
    cells = [[_cell(one) for one in row] for row in rows]
    widths = [
        max([len(column.title), *(_width_of(row[n].text) for row in cells)])
        for n, column in enumerate(columns)
    ]
    _narrow(columns, widths, width)
    titles = [Cell(column.title.upper(), "bright_black") for column in columns]
    return "\n".join(_line(columns, widths, row) for row in (titles, *cells))


def _cell(value: str | Cell) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(plain(cell.text), cell.color)


def _narrow(columns: Sequence[Column], widths: list[int], width: int) -> None:
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    for n, column in enumerate(columns):
        if width and column.is_wide and excess > 0:
            given = min(excess, max(0, widths[n] - _LEAST_WIDTH))
            widths[n] -= given
            excess -= given


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell]) -> str:
    parts = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        text = _cut(cell.text, width)
        blank = " " * (width - _width_of(text))
        shown = click.style(text, fg=cell.color) if cell.color else text
        parts.append(blank + shown if column.is_number else shown + blank)
    return (" " * _GAP).join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    if _width_of(text) <= width:
        return text
    while text and _width_of(text) >= width:
        text = text[:-1]
    return f"{text}…"


def _width_of(text: str) -> int:
    """Columns that a terminal needs for it."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def _width() -> int:
    """How wide a table may be: the terminal's width, 0 (as wide as it is) for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
