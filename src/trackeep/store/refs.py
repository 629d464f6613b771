"""Writes the branches and tags of a repository, what happened to them, and which commits they reach.

Refs are written in the transaction of the last commits they lead to: a stored ref has its whole history.
A row named HEAD stands for the default branch; its commit is what `commit.on_default` was computed for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked, upsert
from trackeep.model import Ref
from trackeep.store.ancestry import Ancestry, Node, on_default, reachable, recompute, set_flag
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import ref, ref_change

HEAD = "HEAD"
Refs = Mapping[str, Ref]


@dataclass(frozen=True, slots=True)
class RefChange:
    """`kind` is created, deleted, moved (forwards) or forced; `commits` is how many the ref gained.

    Commits of the default branch are not counted for other branches: merging it into one is no work there.
    """

    name: str
    kind: str
    before_sha: str
    after_sha: str
    commits: int
    seen_at: int


async def stored_refs(conn: AsyncConnection, repository_id: int) -> dict[str, Ref]:
    """Refs by name as of the last fetch, HEAD among them; empty before the first one."""
    rows = await conn.execute(
        select(ref.c.name, ref.c.sha, ref.c.commit_sha).where(ref.c.repository_id == repository_id)
    )
    return {row.name: Ref(row.name, row.sha, row.commit_sha) for row in rows}


def with_head(refs: Sequence[Ref], head: str) -> dict[str, Ref]:
    """`refs` by name with HEAD for the default branch `head`, when there is such a branch."""
    named = {each.name: each for each in refs}
    if head in named:
        named[HEAD] = Ref(HEAD, named[head].sha, named[head].commit_sha)
    return named


def moved(before: Refs, after: Refs) -> int:
    """How many branches and tags appeared, moved or went."""
    names = (before.keys() | after.keys()) - {HEAD}
    return sum(before.get(name) != after.get(name) for name in names)


async def save_refs(
    conn: AsyncConnection,
    repository_id: int,
    before: Refs,
    after: Refs,
    *,
    seen_at: int,
    flags_are_right: bool = False,
) -> list[RefChange]:
    """Replace the stored refs `before` by `after` and return what was recorded as happened to them.

    Both hold HEAD (see with_head). At the first fetch (`before` is empty) nothing counts as a change; with
    `flags_are_right` its commits were saved with the right flags. When another worker has saved refs since
    `before` was read, nothing is written: its list may be the newer one, and the next poll will tell.
    """
    # Not a stronger lock: those who have just stored commits hold a weak one, and would wait in a circle.
    this = select(repository.c.id).where(repository.c.id == repository_id)
    await conn.execute(this.with_for_update(key_share=True))
    if await stored_refs(conn, repository_id) != before:
        return []
    ancestry = Ancestry(conn, repository_id)
    changes = [] if not before else await _changes(ancestry, before, after, seen_at)
    if not (flags_are_right and not before):
        await _save_flags(conn, repository_id, ancestry, before, after, changes)
    await _write(conn, repository_id, before, after, seen_at)
    if changes:
        rows = [{"repository_id": repository_id, **asdict(change)} for change in changes]
        await conn.execute(ref_change.insert(), rows)
    return changes


async def _changes(ancestry: Ancestry, before: Refs, after: Refs, seen_at: int) -> list[RefChange]:
    changes = []
    for name in sorted((before.keys() | after.keys()) - {HEAD}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        old_sha, new_sha = old.commit_sha if old else "", new.commit_sha if new else ""
        kind, commits = await _judged(ancestry, old_sha, new_sha)
        changes.append(RefChange(name, kind, old_sha, new_sha, commits, seen_at))
    return changes


async def _judged(ancestry: Ancestry, old: str, new: str) -> tuple[str, int]:
    """Kind of the change from `old` to `new` and the number of commits gained."""
    if not new:
        return "deleted", 0
    if not old:
        return "created", len((await ancestry.walk([new], on_default)).inside)
    if old == new:
        return "moved", 0  # another tag object for the same commit
    mine = (await ancestry.walk([old], on_default)).inside

    def had(node: Node) -> bool:
        return node.on_default or node.sha in mine

    gained = await ancestry.walk([new], had)
    forwards = old in gained.border or await ancestry.is_ancestor(old, new)
    return "moved" if forwards else "forced", len(gained.inside)


async def _save_flags(
    conn: AsyncConnection,
    repository_id: int,
    ancestry: Ancestry,
    before: Refs,
    after: Refs,
    changes: Sequence[RefChange],
) -> None:
    tips = [each.commit_sha for each in after.values()]
    old_head, head = _sha_of_head(before), _sha_of_head(after)
    ahead = await ancestry.walk([head], on_default)
    if not before or (old_head != head and old_head not in ahead.border):
        await recompute(conn, repository_id, ancestry, head, tips)
        return
    await set_flag(conn, repository_id, "on_default", ahead.inside, True)
    gained = await ancestry.walk([change.after_sha for change in changes if change.after_sha], reachable)
    await set_flag(conn, repository_id, "reachable", gained.inside, True)
    left = [change.before_sha for change in changes if change.kind in ("deleted", "forced")]
    if not left:
        return

    def kept(node: Node) -> bool:
        return node.on_default or node.sha in ahead.inside

    doubtful = (await ancestry.walk(left, kept)).inside
    if doubtful:
        doubtful -= (await ancestry.walk(tips, kept)).inside
        await set_flag(conn, repository_id, "reachable", doubtful, False)


def _sha_of_head(refs: Refs) -> str:
    return refs[HEAD].commit_sha if HEAD in refs else ""


async def _write(conn: AsyncConnection, repository_id: int, before: Refs, after: Refs, seen_at: int) -> None:
    for chunk in chunked(sorted(before.keys() - after.keys())):
        await conn.execute(delete(ref).where(ref.c.repository_id == repository_id, ref.c.name.in_(chunk)))
    rows = [
        {
            "repository_id": repository_id,
            "name": each.name,
            "sha": each.sha,
            "commit_sha": each.commit_sha,
            "first_seen_at": seen_at,
            "moved_at": seen_at,
        }
        for name, each in after.items()
        if before.get(name) != each
    ]
    await upsert(conn, ref, rows, key=("repository_id", "name"), keep=("first_seen_at",))
