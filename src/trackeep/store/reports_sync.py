"""How fresh the copy is: last success, budgets, progress of a first read, each repository, last runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.syncing import hit_ratio, pages_left
from trackeep.model import Budget
from trackeep.store.leases import is_held
from trackeep.store.reports_access import Reader, followed, named, readable
from trackeep.store.schedule import STREAMS, TRACKED
from trackeep.store.tables import account, connection, follow, repository
from trackeep.store.tables_fetched import commit, pull_request
from trackeep.store.tables_sync import budget, cursor, run, schedule, worker

RUNS_SHOWN = 200
PER_PAGE = 100
_position = msgspec.json.Decoder(dict[str, Any]).decode
# Outcomes of a run that asked GitHub what is new, with an answer.
GOOD = ("done", "idle", "more")


@dataclass(frozen=True)
class Freshness:
    """The state of one account's sync; times in unix seconds, None where it never happened."""

    followed: int
    read: int
    succeeded_at: int | None
    first_started_at: int | None
    running_since: int | None
    due_at: int | None
    problem: str
    connection_kind: str
    connection_state: str
    connection_since: int | None
    retry_at: int | None
    time_zone: str
    last_visit_at: int | None
    previous_visit_at: int | None
    heartbeat_at: int | None
    budgets: tuple[Budget, ...]

    @property
    def is_first(self) -> bool:
        """True until one run has come to its end with something to follow."""
        return self.succeeded_at is None or self.followed == 0

    def budget(self, resource: str) -> Budget | None:
        return next((one for one in self.budgets if one.resource == resource), None)


@dataclass(frozen=True)
class Stored:
    commits: int
    pulls: int


@dataclass(frozen=True)
class Stream:
    """How far one kind of thing of one repository has been fetched."""

    name: str
    complete: bool
    attempted_at: int | None
    succeeded_at: int | None
    due_at: int | None
    failures: int
    problem: str
    link: str
    items: int
    expected: int
    # What it has cost so far, how much of it was conditional, and how often GitHub said "unchanged".
    requests: int = 0
    conditional: int = 0
    not_modified: int = 0
    # How many pages are still to be asked for, as far as that is known.
    pages_left: int = 0
    # Which way commits come instead of git, which refuses: graphql or rest.
    instead: str = ""


@dataclass(frozen=True)
class RepositorySync:
    id: int
    owner: str
    name: str
    follow_state: str
    state: str
    looked_at: int | None
    streams: tuple[Stream, ...]

    @property
    def succeeded_at(self) -> int | None:
        """The last look at GitHub where nothing is missing, else the success that is furthest behind."""
        times = [stream.succeeded_at for stream in self.streams]
        known = [at for at in times if at is not None]
        oldest = min(known) if known and len(known) == len(times) else None
        if not self.is_whole or self.looked_at is None:
            return oldest
        return max(self.looked_at, *known)

    @property
    def is_whole(self) -> bool:
        """Read to the end without a problem: what GitHub does not call changed is as it is here."""
        whole = {stream.name for stream in self.streams if stream.complete}
        is_asked = self.follow_state == TRACKED and not self.state
        return is_asked and not self.problem and whole.issuperset(STREAMS)

    @property
    def items(self) -> int:
        return sum(stream.items for stream in self.streams)

    @property
    def requests(self) -> int:
        return sum(stream.requests for stream in self.streams)

    @property
    def unchanged(self) -> float | None:
        """The share of its conditional requests that GitHub answered with "unchanged"."""
        conditional = sum(stream.conditional for stream in self.streams)
        return hit_ratio(sum(stream.not_modified for stream in self.streams), conditional)

    @property
    def retry_at(self) -> int | None:
        """When what failed is tried again; None while nothing waits."""
        return min(
            (stream.due_at for stream in self.streams if stream.problem and stream.due_at), default=None
        )

    def fresh_at(self, stream: Stream) -> int | None:
        """When this kind of thing was last known to be as it is at GitHub."""
        if stream.succeeded_at is None or not self.is_whole or self.looked_at is None:
            return stream.succeeded_at
        return max(self.looked_at, stream.succeeded_at)

    @property
    def problem(self) -> str:
        return next((stream.problem for stream in self.streams if stream.problem), "")

    @property
    def instead_of_git(self) -> str:
        """By which of GitHub's ways commits come where git refuses: graphql, rest, or ""."""
        return next((stream.instead for stream in self.streams if stream.instead), "")

    @property
    def link(self) -> str:
        """Where at GitHub the person can end the problem; "" when there is no such page."""
        return next((stream.link for stream in self.streams if stream.problem), "")


