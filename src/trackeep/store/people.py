"""Accounts, their addresses, their sealed way to GitHub, and who besides the owner may have one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import insert_once, upsert
from trackeep.errors import NotFound, NotSignedIn, SecretsError, UsageError
from trackeep.model import Email, Person
from trackeep.store.tables import (
    account,
    account_email,
    allowed_person,
    connection,
    follow,
    instance,
    pending_arrival,
    person,
    seen_token,
    session,
)
from trackeep.store.tables_sharing import badge, feed_token
from trackeep.store.tables_sync import schedule
from trackeep.store.tables_tokens import api_token
from trackeep.vault import Vault

BY_COMMAND, BY_SETTING, BY_ORGANISATION = "command", "setting", "organisation"
# Every table whose rows let somebody in; a test holds it against all tables that belong to an account.
WAYS_IN = (session, pending_arrival, api_token, feed_token)


@dataclass(frozen=True)
class Credential:
    """A way to GitHub: `kind` is "broker" or "token"; `scopes` is None when the token has no scopes.

    Times are unix seconds; `expires_at` is None for a token that does not expire. `base_url` is the
    address of ours that the refresh token is bound to.
    """

    kind: str
    access_token: str = field(repr=False)
    token_fingerprint: str
    scopes: tuple[str, ...] | None = None
    refresh_token: str = field(default="", repr=False)
    expires_at: int | None = None
    broker_url: str = ""
    base_url: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Listed:
    """Somebody who may sign in; `why` are the words of `allowed_person`, several with commas."""

    id: int
    login: str
    role: str
    why: str
    last_seen_at: int | None
    name: str = ""

    @property
    def why_in_words(self) -> str:
        words = {"command": "The owner", "setting": "The setting for", "organisation": "Member of"}
        reasons = (reason.partition(" ") for reason in self.why.split(", ") if reason)
        return (
            ", ".join(f"{words[source]} {entry}".strip() for source, _, entry in reasons) or "Nobody any more"
        )


# ---- accounts -----------------------------------------------------------------------------------


async def save_account(conn: AsyncConnection, who: Person, emails: Iterable[Email], now: int) -> None:
    """Save a person who signs in, with the addresses that GitHub has verified as theirs."""
    columns = {"id": who.id, "login": who.login, "name": who.name, "avatar_url": who.avatar_url}
    await upsert(conn, person, [{**columns, "kind": who.kind}], key=["id"])
    await upsert(
        conn,
        account,
        [{"id": who.id, "role": "member", "created_at": now}],
        key=["id"],
        keep=["role", "created_at"],
    )
    # Addresses the person has chosen by hand stay; those GitHub no longer lists go.
    own = (account_email.c.account_id == who.id) & (account_email.c.source == "github")
    await conn.execute(delete(account_email).where(own))
    verified = {email.address.lower() for email in emails if email.verified}
    rows = [
        {"account_id": who.id, "address": address, "verified": True, "source": "github"}
        for address in sorted(verified)
    ]
    await upsert(conn, account_email, rows, key=["account_id", "address"])


async def account_named(conn: AsyncConnection, login: str | None) -> int:
    """The id of the account `login`, or of the only one.

    Raises NotSignedIn when there is none, UsageError when a name is needed, NotFound for an unknown one.
    """
    found = select(account.c.id, person.c.login).join(person, person.c.id == account.c.id)
    rows = (await conn.execute(found.order_by(person.c.login))).all()
    if not rows:
        raise NotSignedIn("Nobody has signed in yet.", "Open the web page, or set GITHUB_TOKEN.")
    if login is None and len(rows) == 1:
        return int(rows[0].id)
    logins = ", ".join(row.login for row in rows)
    if login is None:
        raise UsageError("Several people sign in here.", f"Say which one with --account: {logins}.")
    for row in rows:
        if row.login.lower() == login.lower():
            return int(row.id)
    raise NotFound(f"Nobody called {login} has signed in here.", f"Known are: {logins}.")


async def follows_nothing(conn: AsyncConnection, account_id: int) -> bool:
    rows = await conn.execute(
        select(follow.c.repository_id).where(follow.c.account_id == account_id).limit(1)
    )
    return rows.first() is None


async def make_due(conn: AsyncConnection, account_id: int, now: int) -> None:
    """Let the worker look after this account at once."""
    await upsert(
        conn, schedule, [{"account_id": account_id, "due_at": now, "priority": 0}], key=["account_id"]
    )


async def remember_token(conn: AsyncConnection, jti: str, expires_at: int, now: int) -> bool:
    """Note that a login token was used; False when it was used before."""
    await conn.execute(delete(seen_token).where(seen_token.c.expires_at < now))
    return await insert_once(conn, seen_token, {"jti": jti, "expires_at": expires_at})


# ---- their way to GitHub ------------------------------------------------------------------------


async def save_credential(
    conn: AsyncConnection, vault: Vault, account_id: int, new: Credential, now: int
) -> Credential | None:
    """Seal `new` into the account's row; returns what it replaces, so that it can be revoked."""
    try:
        old = await credential(conn, vault, account_id)
    except SecretsError:
        # Its key is lost, which is a reason to come here, not one to turn people away.
        old = None
    row = {"account_id": account_id, "retry_at": None, "created_at": now}
    await upsert(conn, connection, [row | sealed(vault, account_id, new, now)], key=["account_id"])
    return old if old and old.access_token != new.access_token else None


