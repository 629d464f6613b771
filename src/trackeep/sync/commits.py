"""Brings one repository's branches, tags and commits up to date over the git wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.errors import GitHubUnavailable
from trackeep.github.gitpack import CommitPack
from trackeep.github.gitwire import GitRemote, Haves, fetch_pack, list_refs
from trackeep.model import Commit, Ref, Repository
from trackeep.store import history, refs, walks
from trackeep.store.history import NOREPLY_HOST

# A page is one transaction, and up to two of them are in memory at once.
_PAGE = 4000
_PAGE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CommitsFound:
    """What one look found and cost; `commits` are those that arrived, `bytes` what git sent."""

    commits: int = 0
    refs_moved: int = 0
    posts: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """From `before` to `after`: what to ask for; `is_fresh` when nothing of the repository is stored."""

    before: dict[str, Ref]
    after: dict[str, Ref]
    wants: tuple[str, ...]
    haves: Haves
    is_fresh: bool


async def sync_commits(
    db: Database,
    git: GitRemote,
    repository: Repository,
    *,
    now: int,
    noreply_host: str = NOREPLY_HOST,
    deep: bool = False,
) -> CommitsFound:
    """Fetch what branches and tags have gained since the last time; the repository's row must exist.

    With `deep` everything they lead to is fetched, whatever is stored.

    One POST and no transaction when no ref has moved; two POSTs after a small change. Commits are stored in
    pages, parents first, one transaction each; refs move with the last page. Killed in between, the next
    call has the finished pages as commits we have, so that git does not send them again.
    Raises what gitwire.list_refs and gitwire.fetch_pack raise.
    """
    posts, received = git.posts, git.bytes
    listed = await list_refs(git)
    head = listed.head or f"refs/heads/{repository.default_branch}"
    plan = await _planned(db, repository.id, refs.with_head(listed.refs, head))
    if deep:
        wants = {ref.commit_sha for ref in plan.after.values()}
        plan = replace(plan, wants=tuple(sorted(wants)), haves=Haves(), is_fresh=False)
    elif plan.before == plan.after:
        return CommitsFound(posts=git.posts - posts, bytes=git.bytes - received)
    writer = _Writer(db, repository.id, plan, now, noreply_host)
    commits = 0
    if plan.wants:
        with contextlib.closing(await _fetched(db, git, repository.id, plan)) as pack:
            commits = len(pack)
            await writer.save_pack(pack)
    else:
        await writer.save_refs([])
    return CommitsFound(commits, refs.moved(plan.before, plan.after), git.posts - posts, git.bytes - received)


async def _planned(db: Database, repository_id: int, after: dict[str, Ref]) -> _Plan:
    async with db.read() as conn:
        before = await refs.stored_refs(conn, repository_id)
        changed = [name for name, ref in after.items() if before.get(name) != ref]
        # A tag may lead to a file or folder; what is stored for one name is known to be complete.
        known = {ref.commit_sha for ref in before.values()}
        tips = {after[name].commit_sha for name in changed} - known
        wants = await history.missing_commits(conn, repository_id, tips)
        if not wants:
            return _Plan(before, after, (), Haves(), is_fresh=False)
        # The server has what it lists, and mostly what it listed.
        tips = {ref.commit_sha for ref in (*before.values(), *after.values())}
        listed, others = await history.commits_to_have(conn, repository_id, tips)
        haves = Haves((*listed, *others), len(listed), partial(_older, db, repository_id))
        # What an unfinished walk over the API has stored is none we have, and its flags are still to be set.
        is_fresh = not haves.shas and not await walks.are_any(conn, repository_id)
        return _Plan(before, after, tuple(sorted(wants)), haves, is_fresh)


async def _older(db: Database, repository_id: int) -> list[str]:
    async with db.read() as conn:
        return await history.older_commits_to_have(conn, repository_id)


async def _fetched(db: Database, git: GitRemote, repository_id: int, plan: _Plan) -> CommitPack:
    pack = await fetch_pack(git, plan.wants, plan.haves)
    if plan.haves.shas:
        outside = await asyncio.to_thread(pack.outside)
        async with db.read() as conn:
            lost = await history.missing_commits(conn, repository_id, outside)
        if lost:  # rows were removed behind our back: fetch everything once more
            pack.close()
            pack = await fetch_pack(git, plan.wants, Haves())
    # A branch leads to a commit always, a tag may lead to a file or folder, which is not asked for again.
    branches = {ref.commit_sha for ref in plan.after.values() if ref.is_branch}
    if any(sha not in pack for sha in branches.intersection(plan.wants)):
        pack.close()
        raise GitHubUnavailable("GitHub's git server left out commits.", "They are fetched again later.")
    return pack


@dataclass(frozen=True, slots=True)
class _Writer:
    db: Database
    repository_id: int
    plan: _Plan
    now: int
    noreply_host: str

    async def save_pack(self, pack: CommitPack) -> None:
        """Store the pack's commits page by page, and the refs with the last page."""
        default: set[str] = set()
        if self.plan.is_fresh and refs.HEAD in self.plan.after:
            head = {self.plan.after[refs.HEAD].commit_sha}
            default = await asyncio.to_thread(pack.reached_from, head)
        pages = pack.pages(_PAGE, _PAGE_BYTES)

        async def read() -> list[Commit]:
            return await asyncio.to_thread(next, pages, [])

        page = await read()
        count = len(page)
        while count < len(pack):
            page, _ = await asyncio.gather(read(), self._save(page, default))
            count += len(page)
        await self.save_refs(page, default)

    async def save_refs(self, page: Sequence[Commit], default: Collection[str] = ()) -> None:
        """Store the last `page` and what the refs are now, in one transaction."""
        async with self.db.write() as conn:
            await self._save_page(conn, page, default)
            # Another account's walk may have begun meanwhile, and stored some of these with no flags.
            walked = await walks.are_any(conn, self.repository_id)
            await refs.save_refs(
                conn,
                self.repository_id,
                self.plan.before,
                self.plan.after,
                seen_at=self.now,
                flags_are_right=self.plan.is_fresh and not walked,
            )
            await walks.settle(conn, self.repository_id)

    async def _save(self, page: Sequence[Commit], default: Collection[str]) -> None:
        async with self.db.write() as conn:
            await self._save_page(conn, page, default)

    async def _save_page(
        self, conn: AsyncConnection, page: Sequence[Commit], default: Collection[str]
    ) -> None:
        # Before the first refs are stored a reader may see the pages; later ones wait for their refs.
        await history.save_commits(
            conn,
            self.repository_id,
            page,
            reachable=not self.plan.before,
            on_default=default,
            noreply_host=self.noreply_host,
        )
