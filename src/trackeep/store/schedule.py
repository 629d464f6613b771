"""What is followed and who asks for it, how far each kind of thing was fetched, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.model import Budget, Repository
from trackeep.store import paths
from trackeep.store.activity import GRANTED, forget_activity
from trackeep.store.tables import access, account, connection, follow, repository
from trackeep.store.tables_choices import repository_tag
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_sync import budget, budget_reading, cursor, run, schedule, validator

# What an account's next pass is for (see leases.BEHIND_S).
CLICK, POLL, BACKFILL = 0, 1, 2
TRACKED, PAUSED = "tracked", "paused"
KEPT_RUNS = 500
# Once a day every repository is asked for its releases, and whether anything was missed.
DAILY = "releases"
# The stream of which files commits changed, for those who ask for it.
FILES = "files"
# How much of a budget was used is remembered for a day, by half hours.
READING_S, READINGS = 1_800, 48
# The streams that make a repository complete.
STREAMS = ("commits", "pulls", "issues")
_position = msgspec.json.Decoder(dict[str, Any]).decode
_REPOSITORY = tuple(
    func.coalesce(repository.c[each.name], 0) if each.name.endswith("_at") else repository.c[each.name]
    for each in fields(Repository)
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one stream of one repository (0: of the account) has come; `position` is the stream's own."""

    position: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    due_at: int = 0
    failures: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a page shows while the first sync runs; `current` are the names being fetched right now."""

    repositories_done: int
    repositories: int
    commits: int
    current: tuple[str, ...] = ()


# ---- what is followed ---------------------------------------------------------------------------


async def follow_repositories(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Follow these and let the worker come at once; a paused one goes on."""
    rows = [
        {"account_id": account_id, "repository_id": each, "state": TRACKED, "created_at": now}
        for each in sorted(ids)
    ]
    await upsert(conn, follow, rows, key=["account_id", "repository_id"], keep=["created_at"])
    await request_sync(conn, account_id, now)


async def unfollow_repositories(conn: AsyncConnection, account_id: int, ids: Collection[int]) -> None:
    """Follow these no more; what was fetched goes with its last follower.

    Whoever works for the account loses it: a page in hand would be stored behind what is deleted here, and
    half a history would later pass for a whole one.
    """
    these = sorted(ids)
    await take_from_worker(conn, account_id)
    for table in (follow, cursor, repository_tag):
        await conn.execute(
            delete(table).where(table.c.account_id == account_id, table.c.repository_id.in_(these))
        )
    still = select(follow.c.repository_id).where(follow.c.repository_id.in_(these))
    others = set((await conn.execute(still)).scalars())
    await forget_activity(conn, set(these) - others)
    await paths.forget_unasked(conn, others)


async def take_from_worker(conn: AsyncConnection, account_id: int) -> None:
    """Whoever works for the account writes nothing more; another pass may begin."""
    this = schedule.c.account_id == account_id
    # Waits for a page that is being written (see leases.is_held_by), so that it stands before what follows.
    await conn.execute(select(schedule.c.account_id).where(this).with_for_update())
    await conn.execute(update(schedule).where(this).values(leased_by="", lease_until=None))


async def followed(conn: AsyncConnection, account_id: int) -> list[Repository]:
    """The repositories to keep up to date (not paused, access not lost), last pushed first."""
    mine = and_(access.c.repository_id == follow.c.repository_id, access.c.account_id == account_id)
    rows = (
        select(*_REPOSITORY)
        .join(follow, follow.c.repository_id == repository.c.id)
        .join(access, mine)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED, access.c.state == GRANTED)
        .order_by(repository.c.pushed_at.desc(), repository.c.id)
    )
    return [Repository(*row) for row in await conn.execute(rows)]


async def request_sync(conn: AsyncConnection, account_id: int, now: int) -> None:
    """A person wants it now: who waits already keeps their place, and during a pass another one follows."""
    row = {"account_id": account_id, "due_at": now}
    await upsert(conn, schedule, [row], key=["account_id"], keep=["due_at"])
    at_once = case((schedule.c.due_at > now, now), else_=schedule.c.due_at)
    this = schedule.c.account_id == account_id
    await conn.execute(update(schedule).where(this).values(due_at=at_once, priority=CLICK))


# ---- how far it has come ------------------------------------------------------------------------


async def cursors(conn: AsyncConnection, account_id: int) -> dict[tuple[int, str], Cursor]:
    """Every cursor of the account by (repository id, stream)."""
    c = cursor.c
    columns = (c.repository_id, c.stream, c.position, c.complete, c.due_at, c.failures, c["items"])
    rows = await conn.execute(select(*columns).where(c.account_id == account_id))
    # Taken apart, not by name: a thousand repositories have many thousands of these at every look.
    return {
        (repository_id, stream): Cursor(_position(position or "{}"), complete, due_at or 0, failures, items)
        for repository_id, stream, position, complete, due_at, failures, items in rows
    }


