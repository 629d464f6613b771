"""What badges say: a repository that may be shown, its open pull requests, and when the sync last looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, followed, readable
from trackeep.store.reports_sync import last_look
from trackeep.store.tables import account, repository
from trackeep.store.tables_fetched import pull_request


@dataclass(frozen=True)
class Place:
    """A repository that a badge may be about."""

    id: int
    full_name: str
    private: bool


async def place(conn: AsyncConnection, reader: Reader, repository_id: int) -> Place | None:
    """The repository, or None where this reader may not see it just now; one query."""
    here = repository.c.id
    statement = _places().where(here == repository_id, here.in_(readable(reader)))
    row = (await conn.execute(statement)).first()
    return _place(row) if row else None


async def places(conn: AsyncConnection, reader: Reader) -> tuple[Place, ...]:
    """All followed repositories, by name; one query."""
    mine = _places().where(repository.c.id.in_(followed(reader)))
    ordered = mine.order_by(func.lower(repository.c.owner), func.lower(repository.c.name))
    return tuple(_place(row) for row in (await conn.execute(ordered)).all())


async def open_pulls(conn: AsyncConnection, reader: Reader, repository_id: int) -> int:
    """How many pull requests of the repository are open; one query."""
    here = pull_request.c.repository_id
    statement = select(func.count()).where(here == repository_id, here.in_(readable(reader)))
    return int((await conn.execute(statement.where(pull_request.c.state == "open"))).scalar_one())


async def synced_at(conn: AsyncConnection, reader: Reader) -> int | None:
    """When the reader's last good look at GitHub ended; one query."""
    statement = select(last_look(reader.account_id)).where(account.c.id == reader.account_id)
    found = (await conn.execute(statement)).scalar_one_or_none()
    return None if found is None else int(found)


def _places() -> Select[Any]:
    return select(repository.c.id, repository.c.owner, repository.c.name, repository.c.private)


def _place(row: Any) -> Place:
    return Place(row.id, f"{row.owner}/{row.name}", bool(row.private))
