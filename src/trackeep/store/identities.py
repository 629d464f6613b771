"""Whose an address in a commit is: which ones are still to be asked for, and what GitHub answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.model import Person
from trackeep.store.activity import GRANTED, save_people
from trackeep.store.history import identify
from trackeep.store.schedule import TRACKED
from trackeep.store.tables import access, follow, person, repository
from trackeep.store.tables_fetched import commit, identity, unclaimed_address

# An address that nobody has may be added to an account one day.
NOBODY_FOR_S = 30 * 86_400
# A commit that GitHub does not show: the repository may have moved, or its access is being changed.
UNSEEN_FOR_S = 86_400

_address = unclaimed_address.c


@dataclass(frozen=True, slots=True)
class Sample:
    """A commit to ask GitHub by; who wrote it is unknown, or who committed it."""

    repository_id: int
    node_id: str
    sha: str
    author_email: str
    committer_email: str
    owner: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


async def samples(conn: AsyncConnection, account_id: int, now: int, *, limit: int) -> list[Sample]:
    """Up to `limit` commits by unknown people, of repositories that this account follows and may read."""
    readable = (
        select(access.c.repository_id)
        .join(follow, follow.c.repository_id == access.c.repository_id)
        .where(access.c.account_id == account_id, access.c.state == GRANTED)
        .where(follow.c.account_id == account_id, follow.c.state == TRACKED)
    )
    one_each = (
        select(_address.email, func.min(_address.repository_id).label("repository_id"))
        .where(_address.due_at <= now, _address.repository_id.in_(readable), ~_is_known())
        .group_by(_address.email)
        .order_by(_address.email)
        .limit(limit)
        .subquery()
    )
    rows = (
        select(*(repository.c.id, repository.c.node_id, commit.c.sha))
        .add_columns(commit.c.author_email, commit.c.committer_email, repository.c.owner, repository.c.name)
        .distinct()
        .join_from(
            one_each,
            unclaimed_address,
            (_address.email == one_each.c.email) & (_address.repository_id == one_each.c.repository_id),
        )
        .join(repository, repository.c.id == _address.repository_id)
        .join(commit, (commit.c.repository_id == _address.repository_id) & (commit.c.sha == _address.sha))
        .order_by(repository.c.id, commit.c.sha)
    )
    return [Sample(*row) for row in await conn.execute(rows)]


async def save_answers(
    conn: AsyncConnection, answers: Mapping[str, Person | None], now: int, *, noreply_host: str
) -> None:
    """Store whose these addresses are; None is nobody's, which is remembered for a month."""
    people = {email: answers[email] for email in sorted(answers)}
    await save_people(conn, people.values())
    rows = [
        {"email": email, "person_id": each.id, "source": "github"} for email, each in people.items() if each
    ]
    await upsert(conn, identity, rows, key=("email",))
    # The other noreply address of each may stand in trailers, which GitHub is not asked about.
    plain = {f"{each.login}@{noreply_host}" for each in people.values() if each}
    await identify(conn, plain - people.keys(), noreply_host=noreply_host)
    await _put_off(conn, [email for email, each in people.items() if each is None], now + NOBODY_FOR_S)
    await _settle(conn, now)


async def put_off_unseen(conn: AsyncConnection, unseen: Iterable[Sample], now: int) -> None:
    """Ask by these commits another day; GitHub did not show them."""
    rows = [{"id": each.repository_id, "of": each.sha} for each in unseen]
    these = (_address.repository_id == bindparam("id")) & (_address.sha == bindparam("of"))
    if rows:
        await conn.execute(
            update(unclaimed_address).where(these).values(due_at=now + UNSEEN_FOR_S),
            sorted(rows, key=lambda row: (row["id"], row["of"])),
        )


async def _put_off(conn: AsyncConnection, emails: list[str], due_at: int) -> None:
    if emails:
        these = _address.email == bindparam("address")
        await conn.execute(
            update(unclaimed_address).where(these).values(due_at=due_at),
            [{"address": email} for email in emails],
        )


async def _settle(conn: AsyncConnection, now: int) -> None:
    """Take addresses off the list whose account is known by now, one by one in everybody's order."""
    known = select(_address.email).distinct().where(_address.due_at <= now, _is_known())
    rows = [{"address": email} for email in await conn.scalars(known.order_by(_address.email))]
    if rows:
        await conn.execute(delete(unclaimed_address).where(_address.email == bindparam("address")), rows)


def _is_known() -> ColumnElement[bool]:
    """GitHub has told whose the address is and who that is."""
    return (
        select(identity.c.email)
        .join(person, person.c.id == identity.c.person_id)
        .where(identity.c.email == _address.email)
        .exists()
    )
