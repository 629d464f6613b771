"""Looks at repositories one by one over REST, where GraphQL, which looks at a hundred, is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trackeep.errors import GitHubNoAccess
from trackeep.github import rest
from trackeep.github.parse_graphql import Pulse
from trackeep.github.rest import Counted
from trackeep.model import Language, Release, Repository
from trackeep.store import activity
from trackeep.store.schedule import Cursor
from trackeep.sync.work import Work

STREAM = "look"


@dataclass(frozen=True)
class Looks:
    """What was seen: pulses, repositories that GitHub shows no more, and all releases by repository id.

    Releases are None where this token may not see them, which says nothing about what there is.
    """

    pulses: Sequence[Pulse] = ()
    gone: Sequence[Repository] = ()
    releases: Mapping[int, Sequence[Release] | None] = field(default_factory=dict)


async def first_look(work: Work, repositories: Sequence[Repository]) -> AsyncIterator[Looks]:
    """How much there is in each of these, five requests a repository; one that fails is left out."""
    for each in repositories:
        if not work.has_time():
            return
        async with work.guarded(each, "pulls"):
            yield await _unless_gone(each, _first_look(work, each))


async def watch(work: Work, repositories: Sequence[Repository], *, releases: bool) -> AsyncIterator[Looks]:
    """What moved in each of these: two conditional requests, so that one without changes costs nothing.

    One that fails waits alone. A pulse of this way counts nothing, and its times are those of the newest
    change of issues and pull requests together.
    """
    for each in repositories:
        if work.wishes.urgent or work.cursor(each.id, STREAM).due_at <= work.now:
            async with work.guarded(each, STREAM):
                yield await _unless_gone(each, _look(work, each, releases=releases))


async def _unless_gone(repository: Repository, look: Awaitable[Looks]) -> Looks:
    try:
        return await look
    except GitHubNoAccess:
        return Looks(gone=[repository])


async def _first_look(work: Work, repository: Repository) -> Looks:
    now = (await rest.repository(work.github, repository.full_name)).repository
    pulls = await _counted(work, now, "pulls")
    both = await _counted(work, now, "issues")
    listed, languages = await releases_of(work, now), await _languages(work, now)
    # Every pull request is an issue too.
    issues = max(0, both.total - pulls.total)
    newest_at = max(pulls.newest_at, both.newest_at)
    counts = (pulls.total, pulls.newest_at, issues, newest_at)
    pulse = Pulse(now, *counts, listed or (), len(listed or ()), languages)
    return Looks([pulse], (), {now.id: listed})


async def _look(work: Work, repository: Repository, *, releases: bool) -> Looks:
    """What GitHub answers is stored with its validator before anybody acts on it: "unchanged" means that."""
    seen_at = work.cursor(repository.id, STREAM).position.get("newest_at")
    shown = await rest.shown(work.github, repository.full_name, conditional=seen_at is not None)
    now = next((each.repository for each in shown.items), repository)
    if now.id != repository.id:
        raise GitHubNoAccess(f"{repository.full_name} is another repository now.")
    newest = await _newest(work, now, conditional=seen_at is not None)
    newest_at = int(seen_at) if newest.not_modified and seen_at is not None else newest.newest_at
    if not (shown.not_modified and newest.not_modified):
        async with work.db.write() as conn:
            await activity.save_repositories(conn, [now])
            for page in (shown, newest):
                await work.keep_validator(conn, page.url, page.etag)
            await work.advance(conn, now.id, STREAM, Cursor({"newest_at": newest_at}, complete=True))
    pulse = Pulse(now, 0, newest_at, 0, newest_at)
    if not releases:
        return Looks([pulse])
    pulse = replace(pulse, languages=await _languages(work, now))
    return Looks([pulse], (), {now.id: await releases_of(work, now)})


async def _newest(work: Work, repository: Repository, *, conditional: bool) -> Counted:
    """The newest change anywhere; of pull requests alone where issues are turned off or not to be seen."""
    try:
        return await rest.counted(work.github, repository.full_name, "issues", conditional=conditional)
    except GitHubNoAccess:
        return await rest.counted(work.github, repository.full_name, "pulls", conditional=conditional)


async def _counted(work: Work, repository: Repository, kind: str) -> Counted:
    """As GraphQL does it: what a repository does not show to this token is as if there were none."""
    try:
        return await rest.counted(work.github, repository.full_name, kind)
    except GitHubNoAccess:
        return Counted(0, 0, "", "")


async def releases_of(work: Work, repository: Repository) -> tuple[Release, ...] | None:
    try:
        return await rest.releases(work.github, repository.full_name)
    except GitHubNoAccess:
        return None


async def _languages(work: Work, repository: Repository) -> tuple[Language, ...] | None:
    try:
        return await rest.languages(work.github, repository.full_name)
    except GitHubNoAccess:
        return None
