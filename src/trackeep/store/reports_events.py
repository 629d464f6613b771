"""What happened, newest first: commits, pull requests, reviews, issues, releases and changes of branches."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, String, and_, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.windows import day_from_number, day_of, midnight
from trackeep.store.counted_once import counted_once, once
from trackeep.store.reports_access import (
    Reader,
    among,
    author_of,
    beginning_of,
    followed,
    is_mine,
    known_authors,
    local_day,
    my_ids,
    named,
)
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import commit, issue, pull_request, ref_change, release, review

# What these tables have of so many days is found by its time, whichever repository is asked for.
LATELY_S = 60 * 86_400
_BY_TIME = (pull_request, review, issue)
KINDS = ("commit", "pull", "review", "issue", "release", "branch")
# What a kind is made of, by the name that a list asks for: the kind, and what its events are called.
PARTS = {
    "opened": ("pull", "opened"),
    "merged": ("pull", "merged"),
    "closed": ("pull", "closed"),
    "issue-opened": ("issue", "issue"),
    "issue-closed": ("issue", "issue-closed"),
    "created": ("branch", "created"),
    "deleted": ("branch", "deleted"),
    "forced": ("branch", "forced"),
}


@dataclass(frozen=True)
class Event:
    """One line of the activity list; the `count` commits of one author's day are one, oldest at `first_at`.

    `kind` is commit, opened, merged, closed, review, issue, issue-closed, release or a branch's created,
    deleted, forced. `detail` is a review's state, a release's tag or a branch's name.
    """

    kind: str
    at: int
    actor: str
    actor_name: str
    mine: bool
    owner: str
    repository: str
    number: int
    title: str
    detail: str
    count: int = 1
    first_at: int = 0
    repository_id: int = 0


@dataclass(frozen=True)
class Wanted:
    """Which events a list shows; `since` and `until` bound their time, `before` is where the page begins.

    `kind` is one of `KINDS` or of `PARTS`; `who` is the login of the one person whose events they are.

    With `contributions` only what the calendar counts: by author date, no merges, no forks, own work alone.
    """

    kind: str = ""
    repository: tuple[str, str] | None = None
    mine: bool = False
    who: str = ""
    contributions: bool = False
    since: int | None = None
    until: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Run:
    """The commits that one author made in one repository on one day, by time."""

    count: int
    oldest: int
    newest: int


# Owner, repository, author, whether that is the reader, and the reader's day.
RunKey = tuple[str, str, str, bool, date]


@dataclass(frozen=True)
class EventPage:
    rows: tuple[Event, ...]
    before: int | None


@counted_once
async def latest(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 10
) -> tuple[Event, ...]:
    """The newest few events: so few that they are kept themselves, and asked for only after a change."""
    return (await recent(conn, reader, wanted, limit=limit)).rows


async def recent(conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 50) -> EventPage:
    """One page of events, newest first; two queries, more only where a single day fills a whole page."""
    while True:
        page = await _page(conn, reader, wanted, limit)
        if page.rows or page.before is None:
            return page
        wanted = replace(wanted, before=page.before)


async def _page(conn: AsyncConnection, reader: Reader, wanted: Wanted, limit: int) -> EventPage:
    most = limit * 8 + 1
    rows = await _rows(conn, reader, wanted, most)
    lines, used = collapse(rows, reader.zone, limit)
    is_last = used == len(rows) < most
    before = None if is_last else _next_before(rows[min(used, len(rows) - 1)].at, wanted.before)
    if wanted.kind in ("", "commit"):
        lines = _completed(lines, await _runs(conn, reader, wanted, lines), reader.zone, wanted.before)
    return EventPage(lines, before)


async def _rows(conn: AsyncConnection, reader: Reader, wanted: Wanted, most: int) -> list[Event]:
    """The newest `most` events; once it is known how far back they reach, no older ones are looked at."""
    found: list[Event] | None = None

    async def count() -> int | None:
        nonlocal found
        found = await _newest(conn, reader, wanted, most)
        return found[-1].at if len(found) == most else wanted.since

    since = await once(conn, reader, ("events", wanted, most), count)
    return await _newest(conn, reader, replace(wanted, since=since), most) if found is None else found


async def _newest(conn: AsyncConnection, reader: Reader, wanted: Wanted, most: int) -> list[Event]:
    parts = [
        part
        for kind, maker in _SOURCES
        if not wanted.kind or PARTS.get(wanted.kind, (wanted.kind,))[0] == kind
        for part in maker(reader, wanted, most)
    ]
    if not parts:
        return []
    every = union_all(*parts).subquery()
    statement = select(every).order_by(every.c.at.desc(), every.c.kind, every.c.number).limit(most)
    return [_event(row) for row in (await conn.execute(statement)).all()]


async def _runs(
    conn: AsyncConnection, reader: Reader, wanted: Wanted, lines: Sequence[Event]
) -> dict[RunKey, Run]:
    """All the commits that the lines of commits stand for, wherever the page ends; one query."""
    times = [at for line in lines if line.kind == "commit" for at in (line.first_at, line.at)]
    first, last = (day_of(at, reader.zone) for at in (min(times, default=0), max(times, default=0)))
    span = (midnight(first, reader.zone), midnight(last + timedelta(days=1), reader.zone))
    whole_days = replace(
        wanted,
        since=max(span[0], wanted.since or span[0]),
        until=min(span[1], wanted.until or span[1]),
        before=None,
    )
    made = _commits(reader, whole_days, None)[0].subquery()
    who = case((made.c.actor == "", made.c.actor_name), else_=made.c.actor)
    day = local_day(made.c.at, reader, since=span[0])
    keyed = select(
        made.c.owner, made.c.repository, who.label("who"), made.c.mine, day.label("day"), made.c.at
    ).subquery()
    key = (keyed.c.owner, keyed.c.repository, keyed.c.who, keyed.c.mine, keyed.c.day)
    statement = select(*key, func.count(), func.min(keyed.c.at), func.max(keyed.c.at)).group_by(*key)
    return {
        (owner, name, who, bool(mine), day_from_number(number)): Run(count, oldest, newest)
        for owner, name, who, mine, number, count, oldest, newest in (await conn.execute(statement)).all()
    }


def _completed(
    lines: Sequence[Event], runs: Mapping[RunKey, Run], zone: ZoneInfo, before: int | None
) -> tuple[Event, ...]:
    """Lines with all of their commits; one that an earlier page has shown, with all of them, goes."""
    found = []
    for line in lines:
        run = runs.get(_run_key(line, zone)) if line.kind == "commit" else None
        if run is None:
            found.append(line)
        elif before is None or run.newest < before:
            found.append(replace(line, count=run.count, first_at=run.oldest))
    return tuple(found)


def _run_key(event: Event, zone: ZoneInfo) -> RunKey:
    who = event.actor or event.actor_name
    return (event.owner, event.repository, who, event.mine, day_of(event.at, zone))


def collapse(events: Sequence[Event], zone: ZoneInfo, limit: int) -> tuple[tuple[Event, ...], int]:
    """At most `limit` lines, and how many events they hold.

    The commits that one author made in one repository on one day are one line, where the newest stands.
    """
    lines: dict[tuple[object, ...], Event] = {}
    for used, event in enumerate(events):
        key: tuple[object, ...] = (used,)
        if event.kind == "commit":
            key = _run_key(event, zone)
        if key in lines:
            lines[key] = replace(lines[key], count=lines[key].count + 1, first_at=event.at)
        elif len(lines) == limit:
            return tuple(lines.values()), used
        else:
            lines[key] = event
    return tuple(lines.values()), len(events)


def _next_before(at: int, before: int | None) -> int:
    """Rows of the same second may come twice rather than not at all, but the list must move on."""
    return at if before == at + 1 else at + 1


def _event(row: Any) -> Event:
    values = dict(row._mapping)
    title = values.pop("title").split("\n", 1)[0]
    return Event(**{**values, "mine": bool(values["mine"])}, title=title, first_at=row.at)


def _is_wanted(kind: str, wanted: Wanted) -> bool:
    """Whether a list is of these events, of the kind that they belong to, or of all."""
    return wanted.kind not in PARTS or PARTS[wanted.kind][1] == kind


def _within(at: Any, wanted: Wanted) -> list[ColumnElement[bool]]:
    bounds = ((wanted.since, operator.ge), (wanted.until, operator.lt), (wanted.before, operator.lt))
    return [condition(at, bound) for bound, condition in bounds if bound is not None]


def _columns(kind: Any, at: Any, mine: Any, **more: Any) -> list[Any]:
    return [
        literal(kind, String).label("kind") if isinstance(kind, str) else kind,
        at.label("at"),
        func.coalesce(person.c.login, "").label("actor"),
        more.get("actor_name", func.coalesce(person.c.login, "")).label("actor_name"),
        mine.label("mine"),
        repository.c.owner,
        repository.c.name.label("repository"),
        repository.c.id.label("repository_id"),
        more.get("number", literal(0)).label("number"),
        more.get("title", literal("", String)).label("title"),
        more.get("detail", literal("", String)).label("detail"),
    ]


def _commits(reader: Reader, wanted: Wanted, most: int | None) -> list[Select[Any]]:
    """At most `most`, found by their keys, so that only those are joined with their authors."""
    mine = is_mine(reader.account_id)
    at = commit.c.authored_at if wanted.contributions else commit.c.committed_at
    keys = select(commit.c.repository_id, commit.c.sha).where(
        _in_sight(commit, reader, wanted), commit.c.parent_count <= 1, *_within(at, wanted)
    )
    if wanted.contributions:
        forks = select(repository.c.id).where(repository.c.fork)
        keys = keys.where(commit.c.on_default, commit.c.repository_id.not_in(forks))
    if wanted.mine or wanted.contributions:
        # Plus nothing: one person's commits are sorted by time, rather than looked for among everybody's.
        keys, order = keys.where(mine), (at + 0).desc()
    elif wanted.who:
        known = known_authors(reader.account_id)
        theirs = select(known.c.email).where(known.c.person_id.in_(_people(wanted)))
        keys, order = keys.where(func.lower(commit.c.author_email).in_(theirs)), (at + 0).desc()
    else:
        order = at.desc()
    found = keys.order_by(order).limit(most).subquery() if most else keys.subquery()
    tables = (
        commit.join(found, and_(found.c.repository_id == commit.c.repository_id, found.c.sha == commit.c.sha))
        .join(repository, repository.c.id == commit.c.repository_id)
        .outerjoin(person, person.c.id == author_of(reader.account_id))
    )
    columns = _columns(
        "commit", at, mine, actor_name=commit.c.author_name, title=beginning_of(commit.c.message)
    )
    return [select(*columns).select_from(tables)]


def _pulls(reader: Reader, wanted: Wanted, most: int) -> list[Select[Any]]:
    pull = pull_request.c
    happened: list[tuple[str, Any, Any]] = [("opened", pull.created_at, pull.author_id)]
    if not wanted.contributions:
        happened += [
            ("merged", pull.merged_at, func.coalesce(pull.merged_by_id, pull.author_id)),
            ("closed", pull.closed_at, pull.author_id),
        ]
    # Never at 0: a condition on the column alone would lead to its index, which is no order of `at`.
    unmerged = func.coalesce(pull.merged_at, 0) == 0
    return [
        _numbered(reader, wanted, most, (kind, at, actor), unmerged if kind == "closed" else literal(True))
        for kind, at, actor in happened
        if _is_wanted(kind, wanted)
    ]


def _issues(reader: Reader, wanted: Wanted, most: int) -> list[Select[Any]]:
    happened: list[tuple[str, Any, Any]] = [("issue", issue.c.created_at, issue.c.author_id)]
    if not wanted.contributions:
        happened.append(("issue-closed", issue.c.closed_at, issue.c.author_id))
    wanted_ones = (each for each in happened if _is_wanted(each[0], wanted))
    return [_numbered(reader, wanted, most, each, literal(True)) for each in wanted_ones]


def _numbered(
    reader: Reader, wanted: Wanted, most: int, happened: tuple[str, Any, Any], where: ColumnElement[bool]
) -> Select[Any]:
    """At most `most`, found by their keys, so that only those are joined with who did it."""
    kind, at, actor = happened
    table = at.table
    keys = (
        select(table.c.repository_id, table.c.number)
        .where(_in_sight(table, reader, wanted), at.is_not(None), where)
        .where(*_within(at, wanted), *_by(actor, reader, wanted))
        .order_by(at.desc())
        .limit(most)
        .subquery()
    )
    same = and_(keys.c.repository_id == table.c.repository_id, keys.c.number == table.c.number)
    tables = (
        keys.join(table, same)
        .join(repository, repository.c.id == table.c.repository_id)
        .outerjoin(person, person.c.id == actor)
    )
    columns = _columns(kind, at, _is_me(actor, reader), number=table.c.number, title=table.c.title)
    return select(*columns).select_from(tables)


def _by(actor: Any, reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    """The condition that somebody did it, where a list is of one person."""
    if wanted.mine:
        return [actor.in_(my_ids(reader.account_id))]
    return [actor.in_(_people(wanted))] if wanted.who else []


def _is_me(actor: Any, reader: Reader) -> ColumnElement[bool]:
    return func.coalesce(actor, 0).in_(my_ids(reader.account_id))


def _people(wanted: Wanted) -> Select[Any]:
    return select(person.c.id).where(func.lower(person.c.login) == wanted.who.lower())


def _reviews(reader: Reader, wanted: Wanted, most: int) -> list[Select[Any]]:
    """At most `most` of other people's pull requests, found by their keys as well."""
    at = review.c.submitted_at
    same = and_(
        pull_request.c.repository_id == review.c.repository_id, pull_request.c.number == review.c.number
    )
    by_others = func.coalesce(pull_request.c.author_id, 0) != func.coalesce(review.c.author_id, -1)
    given = (
        select(review.c.repository_id, review.c.id)
        .join(pull_request, same)
        .where(_in_sight(review, reader, wanted), at.is_not(None), by_others)
        .where(*_within(at, wanted), *_by(review.c.author_id, reader, wanted))
    )
    if wanted.mine:
        # What one of a person's accounts says of the other's work is no review of somebody else.
        given = given.where(~_is_me(pull_request.c.author_id, reader))
    keys = given.order_by(at.desc()).limit(most).subquery()
    found = and_(keys.c.repository_id == review.c.repository_id, keys.c.id == review.c.id)
    tables = (
        keys.join(review, found)
        .join(pull_request, same)
        .join(repository, repository.c.id == review.c.repository_id)
        .outerjoin(person, person.c.id == review.c.author_id)
    )
    columns = _columns(
        "review",
        at,
        _is_me(review.c.author_id, reader),
        number=review.c.number,
        title=pull_request.c.title,
        detail=review.c.state,
    )
    return [select(*columns).select_from(tables)]


