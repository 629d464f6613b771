"""Brings one repository's branches, tags and commits up to date over GitHub's API, where git is refused.

GitHub gives commits newest first, so for a while the newest are stored without their ancestors. One page is
one transaction: its commits, marked as belonging to an unfinished walk (see store/walks.py), and where the
walk stands. Killed at any moment, the next call goes on behind the last page. The last page takes the marks
away and moves the refs in the same transaction. Until then readers see what has arrived as commits that no
ref reaches, counts of progress include them, and git is never told that we have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import GitHubUnavailable
from trackeep.github.history import History, HistoryPage, ListedRefs
from trackeep.model import Ref, Repository
from trackeep.store import history, refs, walks
from trackeep.store.schedule import Cursor
from trackeep.sync import commit_walk
from trackeep.sync.commit_walk import Walk
from trackeep.sync.work import Work

STREAM = "commits"


async def sync_by_api(
    work: Work, repository: Repository, source: History, position: Mapping[str, Any]
) -> None:
    """Fetch what branches and tags have gained; `position` is what the stream's cursor says besides.

    Costs what listing the refs costs, and then one request for each page and for each tip or branch point
    that the pages before have not reached. Stops between two pages when the pass has no time left.
    Raises what `source` raises, and GitHubUnavailable when GitHub leaves out a commit that it has named.
    """
    listed = await source.refs()
    after = refs.with_head(listed.refs, listed.head)
    async with work.db.read() as conn:
        before = await refs.stored_refs(conn, repository.id)
    walker = _Walker(work, repository, source, dict(position), before, after)
    walk = await walker.opened(listed)
    if walk.is_through:
        await walker.finish()
    while not walk.is_through and work.has_time():
        walk = await walker.step(walk)


@dataclass
class _Walker:
    """One call's walk, from refs as stored `before` to those that GitHub lists, `after`."""

    work: Work
    repository: Repository
    source: History
    position: dict[str, Any]
    before: dict[str, Ref]
    after: dict[str, Ref]
    is_new: bool = False

    async def opened(self, listed: ListedRefs) -> Walk:
        """The walk that was begun before, or a new one, with what the refs lead to by now."""
        walk = commit_walk.read(self.work.cursor(self.repository.id, STREAM).position, self.source.name)
        self.is_new = walk is None
        walk = walk or Walk()
        # What is shown first is fetched first.
        first = [self.after[refs.HEAD].commit_sha] if refs.HEAD in self.after else []
        tips = [sha for sha in first + [each.commit_sha for each in listed.refs] if sha in listed.commits]
        async with self.work.db.read() as conn:
            if self.is_new:
                missing = await history.missing_commits(conn, self.repository.id, tips)
                met = set(tips) - missing
            else:
                met = await walks.met(conn, *self._mine, [*walk.open, *tips])
        return commit_walk.with_tips(walk, tips, met)

    async def step(self, walk: Walk) -> Walk:
        """Fetch and store one page; returns the walk behind it."""
        tip, after = walk.question
        page = await self.source.page(tip, after)
        if page is None or (after is None and all(each.sha != tip for each in page.commits)):
            await self._begin_anew()
            raise GitHubUnavailable(
                "GitHub has lost a commit while its history was read.", "It is begun anew; nothing is lost."
            )
        async with self.work.db.write() as conn:
            walk, count = await self._save(conn, walk, page)
            if walk.is_through:
                await self._finish(conn, count)
            else:
                position = {**self.position, "walk": commit_walk.written(walk, self.source.name)}
                await self._advance(conn, position, count)
        self.is_new = False
        self.work.found.commits += count
        if walk.is_through:
            self.work.found.refs += refs.moved(self.before, self.after)
        self.work.notify()
        return walk

    async def finish(self) -> None:
        """No commit is missing: the refs alone, when any of them moved."""
        async with self.work.db.write() as conn:
            await self._finish(conn, 0)
        self.work.found.refs += refs.moved(self.before, self.after)
        self.work.notify()

    @property
    def _mine(self) -> tuple[int, int]:
        return self.repository.id, self.work.account_id

    async def _save(self, conn: AsyncConnection, walk: Walk, page: HistoryPage) -> tuple[Walk, int]:
        if self.is_new:
            await walks.give_up(conn, *self._mine)
        met = await walks.met(conn, *self._mine, commit_walk.named(page))
        walk, fresh = commit_walk.stepped(walk, page, met)
        host = self.work.github.addresses.noreply_host
        await history.save_commits(conn, self.repository.id, fresh, noreply_host=host)
        await walks.mark(conn, *self._mine, [each.sha for each in fresh])
        return walk, len(fresh)

    async def _finish(self, conn: AsyncConnection, count: int) -> None:
        """The last transaction: nothing is missing any more, and the refs lead to what is stored."""
        if not self.is_new or count:
            await walks.finish(conn, *self._mine)
        if self.before != self.after:
            seen_at = self.work.now
            await refs.save_refs(conn, self.repository.id, self.before, self.after, seen_at=seen_at)
            await walks.settle(conn, self.repository.id)
        await self._advance(conn, {**self.position, "pushed_at": self.repository.pushed_at}, count, True)

    async def _advance(
        self, conn: AsyncConnection, position: Mapping[str, Any], count: int, complete: bool | None = None
    ) -> None:
        at = self.work.cursor(self.repository.id, STREAM)
        done = at.complete if complete is None else complete
        new = Cursor(position, complete=done, items=at.items + count)
        await self.work.advance(conn, self.repository.id, STREAM, new)

    async def _begin_anew(self) -> None:
        async with self.work.db.write() as conn:
            await walks.give_up(conn, *self._mine)
            await self._advance(conn, self.position, 0)
