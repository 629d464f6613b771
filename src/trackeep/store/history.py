"""Writes the commits of a repository, with their co-authors and the addresses that they carry.

What a reader may rely on: a stored commit has all of its ancestors stored, unless it is marked in `walked`.
Git's commits arrive parents first and a transaction holds whole commits, so this holds after a kill at any
moment, and every unmarked commit may be named to git as one we have. Those that GitHub's API gives arrive
newest first and are marked until their walk is through (see walks.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, CreateTableAs, exists, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep import revisions
from trackeep.database import chunked, upsert
from trackeep.model import Commit
from trackeep.store import commit_words
from trackeep.store.tables import person
from trackeep.store.tables_fetched import co_author, commit, identity, unclaimed_address, walked

NOREPLY_HOST = "users.noreply.github.com"
_NEWEST = 4096
_MOST_HAVES = 1024
_MOST_PARENTS = 32_767  # a SmallInteger
_LONGEST_ADDRESS = 320  # https://www.rfc-editor.org/rfc/rfc3696#section-3
# https://www.postgresql.org/docs/current/errcodes-appendix.html: unique_violation
_DUPLICATE = "23505"
_COLUMNS = (
    "repository_id",
    "sha",
    "parents",
    "parent_count",
    "author_name",
    "author_email",
    "authored_at",
    "author_offset_minutes",
    "committer_name",
    "committer_email",
    "committed_at",
    "committer_offset_minutes",
    "message",
    "signed",
    "reachable",
    "on_default",
)


async def save_commits(
    conn: AsyncConnection,
    repository_id: int,
    commits: Sequence[Commit],
    *,
    reachable: bool = False,
    on_default: Collection[str] = (),
    noreply_host: str = NOREPLY_HOST,
) -> None:
    """Insert those of `commits` that are not stored yet; each comes after its parents, or gets marked.

    `reachable` and `on_default` (shas) are what is known already; `refs.save_refs` corrects both.
    """
    rows = [_row(repository_id, each, reachable, each.sha in on_default) for each in commits]
    if conn.dialect.name == "sqlite":
        if rows:
            await conn.exec_driver_sql(_insert_for_sqlite(), rows)
            await commit_words.catch_up(conn)
    elif rows:
        await _copy_to_postgresql(conn, rows)
    helpers = [
        {"repository_id": repository_id, "sha": each.sha, "email": helper.email, "name": helper.name}
        for each in commits
        for helper in each.co_authors
    ]
    await upsert(conn, co_author, helpers, key=("repository_id", "sha", "email"), keep=("name",))
    await identify(conn, _addresses(commits), noreply_host=noreply_host)
    await _note_unclaimed(conn, repository_id, commits)


async def identify(
    conn: AsyncConnection, addresses: Iterable[str], *, noreply_host: str = NOREPLY_HOST
) -> None:
    """Store whose the noreply addresses among `addresses` are, as far as that is certain.

    `ID+login@host` names the account by its number. `login@host` does so only once GitHub itself has told
    us exactly one account of that login: anybody can write any login before the @ of a commit's address.
    """
    people: dict[str, int] = {}
    logins: dict[str, list[str]] = {}
    for address in addresses:
        local, _, host = address.rpartition("@")
        if host.lower() != noreply_host:
            continue
        number, plus, _ = local.partition("+")
        if not plus:
            logins.setdefault(local.lower(), []).append(address)
        elif number.isascii() and number.isdigit() and len(number) < 19:
            people[address] = int(number)
    for login, person_id in await _people_named(conn, list(logins)):
        people |= dict.fromkeys(logins[login], person_id)
    # In one order, so that two workers that meet the same people do not wait for each other in a circle.
    rows = [{"email": email, "person_id": people[email], "source": "noreply"} for email in sorted(people)]
    await upsert(conn, identity, rows, key=("email",), keep=("person_id", "source"))


async def _note_unclaimed(conn: AsyncConnection, repository_id: int, commits: Sequence[Commit]) -> None:
    """Remember addresses whose account is still to be asked for, with a commit to ask by."""
    shas = {who.email: each.sha for each in commits for who in (each.author, each.committer)}
    possible = [email for email in shas if "@" in email and len(email) <= _LONGEST_ADDRESS]
    known: set[str] = set()
    due: dict[str, int] = {}
    for chunk in chunked(possible):
        accounts = select(identity.c.email).join(person, person.c.id == identity.c.person_id)
        known.update(await conn.scalars(accounts.where(identity.c.email.in_(chunk))))
        noted = select(unclaimed_address.c.email, func.max(unclaimed_address.c.due_at))
        asked = noted.where(unclaimed_address.c.email.in_(chunk)).group_by(unclaimed_address.c.email)
        due |= {row[0]: row[1] for row in await conn.execute(asked)}
    rows = [
        # What was asked by a commit of another repository is not asked again by one of this.
        {"email": email, "repository_id": repository_id, "sha": shas[email], "due_at": due.get(email, 0)}
        for email in sorted(set(possible) - known)
    ]
    key = ("email", "repository_id")
    await upsert(conn, unclaimed_address, rows, key=key, keep=("sha", "due_at"))


async def missing_commits(conn: AsyncConnection, repository_id: int, shas: Iterable[str]) -> set[str]:
    """Those of `shas` that are not stored as commits of the repository, together with their ancestors."""
    missing = set(shas)
    for chunk in chunked(list(missing)):
        stored = select(commit.c.sha).where(commit.c.repository_id == repository_id, commit.c.sha.in_(chunk))
        missing.difference_update(await conn.scalars(stored.where(~is_marked())))
    return missing


def is_marked() -> ColumnElement[bool]:
    """Of a row of `commit`: an ancestor of it may be missing."""
    return exists().where(walked.c.repository_id == commit.c.repository_id, walked.c.sha == commit.c.sha)


async def commits_to_have(
    conn: AsyncConnection, repository_id: int, tips: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Stored commits to name to the server: those of `tips`, and the newest heads and commits beside them.

    Both come newest first. A head is a commit that no other of the newest ones has as a parent. After a
    kill in the middle of a fetch the heads are where it stopped.
    """
    newest = await conn.execute(
        select(commit.c.sha, commit.c.parents)
        .where(commit.c.repository_id == repository_id, ~is_marked())
        .order_by(commit.c.committed_at.desc())
        .limit(_NEWEST)
    )
    found = {row.sha: row.parents for row in newest}
    parents = {parent for line in found.values() for parent in line.split()}
    heads = [sha for sha in found if sha not in parents]
    stored = await _newest_first(conn, repository_id, tips)
    others = dict.fromkeys(sha for sha in [*heads, *found] if sha not in stored)
    return list(stored), list(islice(others, _MOST_HAVES))