async def advance(
    conn: AsyncConnection, account_id: int, place: tuple[int, str], new: Cursor, now: int
) -> None:
    """Write how far (repository id, stream) has come, in the transaction of the rows it vouches for."""
    row = {
        "account_id": account_id,
        "repository_id": place[0],
        "stream": place[1],
        "position": json.dumps(new.position),
        "complete": new.complete,
        "due_at": new.due_at or None,
        "attempted_at": now,
        "succeeded_at": now,
        "failures": 0,
        "problem": "",
        "link": "",
        "items": new.items,
    }
    await upsert(conn, cursor, [row], key=["account_id", "repository_id", "stream"])


def looked_at(position: str, at: int) -> str:
    """The daily look's position, as it is stored, with another time of the last look."""
    return json.dumps({**json.loads(position or "{}"), "looked_at": at})


async def add_costs(
    conn: AsyncConnection, account_id: int, costs: Mapping[tuple[int, str], tuple[int, int, int]]
) -> None:
    """Add what streams have cost, by (repository id, stream): requests, conditional ones, answers 304."""
    for (repository_id, stream), (requests, conditional, unchanged) in sorted(costs.items()):
        this = and_(
            cursor.c.account_id == account_id,
            cursor.c.repository_id == repository_id,
            cursor.c.stream == stream,
        )
        added = {
            "requests": cursor.c.requests + requests,
            "conditional": cursor.c.conditional + conditional,
            "not_modified": cursor.c.not_modified + unchanged,
        }
        await conn.execute(update(cursor).where(this).values(**added))


async def last_visit_at(conn: AsyncConnection, account_id: int) -> int | None:
    """When the person last looked at a page; None when never."""
    rows = await conn.execute(select(account.c.last_visit_at).where(account.c.id == account_id))
    return rows.scalar_one_or_none()


async def begin(conn: AsyncConnection, account_id: int, place: tuple[int, str], now: int) -> None:
    """This stream is being fetched now."""
    row = {"account_id": account_id, "repository_id": place[0], "stream": place[1], "attempted_at": now}
    await upsert(conn, cursor, [row], key=["account_id", "repository_id", "stream"])


async def fail(
    conn: AsyncConnection,
    account_id: int,
    place: tuple[int, str],
    problem: str,
    due_at: int,
    *,
    link: str = "",
) -> None:
    """This stream alone waits until `due_at`; where it stood it stays. `link` leads to what helps."""
    row = {
        "account_id": account_id,
        "repository_id": place[0],
        "stream": place[1],
        "due_at": due_at,
        "problem": problem,
        "link": link,
    }
    await upsert(conn, cursor, [row], key=["account_id", "repository_id", "stream"])
    these = and_(
        cursor.c.account_id == account_id,
        cursor.c.repository_id == place[0],
        cursor.c.stream == place[1],
    )
    await conn.execute(update(cursor).where(these).values(failures=cursor.c.failures + 1))


async def progress(conn: AsyncConnection, account_id: int) -> Progress:
    """How far the account's followed repositories have come."""
    rows = (
        select(repository.c.id, repository.c.owner, repository.c.name)
        .join(follow, follow.c.repository_id == repository.c.id)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED)
    )
    names = {row.id: f"{row.owner}/{row.name}" for row in await conn.execute(rows)}
    streams = await conn.execute(
        select(
            cursor.c.repository_id,
            cursor.c.stream,
            cursor.c.complete,
            (cursor.c.attempted_at > func.coalesce(cursor.c.succeeded_at, 0)).label("begun"),
            cursor.c["items"],
        ).where(cursor.c.account_id == account_id, cursor.c.stream.in_(STREAMS))
    )
    done: dict[int, int] = {}
    commits, counted, current = 0, set(), []
    for row in streams:
        if row.repository_id not in names:
            continue
        done[row.repository_id] = done.get(row.repository_id, 0) + bool(row.complete)
        if row.stream == "commits" and row.complete:
            commits += row.items
            counted.add(row.repository_id)
        elif not row.complete and (row.begun or row.items):
            current.append(names[row.repository_id])
    partly = select(func.count()).where(commit.c.repository_id.in_(sorted(set(names) - counted)))
    commits += (await conn.execute(partly)).scalar_one()
    finished = sum(count == len(STREAMS) for count in done.values())
    return Progress(finished, len(names), commits, tuple(dict.fromkeys(current)))


