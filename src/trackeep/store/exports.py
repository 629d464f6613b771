"""Reads out everything an account may see, table by table, for a copy of one's own data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Select, Table, Text, literal, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, readable
from trackeep.store.tables import access, person, repository
from trackeep.store.tables_fetched import (
    co_author,
    commit,
    issue,
    language,
    pull_request,
    ref,
    ref_change,
    release,
    review,
    review_asked,
    review_comment,
    review_request,
)
from trackeep.store.tables_paths import commit_path, path

# Without its `id`, which would tell how many commits there are, of others' private repositories too.
_OWN = [each for each in commit.c if each is not commit.c.id]
_KEY = ("repository_id", "sha")
commits = Table(
    commit.name,
    MetaData(),
    *(Column(each.name, each.type, primary_key=each.name in _KEY, nullable=each.nullable) for each in _OWN),
)
# Without the numbers of both, for the same reason, and without the folders, which the files tell.
changed_paths = Table(
    commit_path.name,
    MetaData(),
    Column("repository_id", BigInteger, primary_key=True),
    Column("sha", Text, primary_key=True),
    Column("path", Text, primary_key=True),
)

# Never accounts, connections or sessions: a copy of the data must hold no secret and nobody else.
EXPORTED: tuple[Table, ...] = (
    *(repository, commits, changed_paths, co_author, ref, ref_change, pull_request, review, review_comment),
    *(review_request, review_asked, issue, release, language, person),
)
_ROWS_AT_ONCE = 2_000


async def rows(conn: AsyncConnection, reader: Reader, table: Table) -> AsyncIterator[list[dict[str, Any]]]:
    """Blocks of the rows of `table` that may be read now, by the rule that the pages follow."""
    result = await conn.stream(_rows(reader, table))
    async for block in result.mappings().partitions(_ROWS_AT_ONCE):
        yield [dict(row) for row in block]


def _rows(reader: Reader, table: Table) -> Select[Any]:
    if table is person:
        # Only people who appear in rows that may be read; others would tell who works where.
        mentions = [
            _rows(reader, mentioning).with_only_columns(column)
            for mentioning in (
                pull_request,
                review,
                review_comment,
                review_request,
                review_asked,
                issue,
                release,
            )
            for column in mentioning.c
            if column.name in ("author_id", "merged_by_id", "reviewer_id")
        ]
        return select(person).where(or_(person.c.id == reader.account_id, person.c.id.in_(union(*mentions))))
    if table is changed_paths:
        return _changed_paths(reader)
    own_key = table.c.id if table is repository else table.c.repository_id
    # GitHub tells nobody a former name, which may be from before this person could read the repository.
    hidden = repository.c.former_names
    columns = [literal("").label(column.name) if column is hidden else column for column in table.c]
    rows = select(*columns).where(own_key.in_(readable(reader)))
    if table is review_request:
        # GitHub names an organisation's teams to its people alone, not to everybody who may read.
        helps = select(access.c.repository_id).where(
            access.c.account_id == reader.account_id, access.c.permission.not_in(("", "pull"))
        )
        rows = rows.where(or_(table.c.team == "", own_key.in_(helps)))
    return rows


def _changed_paths(reader: Reader) -> Select[Any]:
    return (
        select(commit.c.repository_id, commit.c.sha, path.c.text.label("path"))
        .join(commit_path, commit_path.c.commit_id == commit.c.id)
        .join(path, path.c.id == commit_path.c.path_id)
        .where(commit.c.repository_id.in_(readable(reader)), ~path.c.text.endswith("/"))
    )
