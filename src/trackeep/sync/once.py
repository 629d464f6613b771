"""One sync with a token and no server: `GITHUB_TOKEN=... trackeep sync`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from sqlalchemy import func, select

from trackeep.database import Database, upsert
from trackeep.environment import GitHubAddresses
from trackeep.errors import GitHubNoAccess, NotFound, TooManyRequests
from trackeep.github import rest
from trackeep.github.transport import GitHub, fingerprint
from trackeep.model import Budget
from trackeep.store import following, leases, people, schedule, under_way
from trackeep.store.leases import Claim
from trackeep.store.schedule import Progress
from trackeep.store.tables import connection, repository
from trackeep.store.under_way import UnderWay
from trackeep.sync import engine, wishes, worker
from trackeep.sync.engine import Outcome
from trackeep.sync.lease import free_the_dead, leased
from trackeep.sync.processes import process_name
from trackeep.sync.stopping import in_full, until_stopped
from trackeep.sync.work import Way, Wishes, Work, open_github, open_work

PATIENCE_S = 120
SHOW_EVERY_S = 0.25

LOOK, READ = "look", "read"


@dataclass(frozen=True)
class Seen:
    """What somebody who watches is shown: the whole, what is under way, what is left of the budgets."""

    progress: Progress
    under_way: tuple[UnderWay, ...]
    budgets: Mapping[str, Budget]


OnProgress = Callable[[Seen], None]


@dataclass(frozen=True)
class How:
    """What else is asked of a sync.

    `since`: only repositories with a push at or after this moment (unix seconds). `again`: LOOK at each
    repository itself, whatever GitHub's lists say, or READ all of it from scratch.
    """

    since: int = 0
    again: str = ""
    on_progress: OnProgress | None = None


@dataclass(frozen=True)
class _Owner:
    account_id: int
    scopes: tuple[str, ...] | None


async def sync_once(
    db: Database,
    addresses: GitHubAddresses,
    token: str,
    names: Sequence[str] = (),
    how: How | None = None,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Sync the repositories `names` (owner/name), else all followed ones, else all that the token lists.

    Raises GitHubTokenDead, GitHubNoAccess or NotFound for a name that is none, GitHubRateLimited,
    GitHubUnavailable, TooManyRequests when another process works for this account; what was stored
    before the error stays.
    """
    how = how or How()
    await in_full(free_the_dead(db))
    async with worker.open_http() as http:
        owner = await _owner(db, http, addresses, token, clock)
        way = Way(http, addresses, token, owner.scopes, clock)
        if how.again:
            await in_full(_forget_progress(db, owner.account_id, names, how.again, int(clock())))
        claimed = await _claimed(db, owner.account_id, clock)
        due_at = int(clock()) + 60
        try:
            async with leased(db, claimed) as mine:
                work = _sync(mine, owner.account_id, way, names, how)
                outcome = await until_stopped(http, work)
            due_at = max(due_at, outcome.retry_at or 0)
        finally:
            await in_full(_release(db, claimed, due_at))
    if outcome.error:
        raise outcome.error
    return outcome


async def _sync(db: Database, account_id: int, way: Way, names: Sequence[str], how: How) -> Outcome:
    only = await _follow_named(db, account_id, way, names)
    wishes = Wishes(trigger="command", urgent=True, follow_all=True, only=only, since=how.since)
    stirred, on_progress = asyncio.Event(), how.on_progress
    work = await open_work(db, account_id, way, wishes, stirred.set)
    shower = asyncio.create_task(_show(work, stirred, on_progress)) if on_progress else None
    try:
        return await engine.sync_account(work)
    finally:
        if shower is not None:
            shower.cancel()
            await asyncio.wait([shower])
        if on_progress is not None:
            await _show_now(work, on_progress)


