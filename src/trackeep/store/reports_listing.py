"""The page of repositories: filtered, sorted, paged by key; what is lost, and what may be added."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.branches import STALE_AFTER_S
from trackeep.metrics.storage import BYTES_PER_ROW
from trackeep.metrics.windows import Window, midnight, weeks_back
from trackeep.store import schedule
from trackeep.store.activity import LOST
from trackeep.store.reports_access import DAY_S, Reader, count_if, followed, readable
from trackeep.store.reports_branches import PREFIX, is_merged_head, newest_pull
from trackeep.store.reports_repositories import (
    WEEKS,
    commits_in,
    is_whole,
    open_pulls_of,
    synced_at,
    synced_of,
    weeks_of,
)
from trackeep.store.tables import access, follow, repository
from trackeep.store.tables_choices import repository_tag
from trackeep.store.tables_fetched import commit, language, pull_request, ref
from trackeep.store.tables_sync import cursor

# More rows would make the page heavier than a page may be.
PAGE_ROWS = 40
SUGGESTED_WITHIN_S = 90 * DAY_S
MOST_SUGGESTED = 5
# Sorted by, and whether the largest comes first unless asked otherwise.
SORTS = {
    **{"repository": False, "weeks": True, "commits": True, "open": True, "oldest": False},
    **{"branches": True, "push": True, "stored": True, "sync": False},
}
_NEWEST = 2**53
_NAMES = (
    *("id", "owner", "name", "private", "fork", "archived", "language"),
    *("description", "default_branch", "pushed_at"),
)
Value = int | str | None


@dataclass(frozen=True)
class Listing:
    """What is listed, "" for any, and in which order; `after` is the value and id of the row before."""

    words: str = ""
    owner: str = ""
    visibility: str = ""
    language: str = ""
    state: str = ""
    tag: str = ""
    sort: str = "commits"
    descending: bool = True
    after: tuple[Value, int] | None = None
    limit: int = PAGE_ROWS


@dataclass(frozen=True)
class ListedRepository:
    """One followed repository; `stored_bytes` is an estimate (see metrics.storage), times are unix seconds.

    `is_whole` says that all of it was read and nothing is wrong, `sorted_by` is what its place comes from.
    """

    id: int
    owner: str
    name: str
    private: bool
    fork: bool
    archived: bool
    language: str
    description: str
    default_branch: str
    pushed_at: int | None
    is_renamed: bool
    follow_state: str
    hidden: bool
    commits: int
    open_pulls: int
    oldest_open_at: int | None
    branches: int
    stale_branches: int
    stored_bytes: int
    synced_at: int | None
    is_whole: bool
    problem: str
    sorted_by: Value
    weeks: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Page:
    """One page of the list, the key of the next one, and all tags that the reader has given."""

    rows: tuple[ListedRepository, ...]
    next: tuple[Value, int] | None
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """All that is followed and readable, counted by state, and what can be chosen from."""

    total: int
    paused: int
    hidden: int
    archived: int
    failing: int
    owners: tuple[str, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True)
class LostRepository:
    """What this account follows and GitHub shows to it no more, by the name that it was last given."""

    id: int
    name: str
    lost_at: int
    follow_state: str
    hidden: bool
    said: str
    link: str
    due_at: int | None


@dataclass(frozen=True)
class Suggestion:
    """A repository that may be followed and was pushed to lately; `permission` is the reader's own."""

    id: int
    owner: str
    name: str
    private: bool
    language: str
    pushed_at: int
    permission: str


@dataclass(frozen=True)
class Belonging:
    """A followed repository of the reader's by name, and what is stored of it by kind of rows."""

    id: int
    name: str
    is_lost: bool
    rows: Mapping[str, int]


async def listed(conn: AsyncConnection, reader: Reader, window: Window, listing: Listing) -> Page:
    """One page of what is followed, the commits of `window`; three queries."""
    rows = (await conn.execute(_page(reader, window, listing))).all()
    found = tuple(ListedRepository(**row._mapping) for row in rows)
    shown = found[: listing.limit]
    ids = [row.id for row in shown]
    weeks, words = await weeks_of(conn, reader, ids), await _tags(conn, reader)
    whole = tuple(
        replace(row, weeks=weeks.get(row.id, (0,) * WEEKS), tags=words.get(row.id, ())) for row in shown
    )
    more = (shown[-1].sorted_by, shown[-1].id) if len(found) > len(shown) else None
    return Page(whole, more, tuple(sorted(set(chain.from_iterable(words.values())))))