# ---- what GitHub said about time and sameness ---------------------------------------------------


async def validators(conn: AsyncConnection, fingerprint: str) -> dict[str, str]:
    """URL to ETag, as given to the token with this fingerprint."""
    rows = await conn.execute(select(validator).where(validator.c.token_fingerprint == fingerprint))
    return {row.url: row.etag for row in rows}


async def save_validator(conn: AsyncConnection, fingerprint: str, url: str, etag: str, now: int) -> None:
    """Keep `etag`; another URL of the same path (an older cursor) is not asked again and goes."""
    path = url.partition("?")[0]
    same_path = or_(validator.c.url == path, validator.c.url.startswith(f"{path}?", autoescape=True))
    await conn.execute(delete(validator).where(validator.c.token_fingerprint == fingerprint, same_path))
    row = {"token_fingerprint": fingerprint, "url": url, "etag": etag, "seen_at": now}
    await upsert(conn, validator, [row] if etag else [], key=["token_fingerprint", "url"])


async def budgets(conn: AsyncConnection, account_id: int) -> list[Budget]:
    rows = await conn.execute(select(budget).where(budget.c.account_id == account_id))
    return [Budget(row.resource, row.limit, row.remaining, row.reset_at, row.seen_at) for row in rows]


async def save_budgets(conn: AsyncConnection, account_id: int, seen: Iterable[Budget]) -> None:
    """Keep what is left of each bucket, and how much of it was used within this half hour."""
    rows = [
        {
            "account_id": account_id,
            "resource": each.resource,
            "limit": each.limit,
            "remaining": each.remaining,
            "reset_at": each.reset_at,
            "seen_at": each.seen_at,
        }
        for each in seen
    ]
    await upsert(conn, budget, rows, key=["account_id", "resource"])
    await _save_readings(conn, rows)


async def _save_readings(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """The highest use within each half hour; those of the day before go."""
    for row in rows:
        key = {"account_id": row["account_id"], "resource": row["resource"]}
        these = and_(*(budget_reading.c[name] == value for name, value in key.items()))
        slot_at, used = row["seen_at"] // READING_S * READING_S, max(0, row["limit"] - row["remaining"])
        known = select(budget_reading.c.used).where(these, budget_reading.c.slot_at == slot_at)
        before = (await conn.execute(known)).scalar_one_or_none()
        if before is not None and before >= used:
            continue
        new = {**key, "slot_at": slot_at, "limit": row["limit"], "used": used}
        await upsert(conn, budget_reading, [new], key=["account_id", "resource", "slot_at"])
        old = budget_reading.c.slot_at <= slot_at - READINGS * READING_S
        await conn.execute(delete(budget_reading).where(these, old))


async def connection_state(conn: AsyncConnection, fingerprint: str, state: str, problem: str = "") -> None:
    """`state` of the connection that has this very token: "ok", or "reconnect" when it is dead.

    A token that replaced it meanwhile is not touched.
    """
    this = connection.c.token_fingerprint == fingerprint
    await conn.execute(update(connection).where(this).values(state=state, problem=problem))


# ---- runs ---------------------------------------------------------------------------------------


async def start_run(conn: AsyncConnection, account_id: int, trigger: str, now: int) -> int:
    """Leave a row at once, so that a run that was killed is seen too; returns its id."""
    started = await conn.execute(
        run.insert().values(account_id=account_id, trigger=trigger, started_at=now).returning(run.c.id)
    )
    return int(started.scalar_one())


async def idle_polls(conn: AsyncConnection, account_id: int, limit: int) -> list[tuple[int, int]]:
    """(REST requests, answers 304) of the newest polls that found nothing, newest first."""
    rows = (
        select(run.c.rest_requests, run.c.not_modified)
        .where(run.c.account_id == account_id, run.c.trigger == "poll", run.c.outcome == "idle")
        .order_by(run.c.started_at.desc())
        .limit(limit)
    )
    return [(row.rest_requests, row.not_modified) for row in await conn.execute(rows)]


async def finish_run(conn: AsyncConnection, run_id: int, figures: Mapping[str, Any], now: int) -> None:
    """`figures` are columns of the run; the account keeps its newest runs."""
    await conn.execute(update(run).where(run.c.id == run_id).values(finished_at=now, **figures))
    owner = select(run.c.account_id).where(run.c.id == run_id).scalar_subquery()
    oldest = (
        select(run.c.id).where(run.c.account_id == owner).order_by(run.c.id.desc()).offset(KEPT_RUNS).limit(1)
    )
    await conn.execute(delete(run).where(run.c.account_id == owner, run.c.id <= oldest.scalar_subquery()))