@dataclass(frozen=True)
class Loss:
    """A followed repository that GitHub shows to this person no more, in the words of that moment."""

    said: str
    link: str
    due_at: int | None


@dataclass(frozen=True)
class Run:
    id: int
    started_at: int
    finished_at: int | None
    trigger: str
    rest_requests: int
    conditional: int
    not_modified: int
    graphql_points: int
    git_posts: int
    bytes: int
    commits: int
    pull_requests: int
    reviews: int
    outcome: str
    problem: str


async def freshness(conn: AsyncConnection, reader: Reader) -> Freshness:
    """Everything the line under a page's title says; two queries."""
    me = reader.account_id
    runs = select(func.min(run.c.started_at)).where(run.c.account_id == me)
    seen = _progress(reader)
    state = (
        select(
            select(func.count()).select_from(seen).scalar_subquery().label("followed"),
            select(func.coalesce(func.sum(seen.c.is_read), 0)).scalar_subquery().label("read"),
            last_look(me).label("succeeded_at"),
            runs.scalar_subquery().label("first_started_at"),
            _running(reader).label("running_since"),
            schedule.c.due_at,
            func.coalesce(schedule.c.problem, "").label("schedule_problem"),
            func.coalesce(connection.c.problem, "").label("connection_problem"),
            func.coalesce(connection.c.kind, "").label("connection_kind"),
            func.coalesce(connection.c.state, "").label("connection_state"),
            connection.c.created_at.label("connection_since"),
            connection.c.retry_at,
            account.c.time_zone,
            account.c.last_visit_at,
            account.c.previous_visit_at,
            select(func.max(worker.c.seen_at)).scalar_subquery().label("heartbeat_at"),
        )
        .select_from(account)
        .outerjoin(schedule, schedule.c.account_id == account.c.id)
        .outerjoin(connection, connection.c.account_id == account.c.id)
        .where(account.c.id == me)
    )
    row = dict((await conn.execute(state)).one()._mapping)
    problem = row.pop("connection_problem") or row["schedule_problem"]
    del row["schedule_problem"]
    return Freshness(**row, problem=problem, budgets=await budgets(conn, me))


async def budgets(conn: AsyncConnection, account_id: int) -> tuple[Budget, ...]:
    """What GitHub says is left, per bucket; one query."""
    columns = (budget.c.resource, budget.c.limit, budget.c.remaining, budget.c.reset_at, budget.c.seen_at)
    statement = select(*columns).where(budget.c.account_id == account_id).order_by(budget.c.resource)
    return tuple(Budget(**row._mapping) for row in (await conn.execute(statement)).all())


async def stored(conn: AsyncConnection, reader: Reader) -> Stored:
    """How many commits and pull requests of the followed repositories are here; one query."""
    counts = [
        select(func.count()).where(table.c.repository_id.in_(followed(reader))).scalar_subquery()
        for table in (commit, pull_request)
    ]
    row = (await conn.execute(select(*counts))).one()
    return Stored(row[0], row[1])


async def known_repositories(conn: AsyncConnection, reader: Reader) -> int:
    """How many repositories this account can read, as far as GitHub was asked; one query."""
    statement = select(func.count()).select_from(readable(reader).subquery())
    return int((await conn.execute(statement)).scalar_one())


async def repositories(
    conn: AsyncConnection, reader: Reader, *, only: tuple[str, str] | None = None, partial: bool = False
) -> tuple[RepositorySync, ...]:
    """Each followed repository with its streams, by name, or the one of that owner and name; one query.

    With `partial` only those where something is missing: not read to the end, or with a problem; of their
    streams those that make a repository complete, and those with a problem.
    """
    mine = and_(cursor.c.repository_id == repository.c.id, cursor.c.account_id == reader.account_id)
    ours = and_(follow.c.repository_id == repository.c.id, follow.c.account_id == reader.account_id)
    names = (
        *("complete", "attempted_at", "succeeded_at", "due_at", "failures"),
        *("problem", "link", "items", "expected", "requests", "conditional", "not_modified"),
    )
    ids = followed(reader)
    if only is not None:
        ids = ids.where(repository.c.id.in_(named(reader, only)))
    if partial:
        ids = ids.where(repository.c.id.not_in(_whole(reader)))
        mine = and_(mine, or_(cursor.c.stream.in_(STREAMS), cursor.c.problem != ""))
    statement = (
        select(
            repository.c.id,
            repository.c.owner,
            repository.c.name.label("repository"),
            follow.c.state.label("follow_state"),
            repository.c.state.label("state"),
            last_look(reader.account_id).label("looked_at"),
            cursor.c.stream,
            case((cursor.c.stream.in_(STREAMS), cursor.c.position), else_="").label("position"),
            *(cursor.c[name] for name in names),
        )
        .join(follow, ours)
        .outerjoin(cursor, mine)
        .where(repository.c.id.in_(ids))
        .order_by(func.lower(repository.c.owner), func.lower(repository.c.name), cursor.c.stream)
    )
    found: dict[int, tuple[Any, list[Stream]]] = {}
    for row in (await conn.execute(statement)).all():
        streams = found.setdefault(row.id, (row, []))[1]
        if row.stream is not None:
            position = _position(row.position or "{}")
            values = {name: row._mapping[name] for name in names}
            left = 0 if row.complete else _pages_left(row.stream, position, row.items)
            streams.append(Stream(row.stream, **values, pages_left=left, instead=position.get("source", "")))
    return tuple(
        RepositorySync(
            row.id, row.owner, row.repository, row.follow_state, row.state, row.looked_at, tuple(streams)
        )
        for row, streams in found.values()
    )


