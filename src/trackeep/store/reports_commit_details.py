"""What a list of commits says beside each: who else wrote it, its pull request, the branches it ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, among, known_authors, readable
from trackeep.store.tables import person
from trackeep.store.tables_fetched import co_author, pull_request, ref

_HEADS = "refs/heads/"
Key = tuple[int, str]


@dataclass(frozen=True)
class Details:
    """`co_authors` are logins, or names where GitHub knows none; `pull` is number and title."""

    co_authors: tuple[str, ...] = ()
    pull: tuple[int, str] | None = None
    branches: tuple[str, ...] = ()


async def details(conn: AsyncConnection, reader: Reader, commits: Collection[Key]) -> Mapping[Key, Details]:
    """The details of commits given as (repository id, sha); three queries, none for no commits."""
    if not commits:
        return {}
    helpers = await _co_authors(conn, reader, commits)
    pulls = await _pulls(conn, reader, commits)
    branches = await _branches(conn, reader, commits)
    return {
        key: Details(tuple(helpers.get(key, ())), pulls.get(key), tuple(branches.get(key, ())))
        for key in commits
    }


async def _co_authors(
    conn: AsyncConnection, reader: Reader, commits: Collection[Key]
) -> dict[Key, list[str]]:
    known = known_authors(reader.account_id)
    rows = await conn.execute(
        select(
            co_author.c.repository_id,
            co_author.c.sha,
            func.coalesce(person.c.login, co_author.c.name).label("who"),
        )
        .outerjoin(known, known.c.email == func.lower(co_author.c.email))
        .outerjoin(person, person.c.id == known.c.person_id)
        .where(
            co_author.c.repository_id.in_({place for place, _ in commits}),
            co_author.c.sha.in_({sha for _, sha in commits}),
            among(co_author.c.repository_id, readable(reader)),
        )
        .order_by(co_author.c.email)
    )
    found: dict[Key, list[str]] = {}
    for row in rows:
        others = found.setdefault((row.repository_id, row.sha), [])
        if row.who and row.who not in others:
            others.append(row.who)
    return found


async def _pulls(
    conn: AsyncConnection, reader: Reader, commits: Collection[Key]
) -> dict[Key, tuple[int, str]]:
    """The pull request that a commit merged, else one that it is the newest of."""
    shas, pull = {sha for _, sha in commits}, pull_request.c
    rows = await conn.execute(
        select(pull.repository_id, pull.number, pull.title, pull.merge_sha, pull.head_sha)
        .where(
            or_(pull.merge_sha.in_(shas), pull.head_sha.in_(shas)),
            among(pull.repository_id, readable(reader)),
        )
        .order_by(pull.number.desc())
    )
    merged: dict[Key, tuple[int, str]] = {}
    proposed: dict[Key, tuple[int, str]] = {}
    for row in rows:
        merged[row.repository_id, row.merge_sha] = (row.number, row.title)
        proposed[row.repository_id, row.head_sha] = (row.number, row.title)
    return proposed | merged


async def _branches(conn: AsyncConnection, reader: Reader, commits: Collection[Key]) -> dict[Key, list[str]]:
    rows = await conn.execute(
        select(ref.c.repository_id, ref.c.name, ref.c.commit_sha)
        .where(
            ref.c.repository_id.in_({place for place, _ in commits}),
            ref.c.commit_sha.in_({sha for _, sha in commits}),
            ref.c.name.startswith(_HEADS, autoescape=True),
            among(ref.c.repository_id, readable(reader)),
        )
        .order_by(ref.c.name)
    )
    found: dict[Key, list[str]] = {}
    for row in rows:
        found.setdefault((row.repository_id, row.commit_sha), []).append(row.name.removeprefix(_HEADS))
    return found
