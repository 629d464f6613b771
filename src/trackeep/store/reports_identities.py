"""Who a reader may say they are: addresses that nobody claims, and accounts met where they may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, among, followed, readable
from trackeep.store.tables import account_email, person
from trackeep.store.tables_fetched import commit, identity, issue, pull_request, review, unclaimed_address


@dataclass(frozen=True)
class Candidate:
    """An address in commits that GitHub gives to nobody, the name beside it and how many commits it has."""

    address: str
    name: str
    commits: int


async def candidates(conn: AsyncConnection, reader: Reader, *, limit: int = 8) -> tuple[Candidate, ...]:
    """Addresses that may be the reader's, the likeliest first; two queries.

    Only from repositories they may read. Likely: the name beside it is theirs, or it contains their login.
    """
    found = (await conn.execute(_likeliest(reader).limit(limit))).all()
    address = func.lower(commit.c.author_email)
    counted = (
        select(address, func.count(func.distinct(commit.c.sha)))
        .where(address.in_([row.address for row in found]), among(commit.c.repository_id, readable(reader)))
        .group_by(address)
    )
    counts = {row[0]: row[1] for row in await conn.execute(counted)} if found else {}
    return tuple(
        Candidate(row.address, row.name, counts.get(row.address, 0))
        for row in found
        if counts.get(row.address)
    )


def _likeliest(reader: Reader) -> Any:
    address = func.lower(unclaimed_address.c.email)
    me = select(person.c.name, person.c.login).where(person.c.id == reader.account_id).subquery()
    listed = select(func.lower(account_email.c.address)).where(
        account_email.c.account_id == reader.account_id
    )
    same_name = (func.lower(commit.c.author_name) == func.lower(me.c.name)) & (me.c.name != "")
    has_login = address.contains(func.lower(me.c.login), autoescape=False)
    likeness = func.min(case((same_name, 0), (has_login, 1), else_=2))
    here = (commit.c.sha == unclaimed_address.c.sha) & (
        commit.c.repository_id == unclaimed_address.c.repository_id
    )
    return (
        select(address.label("address"), func.max(commit.c.author_name).label("name"))
        .select_from(unclaimed_address.join(commit, here).join(me, me.c.login != ""))
        .where(
            unclaimed_address.c.repository_id.in_(followed(reader)),
            func.lower(commit.c.author_email) == address,
            address.not_in(listed),
        )
        .group_by(address)
        .order_by(likeness, address)
    )


async def person_met(conn: AsyncConnection, reader: Reader, login: str) -> int | None:
    """GitHub's number of the account with this login, if the reader can see something it did; one query."""
    places = readable(reader)
    theirs = or_(
        *(
            exists().where(table.c.author_id == person.c.id, among(table.c.repository_id, places))
            for table in (pull_request, review, issue)
        ),
        exists().where(
            identity.c.person_id == person.c.id,
            func.lower(commit.c.author_email) == func.lower(identity.c.email),
            among(commit.c.repository_id, places),
        ),
    )
    found = select(func.max(person.c.id)).where(func.lower(person.c.login) == login.lower(), theirs)
    number = (await conn.execute(found)).scalar_one_or_none()
    return None if number is None else int(number)