def sealed(vault: Vault, account_id: int, new: Credential, now: int) -> dict[str, Any]:
    """The columns of a connection that has just got `new`, as it stands in the account's row."""
    return {
        "kind": new.kind,
        "access_token": vault.seal(new.access_token, _place("access_token", account_id)),
        "refresh_token": vault.seal(new.refresh_token, _place("refresh_token", account_id))
        if new.refresh_token
        else None,
        "token_fingerprint": new.token_fingerprint,
        "scopes": "-" if new.scopes is None else " ".join(new.scopes),
        "broker_url": new.broker_url,
        "base_url": new.base_url,
        "client_id": new.client_id,
        "state": "ok",
        "problem": "",
        "expires_at": new.expires_at,
        "refreshed_at": now,
        "renewal_by": "",
        "renewal_until": None,
        "renewal_asked_at": None,
        "renewal_after": None,
        "renewal_failures": 0,
    }


async def credential(conn: AsyncConnection, vault: Vault, account_id: int) -> Credential | None:
    """The account's way to GitHub, or None when it has none.

    Raises SecretsError when the key that sealed it is not here any more.
    """
    row = (await conn.execute(select(connection).where(connection.c.account_id == account_id))).first()
    if row is None or row.access_token is None:
        return None
    return Credential(
        kind=row.kind,
        access_token=vault.open(row.access_token, _place("access_token", account_id)),
        token_fingerprint=row.token_fingerprint,
        scopes=None if row.scopes == "-" else tuple(row.scopes.split()),
        refresh_token=vault.open(row.refresh_token, _place("refresh_token", account_id))
        if row.refresh_token
        else "",
        expires_at=row.expires_at,
        broker_url=row.broker_url,
        base_url=row.base_url,
        client_id=row.client_id,
    )


async def disconnect(conn: AsyncConnection, account_id: int) -> None:
    """Forget the account's way to GitHub; what was fetched by it stays."""
    await conn.execute(delete(connection).where(connection.c.account_id == account_id))


def _place(column: str, account_id: int) -> str:
    return f"connection.{column}.{account_id}"


# ---- who may sign in ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Admission:
    """What the settings say about who may sign in besides the owner; names in lower case."""

    users: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()

    @classmethod
    def of(cls, users: Collection[str], organisations: Collection[str]) -> Admission:
        return cls(frozenset(map(str.lower, users)), frozenset(map(str.lower, organisations)))


def may_enter(account_id: Any, rules: Admission) -> Any:
    """A condition: `account_id` owns this instance, or is allowed by a row that still stands."""
    stands = or_(
        allowed_person.c.source == BY_COMMAND,
        and_(allowed_person.c.source == BY_SETTING, allowed_person.c.entry.in_(rules.users)),
        and_(allowed_person.c.source == BY_ORGANISATION, allowed_person.c.entry.in_(rules.organisations)),
    )
    return or_(
        select(instance.c.id).where(instance.c.owner_id == account_id).exists(),
        select(allowed_person.c.id).where(allowed_person.c.id == account_id, stands).exists(),
    )


async def is_admitted(conn: AsyncConnection, person_id: int, rules: Admission) -> bool:
    row = await conn.execute(select(case((may_enter(person_id, rules), 1), else_=0)))
    return bool(row.scalar_one())


async def allow(conn: AsyncConnection, who: Person, source: str, now: int, *, entry: str = "") -> None:
    """Let the person with this GitHub id sign in, whatever their login becomes."""
    row = {"id": who.id, "source": source, "login": who.login, "checked_at": now}
    await upsert(conn, allowed_person, [{**row, "entry": entry.lower()}], key=["id", "source"])


async def forget_memberships(conn: AsyncConnection, person_id: int) -> None:
    """What a person may through an organisation is found out again at every login."""
    mine = (allowed_person.c.id == person_id) & (allowed_person.c.source == BY_ORGANISATION)
    await conn.execute(delete(allowed_person).where(mine))


@dataclass(frozen=True)
class Membership:
    """Somebody who may sign in because an organisation lets them, and when that was last true."""

    person_id: int
    entry: str
    checked_at: int


async def memberships_due(conn: AsyncConnection, before: int) -> list[Membership]:
    """Those who may sign in through an organisation and were last checked before an instant."""
    due = (allowed_person.c.source == BY_ORGANISATION) & (allowed_person.c.checked_at <= before)
    rows = await conn.execute(select(allowed_person).where(due).order_by(allowed_person.c.id))
    return [Membership(row.id, row.entry, row.checked_at) for row in rows]


