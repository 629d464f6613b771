"""What finds commits by their words: FTS5 beside SQLite's table, a tsvector within PostgreSQL's.

Both hold the words of message and author in lower case, a word being a run of letters and digits. SQLite's
holds no text of its own (`content=''`) and is filled by commit_words.py, one insert for a whole page of
commits: a trigger would write it out to the disk after each row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event

from trackeep.store.tables_fetched import commit

# Of a longer message only the beginning can be found; PostgreSQL has an end for what it can index, too.
LONGEST_TEXT = 16_384
# A row of SQLite's is numbered by the commit's time in seconds, then by its id in this many bits.
ID_BITS = 30
LATEST = 2 ** (63 - ID_BITS) - 1
# In PostgreSQL, which puts all words into one list, this one keeps phrases from reaching into the name.
BETWEEN = "0author0"
# What PostgreSQL's parser would take for parts of addresses, paths, numbers and tags.
_JOINERS = "./-@:_+<&"

_SQLITE = (
    "create virtual table commit_words using fts5("
    "message, author, tags, content='', columnsize=0, tokenize=\"unicode61 remove_diacritics 0\")",
    # Up to which id of `commit` the words are in.
    "create table commit_words_up_to (id integer not null)",
    "insert into commit_words_up_to values (0)",
)


def _in_words(column: str) -> str:
    return f"translate(left({column}, {LONGEST_TEXT}), '{_JOINERS}', '{' ' * len(_JOINERS)}')"


_POSTGRESQL = (
    "alter table \"commit\" add column words tsvector generated always as (to_tsvector('simple', "
    f"{_in_words('message')} || ' {BETWEEN} ' || {_in_words('author_name')})) stored",
    'create index ix_commit_words on "commit" using gin (words)',
)


@event.listens_for(commit, "after_create")
def _make(_table: Any, conn: Connection, **_: Any) -> None:
    for statement in _SQLITE if conn.dialect.name == "sqlite" else _POSTGRESQL:
        conn.exec_driver_sql(statement)
