"""Finds commits by their words: one condition for PostgreSQL, a table to start from for SQLite.

SQLite's full text numbers a commit by its time and, in the last bits, its id. So it gives what it finds
newest first, stops at a page's end, and reads nothing outside of a span of time, however frequent a word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, column, func, literal_column
from sqlalchemy import table as named_table
from sqlalchemy.dialects.postgresql import TSVECTOR

from trackeep.store.paths import in_lower_case
from trackeep.store.search_grammar import Term, words_in
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_search import ID_BITS, LATEST

# More alternatives than this are compared row by row instead.
MOST_TAGS = 64

_WORDS: ColumnElement[str] = literal_column('"commit".words', TSVECTOR)
commit_words = named_table("commit_words", column("rowid"), column("commit_words"))


# ---- PostgreSQL ---------------------------------------------------------------------------------


def has_words(terms: Sequence[Term]) -> list[ColumnElement[bool]]:
    """Commits with all of these terms in message or author, for PostgreSQL."""
    wanted = " & ".join(f"({_in_tsquery(term)})" for term in terms if not term.negated)
    ruled_out = " | ".join(f"({_in_tsquery(term)})" for term in terms if term.negated)
    found: list[ColumnElement[bool]] = []
    if wanted:
        found.append(_WORDS.bool_op("@@")(func.to_tsquery("simple", wanted)))
    if ruled_out:
        # Not as a part of the same question: an index of words would be read from end to end for it.
        found.append(~_WORDS.bool_op("@@")(func.to_tsquery("simple", ruled_out)))
    return found


def _in_tsquery(term: Term) -> str:
    words = [f"'{word}'" for word in term.words]
    return " <-> ".join(words) + (":*" if term.is_prefix else "")


# ---- SQLite -------------------------------------------------------------------------------------


def is_row() -> ColumnElement[bool]:
    """Joins a commit with its row of the full text."""
    return commit.c.id == commit_words.c.rowid.op("&")(literal_column(str((1 << ID_BITS) - 1)))


def matches(terms: Sequence[Term], more: Iterable[str] = ()) -> ColumnElement[bool]:
    """Rows of the full text with all of these terms, to which `more` of what FTS5 understands is added."""
    wanted = [*(_in_fts(term) for term in terms if not term.negated), *more]
    found = " AND ".join(f"({each})" for each in wanted or ['tags : "every"'])
    ruled_out = " OR ".join(f"({_in_fts(term)})" for term in terms if term.negated)
    query = f"({found}) NOT ({ruled_out})" if ruled_out else found
    return commit_words.c.commit_words.bool_op("match")(query)


def _in_fts(term: Term) -> str:
    return f'{{message author}} : "{" ".join(term.words)}"' + (" *" if term.is_prefix else "")


def of_repositories(ids: Sequence[int]) -> str:
    """In the language of FTS5: commits of these repositories."""
    return "tags : (" + " OR ".join(f'"r{each}"' for each in ids) + ")"


def by_authors(addresses: Sequence[str], names: Sequence[str]) -> str:
    """In the language of FTS5: commits from these addresses, or with these words in the author's name."""
    # The table has them in lower case as SQLite knows it, of ASCII alone.
    found = [f'tags : "e{in_lower_case(each).encode().hex()}"' for each in addresses]
    found += [f'author : "{" ".join(words_in(name))}"' for name in names]
    return " OR ".join(found)


def within(since: int | None, until: int | None) -> list[ColumnElement[bool]]:
    """Bounds of the time, from `since` and before `until`, that spare looking at other rows."""
    number = commit_words.c.rowid
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(number >= _number(since))
    if until is not None and 0 < until <= LATEST:
        conditions.append(number < _number(until))
    return conditions


def _number(at: int) -> int:
    number: int = min(max(at, 0), LATEST) << ID_BITS
    return number