async def older_commits_to_have(conn: AsyncConnection, repository_id: int) -> list[str]:
    """Every 8,192nd commit by age, then twice as far each time: one of them is older than any rewriting."""
    found: list[str] = []
    in_order = select(commit.c.sha).where(commit.c.repository_id == repository_id)
    in_order = in_order.order_by(commit.c.committed_at.desc()).limit(1)
    rank = _NEWEST * 2
    while sha := await conn.scalar(in_order.offset(rank)):
        found.append(sha)
        rank *= 2
    lost = await missing_commits(conn, repository_id, found)
    return [sha for sha in found if sha not in lost]


async def _newest_first(conn: AsyncConnection, repository_id: int, shas: Iterable[str]) -> dict[str, int]:
    """When those of `shas` that are stored, together with their ancestors, were committed."""
    found: dict[str, int] = {}
    for chunk in chunked(list(set(shas))):
        dated = select(commit.c.sha, commit.c.committed_at).where(commit.c.repository_id == repository_id)
        rows = await conn.execute(dated.where(commit.c.sha.in_(chunk), ~is_marked()))
        found |= {row[0]: row[1] for row in rows}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _row(repository_id: int, each: Commit, reachable: bool, on_default: bool) -> tuple[Any, ...]:
    author, committer = each.author, each.committer
    return (
        repository_id,
        each.sha,
        " ".join(each.parents),
        min(len(each.parents), _MOST_PARENTS),
        author.name,
        author.email,
        author.at,
        author.offset_minutes,
        committer.name,
        committer.email,
        committer.at,
        committer.offset_minutes,
        each.message,
        each.signed,
        reachable,
        on_default,
    )


@lru_cache(maxsize=1)
def _insert_for_sqlite() -> str:
    # As text with plain tuples: the statement object would look at each of 16 values of every commit.
    statement = sqlite.insert(commit).on_conflict_do_nothing()
    compiled = statement.compile(dialect=sqlite.dialect(), column_keys=list(_COLUMNS))
    assert compiled.positiontup == list(_COLUMNS)
    return str(compiled)


async def _copy_to_postgresql(conn: AsyncConnection, rows: list[tuple[Any, ...]]) -> None:
    """COPY straight into the table; what is stored already, which is rare, makes it take the long way."""
    driver: Any = (await conn.get_raw_connection()).driver_connection
    revisions.changed(conn)
    try:
        async with conn.begin_nested():
            await driver.copy_records_to_table(commit.name, records=rows, columns=_COLUMNS)
    except Exception as error:  # asyncpg is optional, so its classes cannot be named here
        if getattr(error, "sqlstate", "") != _DUPLICATE:
            raise
        await _copy_what_is_new(conn, driver, rows)


async def _copy_what_is_new(conn: AsyncConnection, driver: Any, rows: list[tuple[Any, ...]]) -> None:
    """COPY into a table of this session and insert from there, because COPY itself knows no conflicts."""
    empty = select(*(commit.c[name] for name in _COLUMNS)).limit(0)
    arriving = CreateTableAs(empty, "arriving_commit", temporary=True, if_not_exists=True)
    await conn.execute(arriving)
    await driver.copy_records_to_table("arriving_commit", records=rows, columns=_COLUMNS)
    source = select(*(arriving.table.c[name] for name in _COLUMNS))
    await conn.execute(postgresql.insert(commit).from_select(list(_COLUMNS), source).on_conflict_do_nothing())
    await conn.execute(text("truncate arriving_commit"))


async def _people_named(conn: AsyncConnection, logins: Sequence[str]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    login = func.lower(person.c.login)
    for chunk in chunked(logins):
        rows = await conn.execute(
            select(login, func.min(person.c.id))
            .where(login.in_(chunk))
            .group_by(login)
            .having(func.count() == 1)
        )
        found.extend((row[0], row[1]) for row in rows)
    return found


def _addresses(commits: Sequence[Commit]) -> set[str]:
    addresses = {each.author.email for each in commits}
    addresses.update(each.committer.email for each in commits)
    addresses.update(helper.email for each in commits for helper in each.co_authors)
    return addresses