def _releases(reader: Reader, wanted: Wanted, most: int) -> list[Select[Any]]:
    if wanted.contributions:
        return []
    mine = _is_me(release.c.author_id, reader)
    tables = release.join(repository, repository.c.id == release.c.repository_id).outerjoin(
        person, person.c.id == release.c.author_id
    )
    columns = _columns("release", release.c.published_at, mine, title=release.c.name, detail=release.c.tag)
    at = release.c.published_at
    found = (
        select(*columns)
        .select_from(tables)
        .where(_in_sight(release, reader, wanted), release.c.draft.is_(False), at.is_not(None))
        .where(*_within(at, wanted), *_by(release.c.author_id, reader, wanted))
    )
    return [found.order_by(at.desc()).limit(most).subquery().select()]


def _branches(reader: Reader, wanted: Wanted, most: int) -> list[Select[Any]]:
    if wanted.contributions or wanted.mine or wanted.who:
        return []  # nobody's: a ref does not say who moved it
    tables = ref_change.join(repository, repository.c.id == ref_change.c.repository_id).outerjoin(
        person, literal(False)
    )
    columns = _columns(
        ref_change.c.kind.label("kind"), ref_change.c.seen_at, literal(False), detail=ref_change.c.name
    )
    at = ref_change.c.seen_at
    seen = [kind for kind in ("created", "deleted", "forced") if _is_wanted(kind, wanted)]
    found = (
        select(*columns)
        .select_from(tables)
        .where(_in_sight(ref_change, reader, wanted), ref_change.c.kind.in_(seen))
        .where(ref_change.c.name.like("refs/heads/%"), *_within(at, wanted))
    )
    return [found.order_by(at.desc()).limit(most).subquery().select()]


def _in_sight(table: Any, reader: Reader, wanted: Wanted) -> ColumnElement[bool]:
    here: ColumnElement[Any] = table.c.repository_id
    if wanted.repository is not None:
        if table in _BY_TIME and (wanted.since or 0) >= reader.now - LATELY_S:
            # Plus nothing: of few days, rather than all that the repository has.
            here = here + 0
        return here == named(reader, wanted.repository).scalar_subquery()
    return among(here, followed(reader))


_SOURCES = (
    ("commit", _commits),
    ("pull", _pulls),
    ("review", _reviews),
    ("issue", _issues),
    ("release", _releases),
    ("branch", _branches),
)