async def renew_membership(conn: AsyncConnection, person_id: int, entry: str, now: int) -> None:
    """They are a member of `entry` today; says nothing of somebody who was removed meanwhile."""
    mine = (allowed_person.c.id == person_id) & (allowed_person.c.source == BY_ORGANISATION)
    await conn.execute(update(allowed_person).where(mine).values(entry=entry, checked_at=now))


async def end_membership(conn: AsyncConnection, person_id: int, rules: Admission) -> bool:
    """What an organisation gave ends; True when nothing else lets them in, so that they are signed out."""
    await forget_memberships(conn, person_id)
    if await is_admitted(conn, person_id, rules):
        return False
    await end_ways_in(conn, person_id)
    return True


async def unresolved(conn: AsyncConnection, logins: Iterable[str]) -> list[str]:
    """Those of `logins` in the settings whose GitHub id is not known yet."""
    known = select(allowed_person.c.entry).where(allowed_person.c.source == BY_SETTING)
    entries = set((await conn.execute(known)).scalars())
    return sorted({login.lower() for login in logins} - entries)


async def known_as(conn: AsyncConnection, login: str) -> list[int]:
    """GitHub's numbers of accounts and allowed people with this login; none for a stranger's."""
    accounts = select(account.c.id).join(person, person.c.id == account.c.id)
    listed = select(allowed_person.c.id).where(_named(allowed_person.c.login, login))
    ids = set((await conn.execute(accounts.where(_named(person.c.login, login)))).scalars())
    return sorted(ids | set((await conn.execute(listed)).scalars()))


async def shut_out(conn: AsyncConnection, person_id: int) -> bool:
    """Take away every permission of a person and end every way in; False when there was nothing.

    Raises UsageError for the owner.
    """
    owner = select(instance.c.id).where(instance.c.owner_id == person_id)
    if (await conn.execute(owner)).first():
        raise UsageError("The owner cannot be removed.", "Make somebody else the owner first.")
    removed = await conn.execute(delete(allowed_person).where(allowed_person.c.id == person_id))
    ended = await end_ways_in(conn, person_id)
    return bool(removed.rowcount or ended)


async def end_ways_in(conn: AsyncConnection, account_id: int) -> int:
    """End every session and every token by which this account reaches the instance; how many there were."""
    ended = 0
    for table in WAYS_IN:
        ended += (await conn.execute(delete(table).where(table.c.account_id == account_id))).rowcount
    # Not a way in, but what they gave out must not come back with them either.
    await conn.execute(delete(badge).where(badge.c.account_id == account_id))
    return ended


async def make_owner(conn: AsyncConnection, account_id: int) -> None:
    """Hand the instance to an account that has signed in before."""
    await upsert(conn, instance, [{"id": 1, "owner_id": account_id, "setup_hash": None}], key=["id"])
    await show_owner(conn, account_id)


async def hand_over(
    conn: AsyncConnection, giver_id: int, account_id: int, rules: Admission, now: int
) -> None:
    """Make another account the owner; the giver stays allowed. Raises NotFound unless it may sign in."""
    has_come = (await conn.execute(select(account.c.id).where(account.c.id == account_id))).first()
    if not has_come or not await is_admitted(conn, account_id, rules):
        raise NotFound("This person has not signed in here yet.", "Ask them to sign in first.")
    giver = (await conn.execute(select(person).where(person.c.id == giver_id))).one()
    await allow(conn, Person(giver_id, giver.login), BY_COMMAND, now)
    await make_owner(conn, account_id)


async def show_owner(conn: AsyncConnection, account_id: int) -> None:
    """Write the roles so that they tell what the instance's own row says."""
    role = case((account.c.id == account_id, "owner"), else_="member")
    await conn.execute(update(account).values(role=role))


async def everybody(conn: AsyncConnection) -> list[Listed]:
    """Accounts and allowed people who have not come yet, the owner first."""
    last = select(func.max(session.c.seen_at)).where(session.c.account_id == account.c.id).scalar_subquery()
    accounts = select(account.c.id, person.c.login, person.c.name, account.c.role, last.label("last_seen_at"))
    rows = (await conn.execute(accounts.join(person, person.c.id == account.c.id))).all()
    why: dict[int, list[Row[Any]]] = {}
    for row in (await conn.execute(select(allowed_person).order_by(allowed_person.c.source))).all():
        why.setdefault(row.id, []).append(row)
    found = [
        Listed(row.id, row.login, row.role, _reasons(why.pop(row.id, [])), row.last_seen_at, row.name)
        for row in rows
    ]
    found += [Listed(id, rows[0].login, "invited", _reasons(rows), None) for id, rows in why.items()]
    return sorted(found, key=lambda one: (one.role != "owner", one.login.lower()))


def _reasons(rows: Iterable[Row[Any]]) -> str:
    return ", ".join(f"{row.source} {row.entry}".strip() for row in rows)


def _named(column: Any, login: str) -> Any:
    return func.lower(column) == login.lower()
