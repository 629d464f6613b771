"""Finds out which repositories there are, which the token may read, and in which something moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.github import graphql, rest
from trackeep.github.graphql_asking import TooMuch
from trackeep.github.parse import Listed
from trackeep.github.parse_graphql import Pulse
from trackeep.model import Release, Repository
from trackeep.store import activity, hints, schedule
from trackeep.store.languages import save_languages
from trackeep.store.schedule import Cursor
from trackeep.sync import lost, plan, repositories_rest
from trackeep.sync.fallback import either
from trackeep.sync.repositories_rest import Looks
from trackeep.sync.work import ACCOUNT, Work

STREAM = "repositories"


async def poll_list(work: Work) -> None:
    """Look at the list of the person's repositories.

    Unchanged, it costs nothing. Changed, it is read until what is stored begins; now and then to its end.
    """
    at = work.cursor(ACCOUNT, STREAM)
    walk: dict[str, Any] | None = at.position.get("walk")
    async with work.db.read() as conn:
        asked_at = await hints.walk_asked_at(conn, work.account_id)
    # One that began before the wish may have passed what it is about.
    if walk is not None and walk.get("at", work.now) > asked_at:
        page = await rest.repositories(work.github, walk["next"])
    else:
        began_at = work.now
        full_at, listed = at.position.get("full_at", 0), len(at.position.get("ids", ()))
        full = plan.is_walk_due(full_at, began_at, asked_at=asked_at, listed=listed)
        page = await rest.repositories(work.github, conditional=not full)
        walk = {"full": full, "url": page.url, "etag": page.etag, "ids": [], "at": began_at}
    if page.not_modified:
        await _unchanged(work)
        return
    while await _save_page(work, page, walk):
        page = await rest.repositories(work.github, walk["next"])


def listed(work: Work) -> frozenset[int]:
    """The ids that the list covers, as it was read last."""
    return frozenset(work.cursor(ACCOUNT, STREAM).position.get("ids", ()))


async def followed(work: Work) -> list[Repository]:
    """The repositories to keep up to date, last pushed first.

    While nothing is followed, all that the list holds, when the caller wishes so and it was read to its end.
    """
    async with work.db.write() as conn:
        found = await schedule.followed(conn, work.account_id)
        if not found and work.wishes.follow_all and work.cursor(ACCOUNT, STREAM).complete:
            granted = await activity.granted_ids(conn, work.account_id)
            # From this pass's beginning: it fetches them, so that it is their first.
            await schedule.follow_repositories(conn, work.account_id, granted, work.began_at)
            found = await schedule.followed(conn, work.account_id)
    return found


async def first_look(work: Work, repositories: Sequence[Repository]) -> None:
    """Learn how many pull requests and issues new repositories have, and where the poll of changes starts.

    That start is the newest time GitHub tells of before anything is fetched: its own clock, not ours.
    """

    def look(some: Sequence[Repository]) -> AsyncIterator[Looks]:
        return repositories_rest.first_look(work, some)

    async def by_graphql() -> None:
        async for looks in _pulses(work, repositories, look, releases=True):
            await _begin(work, looks)

    async def by_rest() -> None:
        async for looks in look(repositories):
            await _begin(work, looks)

    if repositories:
        await either(work, by_graphql, by_rest)


async def watch(
    work: Work, repositories: Sequence[Repository], *, releases: bool = False
) -> dict[int, Pulse]:
    """What moved in these repositories, by id; those GitHub shows no more are hidden."""

    def look(some: Sequence[Repository]) -> AsyncIterator[Looks]:
        return repositories_rest.watch(work, some, releases=releases)

    async def kept(seen: AsyncIterator[Looks]) -> dict[int, Pulse]:
        found: dict[int, Pulse] = {}
        async for looks in seen:
            found |= await _keep(work, repositories, looks)
        return found

    async def by_graphql() -> dict[int, Pulse]:
        return await kept(_pulses(work, repositories, look, releases=releases))

    async def by_rest() -> dict[int, Pulse]:
        return await kept(look(repositories))

    return await either(work, by_graphql, by_rest) if repositories else {}


async def _pulses(
    work: Work,
    repositories: Sequence[Repository],
    by_rest: Callable[[Sequence[Repository]], AsyncIterator[Looks]],
    *,
    releases: bool,
) -> AsyncIterator[Looks]:
    """All in one look, unless one is beyond GraphQL's ten seconds even alone: that one `by_rest`."""
    stream = plan.DAILY if releases else "pulse"
    try:
        nodes = [each.node_id for each in repositories]
        with work.charged(*((each.id, stream) for each in repositories)):
            pulses = await graphql.pulse(work.github, nodes, releases=releases)
    except TooMuch:
        middle = len(repositories) // 2
        if not middle:
            async for looks in by_rest(repositories):
                yield looks
            return
        for half in (repositories[:middle], repositories[middle:]):
            async for looks in _pulses(work, half, by_rest, releases=releases):
                yield looks
        return
    gone = [each for each in repositories if each.node_id not in pulses]
    listed = await _releases(work, pulses.values()) if releases else {}
    yield Looks(list(pulses.values()), gone, listed)


