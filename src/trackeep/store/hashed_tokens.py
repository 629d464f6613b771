"""What all our tokens have in common as rows: stored as a hash, found by it, listed and revoked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import sessions
from trackeep.store.people import Admission, may_enter
from trackeep.store.tables import account, person
from trackeep.store.token_text import SHOWN

# How stale `last_used_at` may become: a request must not cost a write.
TOUCH_AFTER_S = 60
LONGEST_NAME = 100
MOST_TOKENS = 100


@dataclass(frozen=True)
class HashedTokens:
    """The tokens of one table; `what` is what a message calls one. Rows are told without their hash."""

    table: Table
    what: str

    def named(self, name: str) -> str:
        """The name as it is stored. Raises UsageError for what is none."""
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            hint = f"Write what it is for, in at most {LONGEST_NAME} letters."
            raise UsageError(f"A {self.what} needs a name.", hint)
        return name

    async def save(self, conn: AsyncConnection, account_id: int, token: str, **values: Any) -> int:
        """Save the hash of a new token and `values`; its id. Raises UsageError where there are too many."""
        rows = self.table.c
        count = select(func.count()).select_from(self.table).where(rows.account_id == account_id)
        if (await conn.execute(count)).scalar_one() >= MOST_TOKENS:
            raise UsageError(
                f"There are {MOST_TOKENS} {self.what}s already.", "Revoke those that nothing uses."
            )
        row = {"account_id": account_id, "token_hash": _hash(token), "prefix": token[:SHOWN], **values}
        inserted = await conn.execute(self.table.insert().values(row).returning(rows.id))
        return int(inserted.scalar_one())

    async def find(
        self, conn: AsyncConnection, token: str, rules: Admission, *where: ColumnElement[bool]
    ) -> tuple[dict[str, Any], sessions.Found] | None:
        """The row and whose token this is, or None; a person who may not enter any more has none.

        The hash of 256 random bits is looked up, so how long that takes tells nothing about a token.
        """
        rows, own = self.table.c, self._told()
        admitted = case((may_enter(account.c.id, rules), 1), else_=0)
        seen_at = func.coalesce(rows.last_used_at, 0).label("seen_at")
        statement = (
            sessions.people(seen_at, *(column.label(f"token_{column.name}") for column in own))
            .select_from(self.table)
            .join(account, account.c.id == rows.account_id)
            .join(person, person.c.id == account.c.id)
            .where(rows.token_hash == _hash(token), admitted == 1, *where)
        )
        found = (await conn.execute(statement)).first()
        if found is None:
            return None
        values = dict(found._mapping)
        row = {column.name: values.pop(f"token_{column.name}") for column in own}
        return row, sessions.Found(**values)

    async def touch(self, conn: AsyncConnection, token_id: int, address: str, now: int) -> None:
        """Note that a token was used, once a minute at most however many requests come together."""
        rows = self.table.c
        stale = or_(rows.last_used_at.is_(None), rows.last_used_at <= now - TOUCH_AFTER_S)
        statement = update(self.table).where(rows.id == token_id, stale)
        await conn.execute(statement.values(last_used_at=now, last_used_address=address))

    async def of(self, conn: AsyncConnection, account_id: int) -> list[dict[str, Any]]:
        """Every token of an account, newest first."""
        rows = self.table.c
        statement = select(*self._told()).where(rows.account_id == account_id).order_by(rows.id.desc())
        return [dict(row._mapping) for row in await conn.execute(statement)]

    async def revoke(self, conn: AsyncConnection, account_id: int, token_id: int) -> bool:
        """End a token of this account; False when it has none such."""
        this = (self.table.c.account_id == account_id) & (self.table.c.id == token_id)
        return bool((await conn.execute(delete(self.table).where(this))).rowcount)

    def _told(self) -> list[Column[Any]]:
        return [column for column in self.table.c if column.name not in ("account_id", "token_hash")]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
