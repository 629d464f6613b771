"""Branches of all followed repositories or of one: what they hold, how far they are, which can go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics import branches as metrics
from trackeep.store.distances import Distance
from trackeep.store.reports_access import (
    Reader,
    among,
    author_of,
    beginning_of,
    followed,
    is_mine,
    named,
    readable,
)
from trackeep.store.tables import person, repository
from trackeep.store.tables_branches import branch_distance
from trackeep.store.tables_fetched import commit, pull_request, ref

PREFIX = "refs/heads/"
VIEWS = ("default", "yours", "active", "stale", "merged", "all")
# Whoever pushes to the default branch makes all distances old: then this much is read once.
MOST_COMMITS = 120_000
MOST_TIPS = 500
_READ_AT_ONCE = 10_000

# When the newest commit was committed, the repository's id and the full name of the last row.
Key = tuple[int, int, str]


@dataclass(frozen=True)
class Wanted:
    """Which branches a list shows: one of `VIEWS`, of one repository (owner and name, or id), with words.

    The newest commit comes first; with `by_name`, for one repository, the default branch. `after` is the key
    of the last row of the page before, or its `name_key`.
    """

    view: str = "all"
    repository: tuple[str, str] | int | None = None
    words: str = ""
    by_name: bool = False
    after: Key | str | None = None


@dataclass(frozen=True)
class BranchRow:
    """One branch with its newest commit, its pull request and its distance where it is counted."""

    repository_id: int
    owner: str
    repository: str
    name: str
    sha: str
    committed_at: int | None
    subject: str
    author: str
    author_name: str
    is_default: bool
    is_merged: bool
    pull: int | None
    pull_state: str
    base_name: str
    base_sha: str
    distance: Distance | None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.repository}"

    @property
    def key(self) -> Key:
        return (self.committed_at or 0, self.repository_id, PREFIX + self.name)

    @property
    def name_key(self) -> str:
        """Its key in a list by name, where the default branch stands in front whatever it is called."""
        return "" if self.is_default else self.name

    def state(self, now: int) -> str:
        """default, merged, stale or active."""
        return metrics.state(
            is_default=self.is_default, is_merged=self.is_merged, committed_at=self.committed_at, now=now
        )


@dataclass(frozen=True)
class Graph:
    """The parents of every stored commit of a repository and the tips of its branches.

    `parents` is None when there are more commits than were asked for.
    """

    parents: dict[str, tuple[str, ...]] | None
    tips: tuple[str, ...]


async def branches(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 40
) -> tuple[BranchRow, ...]:
    """Those that are wanted, in their order; one more than `limit` if there is more; one query."""
    rows = _listed(reader, wanted).limit(limit + 1).subquery()
    tip = and_(commit.c.repository_id == rows.c.repository_id, commit.c.sha == rows.c.sha)
    statement = (
        select(
            *rows.c,
            func.coalesce(beginning_of(commit.c.message), "").label("message"),
            func.coalesce(person.c.login, "").label("author"),
            func.coalesce(commit.c.author_name, "").label("author_name"),
        )
        .select_from(
            rows.outerjoin(commit, tip).outerjoin(person, person.c.id == author_of(reader.account_id))
        )
        .order_by(*_order(wanted, rows.c))
    )
    return tuple(_row(row) for row in (await conn.execute(statement)).all())


async def graph(
    conn: AsyncConnection, reader: Reader, repository_id: int, *, most: int = MOST_COMMITS
) -> Graph:
    """The history of one repository, if it has at most `most` commits; at most three queries."""
    mine = commit.c.repository_id == repository_id, commit.c.repository_id.in_(readable(reader))
    heads = (
        select(ref.c.commit_sha)
        .where(
            ref.c.repository_id == repository_id,
            ref.c.repository_id.in_(readable(reader)),
            ref.c.name.startswith(PREFIX),
        )
        .order_by(ref.c.moved_at.desc(), ref.c.name)
        .limit(MOST_TIPS)
    )
    tips = tuple((await conn.scalars(heads)).all())
    some = select(commit.c.repository_id).where(*mine).limit(most + 1).subquery()
    if (await conn.scalar(select(func.count()).select_from(some)) or 0) > most:
        return Graph(None, tips)
    parents: dict[str, tuple[str, ...]] = {}
    found = await conn.stream(select(commit.c.sha, commit.c.parents).where(*mine))
    async for part in found.partitions(_READ_AT_ONCE):
        parents.update((sha, tuple(above.split())) for sha, above in part)
    return Graph(parents, tips)


def with_distances(
    rows: tuple[BranchRow, ...], found: dict[str, Distance], place: int
) -> tuple[BranchRow, ...]:
    """Rows of the repository `place` with what was just counted for their tips."""
    return tuple(
        replace(row, distance=found.get(row.sha)) if row.repository_id == place and not row.distance else row
        for row in rows
    )


def newest_pull() -> ScalarSelect[int]:
    """The number of the newest pull request from a branch, for each row of `ref`."""
    return (
        select(func.max(pull_request.c.number))
        .where(
            pull_request.c.repository_id == ref.c.repository_id,
            pull_request.c.head_ref == func.substr(ref.c.name, len(PREFIX) + 1),
        )
        .correlate(ref)
        .scalar_subquery()
    )


def is_merged_head(latest: Any) -> ColumnElement[bool]:
    """The branch is what its newest pull request merged, and nothing was pushed to it since."""
    is_its_head = or_(latest.c.head_sha == "", latest.c.head_sha == ref.c.commit_sha)
    return and_(func.coalesce(latest.c.state, "") == "merged", func.coalesce(is_its_head, False))


def _listed(reader: Reader, wanted: Wanted) -> Select[Any]:
    latest, main = pull_request.alias("latest"), ref.alias("main")
    main_name = literal(PREFIX) + repository.c.default_branch
    tables = (
        ref.join(repository, repository.c.id == ref.c.repository_id)
        .outerjoin(
            commit, and_(commit.c.repository_id == ref.c.repository_id, commit.c.sha == ref.c.commit_sha)
        )
        .outerjoin(
            latest, and_(latest.c.repository_id == ref.c.repository_id, latest.c.number == newest_pull())
        )
        .outerjoin(main, and_(main.c.repository_id == ref.c.repository_id, main.c.name == main_name))
        .outerjoin(
            branch_distance,
            and_(
                branch_distance.c.repository_id == ref.c.repository_id,
                branch_distance.c.base_sha == main.c.commit_sha,
                branch_distance.c.head_sha == ref.c.commit_sha,
            ),
        )
    )
    is_default = (ref.c.name == main_name).label("is_default")
    is_merged = or_(func.coalesce(commit.c.on_default, False), is_merged_head(latest))
    at = func.coalesce(commit.c.committed_at, 0).label("at")
    statement = (
        select(
            ref.c.repository_id,
            repository.c.owner,
            repository.c.name.label("repository"),
            ref.c.name,
            ref.c.commit_sha.label("sha"),
            commit.c.committed_at,
            at,
            is_default,
            is_merged.label("is_merged"),
            latest.c.number.label("pull"),
            func.coalesce(latest.c.state, "").label("pull_state"),
            repository.c.default_branch.label("base_name"),
            func.coalesce(main.c.commit_sha, "").label("base_sha"),
            branch_distance.c.ahead,
            branch_distance.c.behind,
        )
        .select_from(tables)
        .where(
            _places(reader, wanted),
            ref.c.name.startswith(PREFIX),
            _in_view(reader, wanted.view, is_default, is_merged),
            *_named_like(wanted.words),
            *_behind(wanted.after, at.element, is_default.element),
        )
    )
    return statement.order_by(*_order(wanted, statement.selected_columns))


def _in_view(
    reader: Reader, view: str, is_default: ColumnElement[bool], is_merged: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The condition of one view; the same as metrics.branches.state says of each row."""
    stale = func.coalesce(commit.c.committed_at, reader.now) < reader.now - metrics.STALE_AFTER_S
    conditions = {
        "default": is_default,
        "yours": and_(~is_default, func.coalesce(is_mine(reader.account_id), False)),
        "active": and_(~is_default, ~is_merged, ~stale),
        "stale": and_(~is_default, ~is_merged, stale),
        "merged": and_(~is_default, is_merged),
    }
    return conditions.get(view, true())