async def overview(conn: AsyncConnection, reader: Reader) -> Overview:
    """One query."""
    synced = synced_of(reader)
    statement = (
        select(
            repository.c.owner,
            repository.c.language,
            repository.c.archived,
            follow.c.state,
            follow.c.hidden,
            func.coalesce(synced.c.problem, "").label("problem"),
        )
        .join(follow, _mine(reader))
        .outerjoin(synced, synced.c.repository_id == repository.c.id)
        .where(repository.c.id.in_(followed(reader)))
    )
    rows = (await conn.execute(statement)).all()
    return Overview(
        total=len(rows),
        paused=sum(row.state == schedule.PAUSED for row in rows),
        hidden=sum(bool(row.hidden) for row in rows),
        archived=sum(bool(row.archived) for row in rows),
        failing=sum(row.problem != "" and row.state == schedule.TRACKED for row in rows),
        owners=tuple(sorted({row.owner for row in rows}, key=str.lower)),
        languages=tuple(sorted({row.language for row in rows if row.language})),
    )


async def lost(conn: AsyncConnection, reader: Reader) -> tuple[LostRepository, ...]:
    """What GitHub shows no more; nothing but the name it had then is told. One query."""
    me = reader.account_id
    said = and_(
        cursor.c.repository_id == follow.c.repository_id,
        cursor.c.account_id == me,
        cursor.c.stream == "access",
    )
    proof = and_(access.c.repository_id == follow.c.repository_id, access.c.account_id == me)
    statement = (
        select(
            follow.c.repository_id.label("id"),
            access.c.known_as.label("name"),
            access.c.checked_at.label("lost_at"),
            follow.c.state.label("follow_state"),
            follow.c.hidden,
            func.coalesce(cursor.c.problem, "").label("said"),
            func.coalesce(cursor.c.link, "").label("link"),
            cursor.c.due_at,
        )
        .join(access, proof)
        .outerjoin(cursor, said)
        .where(follow.c.account_id == me, access.c.state == LOST)
        .order_by(func.lower(access.c.known_as), follow.c.repository_id)
    )
    return tuple(LostRepository(**row._mapping) for row in (await conn.execute(statement)).all())


async def suggestions(conn: AsyncConnection, reader: Reader) -> tuple[Suggestion, ...]:
    """What may be followed and was pushed to in the last 90 days, where one may push first; one query."""
    mine = select(follow.c.repository_id).where(follow.c.account_id == reader.account_id)
    proof = and_(access.c.repository_id == repository.c.id, access.c.account_id == reader.account_id)
    may_push = access.c.permission.not_in(("", "pull", "read", "triage"))
    names = ("id", "owner", "name", "private", "language", "pushed_at")
    statement = (
        select(*(repository.c[name] for name in names), access.c.permission)
        .join(access, proof)
        .where(
            repository.c.id.in_(readable(reader)),
            repository.c.id.not_in(mine),
            repository.c.archived.is_(False),
            repository.c.pushed_at >= reader.now - SUGGESTED_WITHIN_S,
        )
        .order_by(case((may_push, 0), else_=1), repository.c.pushed_at.desc(), repository.c.id)
        .limit(MOST_SUGGESTED)
    )
    return tuple(Suggestion(**row._mapping) for row in (await conn.execute(statement)).all())


