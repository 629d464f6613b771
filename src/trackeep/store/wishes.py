"""Repositories that somebody asked for by name, and what GitHub said when their own token asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.store.tables_choices import wish

WAITING, FOLLOWED, REFUSED = "waiting", "followed", "refused"
# Each costs a request: whoever types many has them asked bit by bit.
MOST_WAITING = 20
ANSWERS_KEPT_S = 86_400


@dataclass(frozen=True)
class Wish:
    """`name` is its key, `asked` what was typed; `problem` and `link` say why it was refused."""

    name: str
    asked: str
    asked_at: int
    state: str
    problem: str
    link: str


async def make(conn: AsyncConnection, account_id: int, full_name: str, now: int) -> bool:
    """Have the next pass ask GitHub for `full_name` (owner/name); False while too many are waiting."""
    mine = wish.c.account_id == account_id
    await conn.execute(delete(wish).where(mine, wish.c.answered_at < now - ANSWERS_KEPT_S))
    others = select(func.count()).where(mine, wish.c.state == WAITING, wish.c.name != full_name.lower())
    if (await conn.execute(others)).scalar_one() >= MOST_WAITING:
        return False
    row = {
        "account_id": account_id,
        "name": full_name.lower(),
        "asked": full_name,
        "asked_at": now,
        "state": WAITING,
        "answered_at": None,
        "problem": "",
        "link": "",
    }
    await upsert(conn, wish, [row], key=["account_id", "name"])
    return True


async def answer(
    conn: AsyncConnection, account_id: int, name: str, now: int, *, problem: str = "", link: str = ""
) -> None:
    """What came of it: followed, or refused with the reason."""
    this = (wish.c.account_id == account_id) & (wish.c.name == name)
    state = REFUSED if problem else FOLLOWED
    new = {"state": state, "answered_at": now, "problem": problem, "link": link}
    await conn.execute(update(wish).where(this).values(**new))


async def dismiss(conn: AsyncConnection, account_id: int, name: str) -> None:
    """The person has read it, or does not want it any more."""
    await conn.execute(delete(wish).where(wish.c.account_id == account_id, wish.c.name == name))


async def of(conn: AsyncConnection, account_id: int) -> tuple[Wish, ...]:
    """All of them, as they were asked."""
    columns = [column for column in wish.c if column.name not in ("account_id", "answered_at")]
    rows = select(*columns).where(wish.c.account_id == account_id).order_by(wish.c.asked_at, wish.c.name)
    return tuple(Wish(**row._mapping) for row in (await conn.execute(rows)).all())


async def waiting(conn: AsyncConnection, account_id: int) -> Sequence[str]:
    """The names that GitHub is still to be asked for."""
    mine = (wish.c.account_id == account_id) & (wish.c.state == WAITING)
    rows = select(wish.c.name).where(mine).order_by(wish.c.asked_at, wish.c.name)
    return tuple((await conn.execute(rows)).scalars())
