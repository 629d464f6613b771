"""How one account reaches GitHub, as far as a page may show it: never the token itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader
from trackeep.store.tables import access, connection, follow
from trackeep.store.tables_sync import cursor


@dataclass(frozen=True)
class Connection:
    """`scopes` is None for a token that has permissions instead; times in unix seconds."""

    kind: str
    state: str
    problem: str
    scopes: tuple[str, ...] | None
    token_fingerprint: str
    broker_url: str
    connected_at: int
    renewed_at: int | None
    expires_at: int | None
    is_renewable: bool
    tried_again_at: int | None


async def connection_of(conn: AsyncConnection, account_id: int) -> Connection | None:
    """The account's way to GitHub, None when no token is stored; one query."""
    row = (await conn.execute(select(connection).where(connection.c.account_id == account_id))).first()
    if row is None or row.access_token is None:
        return None
    return Connection(
        kind=row.kind,
        state=row.state,
        problem=row.problem,
        scopes=None if row.scopes == "-" else tuple(row.scopes.split()),
        token_fingerprint=row.token_fingerprint,
        broker_url=row.broker_url,
        connected_at=row.created_at,
        renewed_at=row.refreshed_at,
        expires_at=row.expires_at,
        is_renewable=row.refresh_token is not None,
        tried_again_at=row.renewal_after if row.renewal_failures else None,
    )


@dataclass(frozen=True)
class Blocked:
    """An owner whose repositories GitHub hides here; `link` is GitHub's page that helps, or ""."""

    owner: str
    problem: str
    link: str
    repositories: int


async def blocked_owners(conn: AsyncConnection, reader: Reader) -> tuple[Blocked, ...]:
    """Owners that want single sign-on first, or hide what this account follows; one query.

    Owners are named as the account knew them, and nothing is read of the repositories themselves.
    """
    me = reader.account_id
    rows = (
        select(access.c.known_as, cursor.c.problem, cursor.c.link)
        .select_from(cursor)
        .join(follow, and_(follow.c.repository_id == cursor.c.repository_id, follow.c.account_id == me))
        .join(access, and_(access.c.repository_id == cursor.c.repository_id, access.c.account_id == me))
        .where(cursor.c.account_id == me, cursor.c.problem != "")
        .where(or_(cursor.c.stream == "access", cursor.c.link != ""))
        .order_by(access.c.known_as)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in await conn.execute(rows):
        owner = row.known_as.partition("/")[0]
        found.setdefault(owner, {})[row.known_as] = row
    return tuple(
        Blocked(owner, *max((row.link, row.problem) for row in rows_of.values())[::-1], len(rows_of))
        for owner, rows_of in found.items()
        if owner
    )


async def is_graphql_refused(conn: AsyncConnection, account_id: int) -> bool:
    """True while REST is asked instead, because GitHub refused GraphQL to the token of today; one query."""
    rows = (
        select(cursor.c.position, connection.c.token_fingerprint)
        .join(connection, connection.c.account_id == cursor.c.account_id)
        .where(cursor.c.account_id == account_id, cursor.c.repository_id == 0, cursor.c.stream == "graphql")
    )
    row = (await conn.execute(rows)).first()
    return row is not None and json.loads(row.position or "{}").get("refused") == row.token_fingerprint