async def belongings(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> tuple[Belonging, ...]:
    """Those of `ids` that the reader follows and can see, or could until GitHub said no; two queries.

    What the reader does not follow, or has no proof for, is not among them, as if there were none.
    """
    wanted = sorted(ids)
    shown = (
        select(repository.c.id, repository.c.owner, repository.c.name)
        .where(repository.c.id.in_(followed(reader)), repository.c.id.in_(wanted))
        .order_by(func.lower(repository.c.owner), func.lower(repository.c.name))
    )
    rows: dict[int, dict[str, int]] = {}
    for row in (
        await conn.execute(_rows_of(followed(reader)).where(cursor.c.repository_id.in_(wanted)))
    ).all():
        rows.setdefault(row.repository_id, {})[row.stream] = row.rows
    seen = [
        Belonging(row.id, f"{row.owner}/{row.name}", False, rows.get(row.id, {}))
        for row in (await conn.execute(shown)).all()
    ]
    gone = [Belonging(row.id, row.name, True, {}) for row in await lost(conn, reader) if row.id in ids]
    return (*seen, *gone)


async def may_follow(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> set[int]:
    """Those of `ids` that the reader can see, followed or not; one query."""
    statement = readable(reader).where(repository.c.id.in_(sorted(ids)))
    return set((await conn.execute(statement)).scalars())


# ---- one page -----------------------------------------------------------------------------------


def _page(reader: Reader, window: Window, listing: Listing) -> Select[Any]:
    """The rows of one page; their figures are counted for these alone, however many are followed."""
    place = _places(reader, window, listing).cte("place")
    ids = select(place.c.id)
    work, pulls, synced = commits_in(ids, window), open_pulls_of(ids), synced_of(reader)
    branches, room = _branches(reader, ids), _room(ids)
    columns = {
        "is_renamed": repository.c.former_names != "",
        "follow_state": follow.c.state,
        "hidden": follow.c.hidden,
        "commits": func.coalesce(work.c.commits, 0),
        "open_pulls": func.coalesce(pulls.c.open_pulls, 0),
        "oldest_open_at": pulls.c.oldest_open_at,
        "branches": func.coalesce(branches.c.branches, 0),
        "stale_branches": func.coalesce(branches.c.stale, 0),
        "stored_bytes": func.coalesce(room.c.bytes, 0),
        "synced_at": synced_at(reader, synced),
        "is_whole": func.coalesce(is_whole(synced), False),
        "problem": func.coalesce(synced.c.problem, ""),
        "sorted_by": place.c.sorted_by,
    }
    joined: Any = place.join(repository, repository.c.id == place.c.id).join(follow, _mine(reader))
    for table in (work, pulls, synced, branches, room):
        joined = joined.outerjoin(table, table.c.repository_id == repository.c.id)
    names = (repository.c[name] for name in _NAMES)
    return (
        select(*names, *(column.label(name) for name, column in columns.items()))
        .select_from(joined)
        .order_by(*_order(place.c.sorted_by, listing))
    )


def _places(reader: Reader, window: Window, listing: Listing) -> Select[Any]:
    """(id, sorted_by) of one page and one more, in order, counting nothing but what it is sorted by."""
    synced = synced_of(reader)
    value, counted = _value(reader, window, listing.sort, synced)
    joined: Any = repository.join(follow, _mine(reader))
    for table in (synced, *counted):
        joined = joined.outerjoin(table, table.c.repository_id == repository.c.id)
    problem = func.coalesce(synced.c.problem, "")
    statement = (
        select(repository.c.id, value.label("sorted_by"))
        .select_from(joined)
        .where(repository.c.id.in_(followed(reader)), *_narrowed(reader, listing, problem))
    )
    if listing.after is not None:
        statement = statement.where(_comes_after(value, listing))
    return statement.order_by(*_order(value, listing)).limit(listing.limit + 1)


def _order(value: Any, listing: Listing) -> tuple[Any, ...]:
    """Where nothing is known comes last in both directions, and equal values by number."""
    return value.is_(None), value.desc() if listing.descending else value.asc(), repository.c.id


def _mine(reader: Reader) -> ColumnElement[bool]:
    return and_(follow.c.repository_id == repository.c.id, follow.c.account_id == reader.account_id)


def _value(reader: Reader, window: Window, sort: str, synced: Any) -> tuple[Any, tuple[Any, ...]]:
    """What the list is sorted by, and the table it is counted in, if any.

    A key must not move between two pages only because a pass has ended.
    """
    ids = followed(reader)
    if sort == "repository":
        return func.lower(repository.c.owner) + "/" + func.lower(repository.c.name), ()
    if sort == "push":
        return repository.c.pushed_at, ()
    if sort == "sync":
        # What is whole is as fresh as the last look, all of it alike.
        return case((func.coalesce(is_whole(synced), False), _NEWEST), else_=synced.c.synced_at), ()
    if sort in ("open", "oldest"):
        pulls = open_pulls_of(ids)
        return (pulls.c.oldest_open_at if sort == "oldest" else func.coalesce(pulls.c.open_pulls, 0)), (
            pulls,
        )
    if sort == "branches":
        branches = _branches(reader, ids)
        return func.coalesce(branches.c.branches, 0), (branches,)
    if sort == "stored":
        room = _room(ids)
        return func.coalesce(room.c.bytes, 0), (room,)
    first = midnight(weeks_back(WEEKS, reader.now, reader.zone)[0], reader.zone)
    work = commits_in(ids, Window(first, _NEWEST) if sort == "weeks" else window)
    return func.coalesce(work.c.commits, 0), (work,)


def _comes_after(value: Any, listing: Listing) -> ColumnElement[bool]:
    assert listing.after is not None
    last, last_id = listing.after
    if last is None:
        return and_(value.is_(None), repository.c.id > last_id)
    further = value < last if listing.descending else value > last
    return or_(value.is_(None), further, and_(value == last, repository.c.id > last_id))


def _narrowed(reader: Reader, listing: Listing, problem: Any) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    full_name = func.lower(repository.c.owner) + "/" + func.lower(repository.c.name)
    if listing.words:
        found.append(full_name.contains(listing.words.lower(), autoescape=True))
    if listing.owner:
        found.append(func.lower(repository.c.owner) == listing.owner.lower())
    if listing.visibility:
        found.append(repository.c.private.is_(listing.visibility == "private"))
    if listing.language:
        written = exists().where(
            language.c.repository_id == repository.c.id, language.c.name == listing.language
        )
        found.append(or_(repository.c.language == listing.language, written))
    if listing.tag:
        found.append(
            exists().where(
                repository_tag.c.account_id == reader.account_id,
                repository_tag.c.repository_id == repository.c.id,
                repository_tag.c.tag == listing.tag,
            )
        )
    states = {
        "tracked": follow.c.state == schedule.TRACKED,
        "paused": follow.c.state == schedule.PAUSED,
        "archived": repository.c.archived.is_(True),
        "error": and_(problem != "", follow.c.state == schedule.TRACKED),
        # These are told of apart.
        "lost": literal(False),
    }
    if listing.state in states:
        found.append(states[listing.state])
    found.append(follow.c.hidden.is_(listing.state == "hidden"))
    return found


def _branches(reader: Reader, ids: Select[Any]) -> Any:
    """(repository_id, branches, stale): as metrics.branches has it."""
    tip = and_(commit.c.repository_id == ref.c.repository_id, commit.c.sha == ref.c.commit_sha)
    is_default = ref.c.name == PREFIX + repository.c.default_branch
    latest = pull_request.alias("latest")
    merged = exists().where(
        latest.c.repository_id == ref.c.repository_id,
        latest.c.number == newest_pull(),
        is_merged_head(latest),
    )
    is_old = commit.c.committed_at < reader.now - STALE_AFTER_S
    is_stale = and_(is_old, ~is_default, ~commit.c.on_default, ~merged)
    return (
        select(ref.c.repository_id, func.count().label("branches"), count_if(is_stale).label("stale"))
        .join(repository, repository.c.id == ref.c.repository_id)
        .outerjoin(commit, tip)
        .where(ref.c.repository_id.in_(ids), ref.c.name.like(f"{PREFIX}%"))
        .group_by(ref.c.repository_id)
        .subquery()
    )


def _room(ids: Select[Any]) -> Any:
    """(repository_id, bytes): the estimate of what is stored, from the rows that syncs have counted."""
    each = _rows_of(ids).subquery()
    per_row = case(BYTES_PER_ROW, value=each.c.stream, else_=0)
    return (
        select(each.c.repository_id, func.sum(each.c.rows * per_row).label("bytes"))
        .group_by(each.c.repository_id)
        .subquery()
    )


def _rows_of(ids: Select[Any]) -> Select[Any]:
    """(repository_id, stream, rows): rows are shared, so whoever has read most has counted them all."""
    return (
        select(cursor.c.repository_id, cursor.c.stream, func.max(cursor.c["items"]).label("rows"))
        .where(cursor.c.repository_id.in_(ids), cursor.c.stream.in_(list(BYTES_PER_ROW)))
        .group_by(cursor.c.repository_id, cursor.c.stream)
    )


async def _tags(conn: AsyncConnection, reader: Reader) -> dict[int, tuple[str, ...]]:
    """The reader's own words by repository, those on what cannot be read now too."""
    columns = (repository_tag.c.repository_id, repository_tag.c.tag)
    mine = repository_tag.c.account_id == reader.account_id
    found: dict[int, tuple[str, ...]] = {}
    for row in (await conn.execute(select(*columns).where(mine).order_by(repository_tag.c.tag))).all():
        found[row.repository_id] = (*found.get(row.repository_id, ()), row.tag)
    return found
