"""Writes which paths commits changed, and forgets them where nobody asks for them any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep import revisions
from trackeep.database import chunked, upsert
from trackeep.model import ChangedPaths
from trackeep.store.history import is_marked
from trackeep.store.tables import follow, repository
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_paths import commit_path, compared_commit, path

# Of a repository with more commits the newest are compared.
MOST_COMMITS = 500_000
_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Uncompared:
    """A commit whose paths are not stored; `parent` is a sha, "" when it has none."""

    id: int
    sha: str
    parent: str
    committed_at: int


def in_lower_case(text: str) -> str:
    """As both databases lower a path: of other letters each script and locale has rules of its own."""
    return text.translate(_UPPER_TO_LOWER)


async def wanted(conn: AsyncConnection, account_id: int) -> set[int]:
    """The repositories whose paths this account has asked for."""
    mine = (follow.c.account_id == account_id) & follow.c.files
    return set(await conn.scalars(select(follow.c.repository_id).where(mine)))


async def oldest_compared(conn: AsyncConnection, repository_id: int, most: int = MOST_COMMITS) -> int | None:
    """The time from which on commits are compared, in unix seconds; None for all of them."""
    newest = select(commit.c.committed_at).where(commit.c.repository_id == repository_id)
    at: int | None = await conn.scalar(newest.order_by(commit.c.committed_at.desc()).offset(most).limit(1))
    return at


async def uncompared(
    conn: AsyncConnection,
    repository_id: int,
    *,
    before: tuple[int, int] | None,
    since: int | None,
    limit: int,
) -> list[Uncompared]:
    """Up to `limit` commits that are to be compared, newest first: (committed_at, id) less than `before`.

    Merges are compared with nothing, as `git log` does it. Commits that no branch reaches any more may be
    gone at GitHub, and some that came from a file or are half of a walk have no parents to compare with.
    """
    c = commit.c
    rows = select(c.id, c.sha, c.parents, c.committed_at).where(
        c.repository_id == repository_id,
        c.parent_count <= 1,
        c.reachable,
        ~exists().where(compared_commit.c.commit_id == c.id),
        ~is_marked(),
    )
    if before is not None:
        rows = rows.where(c.committed_at <= before[0], tuple_(c.committed_at, c.id) < tuple_(*before))
    if since is not None:
        rows = rows.where(c.committed_at >= since)
    rows = rows.order_by(c.committed_at.desc(), c.id.desc()).limit(limit)
    return [Uncompared(*row) for row in await conn.execute(rows)]


async def save(conn: AsyncConnection, repository_id: int, given: Mapping[int, ChangedPaths]) -> None:
    """Store what these commits (by id) changed; one that is stored already, or gone, is left as it is."""
    # One at a time: two would wait for each other's paths crosswise.
    await conn.execute(select(repository.c.id).where(repository.c.id == repository_id).with_for_update())
    new = await _without_known(conn, given)
    numbers = await _numbered(conn, repository_id, {text for each in new.values() for text in each.paths})
    counted = [
        {
            "commit_id": key,
            "files": sum(not text.endswith("/") for text in each.paths),
            "is_cut": each.is_cut,
        }
        for key, each in new.items()
    ]
    await upsert(conn, compared_commit, counted, key=["commit_id"])
    pairs = [
        (key, number)
        for key, each in new.items()
        for number in sorted({numbers[text] for text in each.paths})
    ]
    await _insert_pairs(conn, pairs)


async def forget_unasked(conn: AsyncConnection, ids: Collection[int]) -> None:
    """Delete the paths of those of these repositories that nobody asks for any more."""
    # As `save` does: one that has asked meanwhile would lose rows of commits that count as compared.
    places = select(repository.c.id).where(repository.c.id.in_(sorted(ids))).order_by(repository.c.id)
    await conn.execute(places.with_for_update())
    asked = select(follow.c.repository_id).where(follow.c.files, follow.c.repository_id.in_(sorted(ids)))
    gone = sorted(set(ids) - set(await conn.scalars(asked)))
    for some in chunked(gone):
        theirs = select(commit.c.id).where(commit.c.repository_id.in_(some))
        await conn.execute(delete(compared_commit).where(compared_commit.c.commit_id.in_(theirs)))
        await conn.execute(delete(path).where(path.c.repository_id.in_(some)))


async def _insert_pairs(conn: AsyncConnection, pairs: list[tuple[int, int]]) -> None:
    """None of them is there yet: they came with the row that says that a commit was compared."""
    if conn.dialect.name == "sqlite":
        rows = [{"commit_id": key, "path_id": number} for key, number in pairs]
        await upsert(conn, commit_path, rows, key=["commit_id", "path_id"])
        return
    driver: Any = (await conn.get_raw_connection()).driver_connection
    revisions.changed(conn)
    columns = ("commit_id", "path_id")
    await driver.copy_records_to_table(commit_path.name, records=pairs, columns=columns)


async def _without_known(conn: AsyncConnection, found: Mapping[int, ChangedPaths]) -> dict[int, ChangedPaths]:
    new: dict[int, ChangedPaths] = {}
    known = exists().where(compared_commit.c.commit_id == commit.c.id)
    for some in chunked(sorted(found)):
        rows = await conn.scalars(select(commit.c.id).where(commit.c.id.in_(some), ~known))
        new |= {key: found[key] for key in rows}
    return new


async def _numbered(conn: AsyncConnection, repository_id: int, texts: Collection[str]) -> dict[str, int]:
    """The number of each path, of which new ones get one."""
    numbers = await _numbers(conn, repository_id, sorted(texts))
    new = sorted(set(texts) - numbers.keys())
    rows = [{"repository_id": repository_id, "text": text, "name": _name(text)} for text in new]
    await upsert(conn, path, rows, key=["repository_id", "text"])
    return numbers | await _numbers(conn, repository_id, new)


async def _numbers(conn: AsyncConnection, repository_id: int, texts: Sequence[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for some in chunked(texts):
        rows = select(path.c.text, path.c.id)
        rows = rows.where(path.c.repository_id == repository_id, path.c.text.in_(some))
        numbers |= {row.text: row.id for row in await conn.execute(rows)}
    return numbers


def _name(text: str) -> str:
    return in_lower_case(text[text.rfind("/", 0, -1) + 1 :])