async def _begin(work: Work, looks: Looks) -> None:
    """Store what a first look found, and from when on changes are asked for."""
    newest = max((max(each.pulls_at, each.issues_at) for each in looks.pulses), default=0)
    async with work.db.write() as conn:
        for pulse in sorted(looks.pulses, key=_id):
            pulls = Cursor({"total": pulse.pulls, "at": pulse.pulls_at}, pulse.pulls == 0)
            issues = Cursor({"total": pulse.issues, "at": pulse.issues_at}, pulse.issues == 0)
            await work.advance(conn, _id(pulse), "pulls", pulls)
            await work.advance(conn, _id(pulse), "issues", issues)
        await _save_releases(work, conn, looks.releases)
        await _save_languages(conn, looks.pulses)
        if not work.cursor(ACCOUNT, "changed").position:
            since = max(newest, await activity.newest_time(conn, work.account_id)) or work.now - 86_400
            await work.advance(conn, ACCOUNT, "changed", Cursor({"since": since}))
    await lost.lose(work, looks.gone)


async def _keep(work: Work, repositories: Sequence[Repository], looks: Looks) -> dict[int, Pulse]:
    """Store how these repositories look now; returns the pulses by repository id."""
    seen = [each.repository for each in looks.pulses]
    stored = {each.id: each for each in repositories}
    async with work.db.write() as conn:
        kept = [_with_size(each, stored.get(each.id)) for each in seen]
        await activity.save_repositories(conn, kept)
        await activity.renew_access(conn, work.account_id, [each.id for each in seen], work.now)
        await _save_releases(work, conn, looks.releases)
        await _save_languages(conn, looks.pulses)
    await lost.lose(work, looks.gone)
    return {_id(each): each for each in looks.pulses}


async def _releases(work: Work, pulses: Iterable[Pulse]) -> dict[int, Sequence[Release] | None]:
    """All releases by repository id; the pulse holds the newest, which mostly are all."""
    found: dict[int, Sequence[Release] | None] = {}
    for pulse in pulses:
        found[pulse.repository.id] = pulse.releases
        if pulse.releases_in_all > len(pulse.releases):
            found[pulse.repository.id] = await repositories_rest.releases_of(work, pulse.repository)
    return found


async def _save_releases(
    work: Work, conn: AsyncConnection, listed: Mapping[int, Sequence[Release] | None]
) -> None:
    every = chain.from_iterable(releases or () for releases in listed.values())
    await activity.save_people(conn, (each.author for each in every))
    for repository_id, releases in sorted(listed.items()):
        # What this token may not see stays as another one has seen it.
        if releases is not None:
            await activity.save_releases(conn, repository_id, releases)
        first_at = work.cursor(repository_id, plan.DAILY).position.get("first_at", work.now)
        position = {"looked_at": work.now, "first_at": first_at}
        new = Cursor(position, complete=True, items=len(releases or ()))
        await work.advance(conn, repository_id, plan.DAILY, new)


async def _save_languages(conn: AsyncConnection, pulses: Iterable[Pulse]) -> None:
    for pulse in sorted(pulses, key=_id):
        if pulse.languages is not None:
            await save_languages(conn, _id(pulse), pulse.languages)


async def _unchanged(work: Work) -> None:
    """What is listed is proven; a longer list proves its first page alone, the next full walk the others."""
    known = listed(work)
    if len(known) <= rest.PER_PAGE:
        async with work.db.write() as conn:
            await activity.renew_access(conn, work.account_id, known, work.now)


async def _save_page(work: Work, page: rest.Page[Listed], walk: dict[str, Any]) -> bool:
    """Store one page of the list with the cursor behind it; True when another page is wanted."""
    at = work.cursor(ACCOUNT, STREAM)
    found = [each.repository for each in page.items]
    walk["ids"] = [*walk["ids"], *(each.id for each in found)]
    async with work.db.write() as conn:
        stored = await activity.pushed_times(conn, [each.id for each in found])
        reached = not walk["full"] and plan.stop_walk([(each.id, each.pushed_at) for each in found], stored)
        await activity.save_repositories(conn, found)
        permissions = {each.repository.id: each.permission for each in page.items}
        await activity.grant_access(conn, work.account_id, permissions, work.now)
        goes_on = page.next_url is not None and not reached
        if goes_on:
            walk["next"] = page.next_url
            position = {**at.position, "walk": walk}
        else:
            position = await _finish(work, conn, walk, is_whole=page.next_url is None)
        await work.advance(conn, ACCOUNT, STREAM, Cursor(position, complete=not goes_on))
    return goes_on


async def _finish(
    work: Work, conn: AsyncConnection, walk: dict[str, Any], *, is_whole: bool
) -> dict[str, Any]:
    """The position after a walk; a walk to the end also shows which repositories are gone."""
    before = work.cursor(ACCOUNT, STREAM).position
    known = set(before.get("ids", ()))
    ids = set(walk["ids"])
    if is_whole:
        tracked = {each.id for each in await schedule.followed(conn, work.account_id)}
        # Followed ones outside the list may be public; `watch` finds out.
        await activity.lose_access(conn, work.account_id, known - ids - tracked, work.now)
    await work.keep_validator(conn, walk["url"], walk["etag"])
    full_at = walk.get("at", work.now) if is_whole else before.get("full_at", 0)
    return {"ids": sorted(ids if is_whole else ids | known), "full_at": full_at}


def _with_size(seen: Repository, stored: Repository | None) -> Repository:
    """GraphQL's pulse does not ask for the size on disk and names no branch of an empty repository."""
    if stored is None:
        return seen
    branch = seen.default_branch or stored.default_branch
    return replace(seen, size_kb=seen.size_kb or stored.size_kb, default_branch=branch)


def _id(pulse: Pulse) -> int:
    return pulse.repository.id
