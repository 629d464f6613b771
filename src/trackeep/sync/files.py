"""Fetches the folders of commits, where somebody asks for it, and compares which files each one changed.

A step is some hundred to thousand commits, newest first, in one POST: their folders and those of their
parents as they were, without the files in them. They are compared here and dropped; what a step found and
the cursor behind it are one transaction. Nothing is named to git that we have, so a step is whole in itself
whatever was pushed, rewritten or deleted before it, and whoever else has stored a part of it.

Git is asked for whole steps at once: of a large repository the unchanged folders come once a step, not once
a commit. A step that is too large or too slow is tried again with half of its commits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trackeep.errors import GitHubTooLarge, GitHubTooSlow
from trackeep.github.gitwire import Caps, GitRemote, fetch_trees
from trackeep.model import ChangedPaths, Repository
from trackeep.store import paths, schedule
from trackeep.store.paths import Uncompared
from trackeep.store.schedule import FILES, Cursor
from trackeep.sync import plan
from trackeep.sync.work import Work

FIRST_STEP, LARGEST_STEP = 1_000, 4_000
# Paths of one commit, folders included; upper folders come first, so that they are never left out.
MOST_PATHS = 5_000
MOST_OBJECTS = 1_000_000
# Where one step ends early, so that neither memory nor a transaction grows with what somebody has pushed.
STEP_PATHS, STEP_BYTES = 200_000, 4 * 1024**3
# What is kept of one repository at most.
MOST_STORED = 20_000_000
CAPS = Caps(pack_bytes=256 * 1024 * 1024, seconds=300.0)


async def sync(work: Work, chosen: Sequence[Repository]) -> None:
    """Compare the commits of these repositories that are new, where this account has asked for it."""
    async with work.db.read() as conn:
        wanted = await paths.wanted(conn, work.account_id)
    due = [each for each in chosen if each.id in wanted]
    for repository in plan.with_new_files(due, work.cursors, work.now, urgent=work.wishes.urgent):
        async with work.guarded(repository, FILES):
            await _walk(work, repository)


async def _walk(work: Work, repository: Repository) -> None:
    """One step after the other until all commits are compared or the turn is over."""
    place = (repository.id, FILES)
    async with work.db.write() as conn:
        await schedule.begin(conn, work.account_id, place, work.now)
    at = work.cursor(*place)
    if at.complete or not at.position:
        # What comes while it goes on is newer than where it is; another walk, from the top, is due then.
        seen = plan.commits_seen(work.cursors, repository.id)
        known = {"step": at.position.get("step", FIRST_STEP), "stored": at.position.get("stored", 0)}
        at = Cursor({"seen": seen, **known}, items=at.items)
    while not at.complete and work.has_time():
        at = await _step(work, repository, at)


async def _step(work: Work, repository: Repository, at: Cursor) -> Cursor:
    position = dict(at.position)
    if position["stored"] >= MOST_STORED:
        raise GitHubTooLarge(
            f"The commits of {repository.full_name} changed more files than are kept ({MOST_STORED:,}).",
            "What is here can be searched; give the rest up on its page of commits.",
        )
    before, step = position.pop("before", None), position["step"]
    async with work.db.read() as conn:
        since = await paths.oldest_compared(conn, repository.id)
        page = await paths.uncompared(
            conn,
            repository.id,
            before=(before[0], before[1]) if before else None,
            since=since,
            limit=step,
        )
    some, found = await _compared(work, repository, page)
    position["stored"] += sum(len(each.paths) for each in found.values())
    is_last = len(some) == len(page) < step
    if len(some) < len(page):
        position["step"] = len(some)
    elif not is_last:
        position["step"] = min(LARGEST_STEP, step + max(1, step // 8))
    if not is_last:
        position["before"] = [some[-1].committed_at, some[-1].id]
    new = Cursor(position, complete=is_last, items=at.items + len(some))
    async with work.db.write() as conn:
        await paths.save(conn, repository.id, found)
        await work.advance(conn, repository.id, FILES, new)
    work.found.files += len(some)
    work.notify()
    return new


async def _compared(
    work: Work, repository: Repository, page: Sequence[Uncompared]
) -> tuple[list[Uncompared], dict[int, ChangedPaths]]:
    """As many commits, from the front, as GitHub's answer may be large, with what they changed."""
    some = list(page)
    while some:
        git = replace(work.git(repository), caps=CAPS)
        try:
            found = await _fetched(git, some)
            return some[: len(found)], found
        except (GitHubTooLarge, GitHubTooSlow):
            if len(some) == 1:
                raise GitHubTooLarge(
                    f"The folders of one commit of {repository.full_name} are more than is compared at once.",
                    "Its files cannot be searched; give that up on its page of commits.",
                ) from None
            some = some[: len(some) // 2]
        finally:
            work.git_posts += git.posts
            work.charge([(repository.id, FILES)], git.posts)
            work.git_bytes += git.bytes
    return [], {}


async def _fetched(git: GitRemote, some: Sequence[Uncompared]) -> dict[int, ChangedPaths]:
    """What these commits changed, or the first of them where that is much."""
    shas: dict[str, Any] = dict.fromkeys(sha for each in some for sha in (each.sha, each.parent) if sha)
    with contextlib.closing(await fetch_trees(git, list(shas), most_objects=MOST_OBJECTS)) as pack:

        def compare() -> dict[int, ChangedPaths]:
            found: dict[int, ChangedPaths] = {}
            paths_left, bytes_end = STEP_PATHS, pack.handled_bytes + STEP_BYTES
            for each in some:
                found[each.id] = pack.changed(each.sha, each.parent, MOST_PATHS)
                paths_left -= len(found[each.id].paths)
                if paths_left <= 0 or pack.handled_bytes > bytes_end:
                    break
            return found

        return await asyncio.to_thread(compare)