def _places(reader: Reader, wanted: Wanted) -> ColumnElement[bool]:
    here: ColumnElement[Any] = ref.c.repository_id
    if wanted.repository is None:
        return among(here, followed(reader))
    if isinstance(wanted.repository, int):
        return and_(here == wanted.repository, here.in_(readable(reader)))
    return here == named(reader, wanted.repository).scalar_subquery()


def _named_like(words: str) -> list[ColumnElement[bool]]:
    own = func.lower(func.substr(ref.c.name, len(PREFIX) + 1))
    return [own.contains(word.lower(), autoescape=True) for word in words.split()]


def _behind(
    after: Key | str | None, at: ColumnElement[Any], is_default: ColumnElement[bool]
) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    if isinstance(after, str):
        return [ref.c.name > PREFIX + after, ~is_default]
    when, place, name = after
    same_place = and_(ref.c.repository_id == place, ref.c.name > name)
    return [or_(at < when, and_(at == when, or_(ref.c.repository_id > place, same_place)))]


def _order(wanted: Wanted, columns: Any) -> tuple[Any, ...]:
    if wanted.by_name:
        return columns.is_default.desc(), columns.name
    return columns.at.desc(), columns.repository_id, columns.name


def _row(row: Any) -> BranchRow:
    values = dict(row._mapping)
    ahead, behind = values.pop("ahead"), values.pop("behind")
    del values["at"]
    values["subject"] = values.pop("message").split("\n", 1)[0]
    values["name"] = values["name"].removeprefix(PREFIX)
    values["is_default"] = bool(values["is_default"])
    values["is_merged"] = bool(values["is_merged"]) and not values["is_default"]
    return BranchRow(**values, distance=None if ahead is None else Distance(ahead, behind))
