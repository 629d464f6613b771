"""How far branches are from the default branch: counted for all at once, kept for two commits each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.store.tables import repository
from trackeep.store.tables_branches import branch_distance


@dataclass(frozen=True, slots=True)
class Distance:
    """Commits that only the branch has, and commits that only the default branch has."""

    ahead: int
    behind: int


async def save(
    conn: AsyncConnection, repository_id: int, base_sha: str, found: Mapping[str, Distance]
) -> None:
    """Keep the distances of heads, by their sha, from `base_sha`; those from an older base go."""
    # A repository that was just deleted has no distances any more.
    place = select(repository.c.id).where(repository.c.id == repository_id)
    if await conn.scalar(place.with_for_update(read=True, key_share=True)) is None:
        return
    here = branch_distance.c.repository_id == repository_id
    await conn.execute(delete(branch_distance).where(here, branch_distance.c.base_sha != base_sha))
    rows = [
        {
            "repository_id": repository_id,
            "base_sha": base_sha,
            "head_sha": head,
            "ahead": distance.ahead,
            "behind": distance.behind,
        }
        for head, distance in sorted(found.items())
    ]
    await upsert(conn, branch_distance, rows, key=("repository_id", "base_sha", "head_sha"))


def distances(parents: Mapping[str, Sequence[str]], base: str, heads: Sequence[str]) -> dict[str, Distance]:
    """How far each of `heads` is from `base`, as metrics.branches.ahead_behind says of one.

    `parents` are those of every stored commit. One pass for all of them: each commit gets the set of those
    that reach it, as the bits of a number. A head of whose history a commit is missing is left out, and all
    of them when one of the base's is.
    """
    tips = [head for head in dict.fromkeys(heads) if head in parents]
    if base not in parents:
        return {}
    reached: dict[str, int] = {base: 1}
    for place, tip in enumerate(tips, start=1):
        reached[tip] = reached.get(tip, 0) | 1 << place
    incomplete = 0
    for sha in _children_first(parents):
        who = reached.get(sha, 0)
        if not who:
            continue
        for parent in parents[sha]:
            reached[parent] = reached.get(parent, 0) | who
            incomplete |= 0 if parent in parents else who
    if incomplete & 1:
        return {}
    shared = Counter(reached[sha] for sha in reached if sha in parents)
    return {
        tip: _distance(shared, 1 << place)
        for place, tip in enumerate(tips, start=1)
        if not incomplete & 1 << place
    }


def _distance(shared: Mapping[int, int], tip: int) -> Distance:
    ahead = sum(count for who, count in shared.items() if who & tip and not who & 1)
    behind = sum(count for who, count in shared.items() if who & 1 and not who & tip)
    return Distance(ahead, behind)


def _children_first(parents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every commit after all of its children."""
    waiting = Counter(parent for each in parents.values() for parent in each)
    ready = [sha for sha in parents if not waiting[sha]]
    while ready:
        sha = ready.pop()
        yield sha
        for parent in parents[sha]:
            waiting[parent] -= 1
            if not waiting[parent] and parent in parents:
                ready.append(parent)
