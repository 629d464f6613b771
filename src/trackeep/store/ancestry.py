"""Walks one repository's stored commits from children to parents, and keeps what branches reach up to date.

Both flags of a commit describe sets that are closed under "parent of", as of the last time refs were saved:
`on_default` is what HEAD reaches, `reachable` what any branch or tag reaches. So a walk may stop at them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked
from trackeep.store.tables_fetched import commit

_ROUNDS_BEFORE_ALL = 64
_ROWS_AT_ONCE = 10_000
_LEVELS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Node:
    sha: str
    parents: str
    reachable: bool
    on_default: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """`inside` was walked through, `border` are the commits where it was told to stop."""

    inside: set[str] = field(default_factory=set)
    border: set[str] = field(default_factory=set)


def never(_node: Node) -> bool:
    return False


def on_default(node: Node) -> bool:
    return node.on_default


def reachable(node: Node) -> bool:
    return node.reachable


class Ancestry:
    """Commits are read as far as a walk goes: level by level at first, all at once when it is a long one."""

    def __init__(self, conn: AsyncConnection, repository_id: int) -> None:
        self._conn = conn
        self._repository_id = repository_id
        self._nodes: dict[str, Node] = {}
        self._absent: set[str] = set()
        self._levels = 0
        self._rounds = 0
        self._is_whole = False

    async def walk(
        self, tips: Iterable[str], stop: Callable[[Node], bool] = never, *, goal: str = ""
    ) -> Walk:
        """Go from `tips` to all ancestors but those behind a `stop`; ends early once `goal` is met."""
        walk = Walk()
        queue = deque(dict.fromkeys(tips))
        seen = set(queue)
        while queue:
            await self._read(queue)
            for _ in range(len(queue)):
                node = self._nodes.get(queue.popleft())
                if node is None:
                    continue
                if stop(node):
                    walk.border.add(node.sha)
                    continue
                walk.inside.add(node.sha)
                if node.sha == goal:
                    return walk
                fresh = [parent for parent in node.parents.split() if parent not in seen]
                seen.update(fresh)
                queue.extend(fresh)
        return walk

    async def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` leads to `old`; a commit that is not stored is nobody's ancestor."""
        await self._read([old])
        known = self._nodes.get(old)
        if known is None:
            return False
        if known.on_default:
            return old in (await self.walk([new], goal=old)).inside
        # What HEAD reaches has only ancestors that HEAD reaches, and `old` is none of them.
        return old in (await self.walk([new], on_default, goal=old)).inside

    async def all_nodes(self) -> Collection[Node]:
        await self._read_all()
        return self._nodes.values()

    async def _read(self, shas: Iterable[str]) -> None:
        self._levels += 1
        if self._levels % _LEVELS_AT_ONCE == 0:
            await asyncio.sleep(0)  # a long walk leaves others their turn
        missing = [sha for sha in shas if sha not in self._nodes and sha not in self._absent]
        if not missing or self._is_whole:
            return
        self._rounds += 1
        if self._rounds > _ROUNDS_BEFORE_ALL:
            await self._read_all()
        else:
            for chunk in chunked(missing):
                self._keep(await self._conn.execute(self._select().where(commit.c.sha.in_(chunk))))
        self._absent.update(sha for sha in missing if sha not in self._nodes)

    async def _read_all(self) -> None:
        rows = await self._conn.stream(self._select())
        async for part in rows.partitions(_ROWS_AT_ONCE):
            self._keep(part)
        self._is_whole = True

    def _keep(self, rows: Iterable[Any]) -> None:
        for sha, parents, is_reachable, is_on_default in rows:
            self._nodes[sha] = Node(sha, parents, is_reachable, is_on_default)

    def _select(self) -> Select[Any]:
        columns = (commit.c.sha, commit.c.parents, commit.c.reachable, commit.c.on_default)
        return select(*columns).where(commit.c.repository_id == self._repository_id)


async def set_flag(
    conn: AsyncConnection, repository_id: int, name: str, shas: Collection[str], value: bool
) -> None:
    """Set `reachable` or `on_default` of the commits `shas` to `value`."""
    for chunk in chunked(list(shas)):
        await conn.execute(
            update(commit)
            .where(commit.c.repository_id == repository_id, commit.c.sha.in_(chunk))
            .values({name: value})
        )


async def recompute(
    conn: AsyncConnection, repository_id: int, ancestry: Ancestry, head: str, tips: Iterable[str]
) -> None:
    """Set both flags from nothing but `head` and `tips`, writing only what differs."""
    nodes = await ancestry.all_nodes()
    reached = (await ancestry.walk(tips)).inside
    default = (await ancestry.walk([head])).inside
    for name, wanted, is_set in (("reachable", reached, reachable), ("on_default", default, on_default)):
        now = {node.sha for node in nodes if is_set(node)}
        await set_flag(conn, repository_id, name, wanted - now, True)
        await set_flag(conn, repository_id, name, now - wanted, False)