async def _forget_progress(db: Database, account_id: int, names: Sequence[str], again: str, now: int) -> None:
    """Let the pass that follows look at these repositories (all when none is named), or read them, again."""
    full_name = func.lower(repository.c.owner.concat("/").concat(repository.c.name))
    async with db.write() as conn:
        ids = await following.every(conn, account_id)
        if names:
            named = select(repository.c.id).where(full_name.in_([name.lower() for name in names]))
            ids &= set((await conn.execute(named)).scalars())
        if ids:
            renew = following.read_again if again == READ else following.look_again
            await renew(conn, account_id, ids, now)


async def _owner(
    db: Database,
    http: aiohttp.ClientSession,
    addresses: GitHubAddresses,
    token: str,
    clock: Callable[[], float],
) -> _Owner:
    """Whose token it is; asked once, then known by the token's fingerprint. The token is not stored."""
    known = select(connection.c.account_id, connection.c.scopes).where(
        connection.c.token_fingerprint == fingerprint(token)
    )
    async with db.read() as conn:
        row = (await conn.execute(known)).first()
    if row is not None:
        return _Owner(row.account_id, None if row.scopes == "-" else tuple(row.scopes.split()))
    viewer = await rest.viewer(GitHub(http, addresses, token, clock=clock))
    now = int(clock())
    async with db.write() as conn:
        await people.save_account(conn, viewer.person, viewer.emails, now)
        has = select(connection.c.access_token).where(connection.c.account_id == viewer.person.id)
        if (await conn.execute(has)).scalar_one_or_none() is None:
            seen = {
                "account_id": viewer.person.id,
                "kind": "token",
                "token_fingerprint": fingerprint(token),
                "scopes": "-" if viewer.scopes is None else " ".join(viewer.scopes),
                "state": "ok",
                "created_at": now,
            }
            await upsert(conn, connection, [seen], key=["account_id"], keep=["created_at"])
    return _Owner(viewer.person.id, viewer.scopes)


async def _follow_named(db: Database, account_id: int, way: Way, names: Sequence[str]) -> frozenset[int]:
    """Follow the repositories of these names, which GitHub is asked for; their ids."""
    if not names:
        return frozenset()
    github = await open_github(db, account_id, way)
    found = []
    for name in names:
        if name.count("/") != 1 or not all(name.split("/")):
            raise NotFound(f"{name} is not a repository's name.", "Write it as owner/name.")
        try:
            found.append(await rest.repository(github, name))
        except GitHubNoAccess as error:
            raise NotFound(
                f"There is no repository {name} that this token may read.", "Check the name and the scopes."
            ) from error
    async with db.write() as conn:
        for each in found:
            await wishes.follow(conn, account_id, each, int(way.clock()))
    return frozenset(each.repository.id for each in found)


async def _claimed(db: Database, account_id: int, clock: Callable[[], float]) -> Claim:
    """The account's lease, waited for while another process works for it."""
    name, deadline = process_name(), clock() + PATIENCE_S
    while clock() < deadline:
        async with db.write() as conn:
            claimed = await leases.claim_account(conn, account_id, name, int(clock()))
        if claimed is not None:
            return claimed
        await asyncio.sleep(0.5)
    raise TooManyRequests("Another Trackeep is syncing this account.", "Wait until it is done.")


async def _release(db: Database, claimed: Claim, due_at: int) -> None:
    async with db.write() as conn:
        await leases.release(conn, claimed, due_at)


async def _show(work: Work, stirred: asyncio.Event, on_progress: OnProgress) -> None:
    while True:
        await stirred.wait()
        stirred.clear()
        await in_full(_show_now(work, on_progress))
        await asyncio.sleep(SHOW_EVERY_S)


async def _show_now(work: Work, on_progress: OnProgress) -> None:
    async with work.db.read() as conn:
        progress = await schedule.progress(conn, work.account_id)
        seen = await under_way.under_way(conn, work.account_id)
    on_progress(Seen(progress, seen, dict(work.budgets)))
