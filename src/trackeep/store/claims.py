"""What a person says about themselves and others: which addresses and accounts are theirs, who is a bot."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.errors import UsageError
from trackeep.store.tables import account_bot, account_email, account_login, person

CHOSEN = "chosen"
MOST = 100


@dataclass(frozen=True)
class Address:
    """`is_chosen`: the person said so; else GitHub has verified it, or lists it without having done so."""

    address: str
    is_chosen: bool
    is_verified: bool


@dataclass(frozen=True)
class Claims:
    """Addresses, other GitHub accounts as (number, login), and logins that this person calls bots."""

    addresses: tuple[Address, ...]
    accounts: tuple[tuple[int, str], ...]
    bots: tuple[str, ...]


async def claims_of(conn: AsyncConnection, account_id: int) -> Claims:
    """Everything that an account has claimed; three queries."""
    emails = (
        select(account_email)
        .where(account_email.c.account_id == account_id)
        .order_by(account_email.c.address)
    )
    logins = (
        select(person.c.id, person.c.login)
        .join(account_login, account_login.c.person_id == person.c.id)
        .where(account_login.c.account_id == account_id)
        .order_by(person.c.login)
    )
    bots = select(account_bot.c.login).where(account_bot.c.account_id == account_id)
    return Claims(
        tuple(Address(row.address, row.source == CHOSEN, row.verified) for row in await conn.execute(emails)),
        tuple((row.id, row.login) for row in await conn.execute(logins)),
        tuple((await conn.scalars(bots.order_by(account_bot.c.login))).all()),
    )


async def claim_address(conn: AsyncConnection, account_id: int, address: str) -> None:
    """Count commits from this address as the account's own, in its own views alone.

    Raises UsageError beyond 100 of them.
    """
    known = select(func.count()).where(account_email.c.account_id == account_id)
    _check((await conn.execute(known)).scalar_one())
    row = {"account_id": account_id, "address": address.lower(), "verified": False, "source": CHOSEN}
    # What GitHub has verified already says the same, and more.
    await upsert(conn, account_email, [row], key=["account_id", "address"], keep=["verified", "source"])
    unverified = (account_email.c.account_id == account_id) & (account_email.c.address == address.lower())
    await conn.execute(
        account_email.update().where(unverified, ~account_email.c.verified).values(source=CHOSEN)
    )


async def drop_address(conn: AsyncConnection, account_id: int, address: str) -> None:
    """Take back a claim; addresses that GitHub verified stay."""
    own = (account_email.c.account_id == account_id) & (account_email.c.source == CHOSEN)
    await conn.execute(delete(account_email).where(own, account_email.c.address == address.lower()))


async def claim_account(conn: AsyncConnection, account_id: int, person_id: int) -> None:
    """Count what this GitHub account did as the person's own, in their own views alone."""
    known = select(func.count()).where(account_login.c.account_id == account_id)
    _check((await conn.execute(known)).scalar_one())
    if person_id != account_id:
        row = {"account_id": account_id, "person_id": person_id}
        await upsert(conn, account_login, [row], key=["account_id", "person_id"])


async def drop_account(conn: AsyncConnection, account_id: int, person_id: int) -> None:
    own = account_login.c.account_id == account_id
    await conn.execute(delete(account_login).where(own, account_login.c.person_id == person_id))


async def call_bot(conn: AsyncConnection, account_id: int, login: str) -> None:
    """Leave this login out of people and review figures, in the account's own views alone."""
    known = select(func.count()).where(account_bot.c.account_id == account_id)
    _check((await conn.execute(known)).scalar_one())
    row = {"account_id": account_id, "login": login.lower()}
    await upsert(conn, account_bot, [row], key=["account_id", "login"])


async def call_person(conn: AsyncConnection, account_id: int, login: str) -> None:
    own = account_bot.c.account_id == account_id
    await conn.execute(delete(account_bot).where(own, account_bot.c.login == login.lower()))


def _check(count: int) -> None:
    if count >= MOST:
        raise UsageError(f"There are {MOST} of them already.", "Take one away first.")