async def losses(conn: AsyncConnection, reader: Reader) -> tuple[Loss, ...]:
    """What this account follows and lost; nothing else is read of a repository that is not theirs to see."""
    me = reader.account_id
    rows = (
        select(cursor.c.problem, cursor.c.link, cursor.c.due_at)
        .join(follow, and_(follow.c.repository_id == cursor.c.repository_id, follow.c.account_id == me))
        .where(cursor.c.account_id == me, cursor.c.stream == "access", cursor.c.problem != "")
        .order_by(cursor.c.problem)
    )
    return tuple(Loss(row.problem, row.link, row.due_at) for row in await conn.execute(rows))


async def runs(conn: AsyncConnection, account_id: int, *, limit: int = RUNS_SHOWN) -> tuple[Run, ...]:
    """The newest runs of this account; one query."""
    columns = [column for column in run.c if column.name != "account_id"]
    statement = select(*columns).where(run.c.account_id == account_id).order_by(run.c.id.desc()).limit(limit)
    return tuple(Run(**row._mapping) for row in (await conn.execute(statement)).all())


def _pages_left(stream: str, position: Mapping[str, Any], items: int) -> int:
    """Commits come over git, which no budget pays for."""
    if stream == "commits":
        return 0
    read = int(position.get("read", items))
    return pages_left(int(position.get("total", 0)), read, int(position.get("first", PER_PAGE)))


def _progress(reader: Reader) -> Any:
    """One row per followed repository: `is_read` is 1 once each of its streams has been read to its end."""
    mine = and_(
        cursor.c.repository_id == follow.c.repository_id,
        cursor.c.account_id == follow.c.account_id,
        cursor.c.stream.in_(STREAMS),
        cursor.c.complete,
    )
    return (
        select(
            follow.c.repository_id,
            case((func.count(cursor.c.stream) == len(STREAMS), 1), else_=0).label("is_read"),
        )
        .outerjoin(cursor, mine)
        .where(follow.c.account_id == reader.account_id, follow.c.repository_id.in_(followed(reader)))
        .group_by(follow.c.repository_id)
        .subquery()
    )


def _whole(reader: Reader) -> Any:
    """Ids of the repositories whose every stream is read to its end, and none has a problem."""
    is_read = and_(cursor.c.stream.in_(STREAMS), cursor.c.complete)
    return (
        select(cursor.c.repository_id)
        .where(cursor.c.account_id == reader.account_id)
        .group_by(cursor.c.repository_id)
        .having(func.sum(case((is_read, 1), else_=0)) == len(STREAMS), func.max(cursor.c.problem) == "")
    )


def last_look(account_id: int) -> Any:
    """The end of the last good run; one from before anything was followed has only listed what there is."""
    chosen_at = select(func.min(follow.c.created_at)).where(follow.c.account_id == account_id)
    return (
        select(func.max(run.c.finished_at))
        .where(
            run.c.account_id == account_id,
            run.c.outcome.in_(GOOD),
            run.c.started_at >= chosen_at.correlate(None).scalar_subquery(),
        )
        .correlate(None)
        .scalar_subquery()
    )


def _running(reader: Reader) -> Any:
    """When the run that is going on began: open, and its lease still holds."""
    held = select(schedule.c.account_id).where(schedule.c.account_id == reader.account_id, is_held()).exists()
    return (
        select(func.max(run.c.started_at))
        .where(run.c.account_id == reader.account_id, run.c.finished_at.is_(None), held)
        .scalar_subquery()
    )
