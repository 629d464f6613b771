"""Every table of an instance; times are unix seconds, keys are GitHub's own numbers where it has some."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    text,
    true,
)

from trackeep.revisions import UNCOUNTED

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows by itself only in a column of its own INTEGER type.
BigId = BigInteger().with_variant(Integer, "sqlite")


def text_column(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", **more)


def flag_column(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def count_column(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def time_column(name: str, *, needed: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not needed)


def repository_key() -> Column[int]:
    return Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True)


def account_key(**more: Any) -> Column[int]:
    return Column("account_id", ForeignKey("account.id", ondelete="CASCADE"), **more)


# ---- who signs in -------------------------------------------------------------------------------

# One row for the whole instance: its owner, the set-up code that guards who becomes it, and the key that
# signs what it asks the OAuth service, sealed by the vault.
instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner_id", BigInteger),
    Column("setup_hash", LargeBinary),
    time_column("setup_expires_at"),
    count_column("setup_tries"),
    time_column("setup_tries_since"),
    Column("identity_key", LargeBinary),
    info=UNCOUNTED,
)

# Everybody GitHub has told us about, by GitHub's number.
person = Table(
    "person",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    text_column("login"),
    text_column("name"),
    text_column("avatar_url"),
    text_column("kind"),
    Index(None, "login"),
)

# Those of them who may sign in here; the id is the person's. `role` is "owner" or "member".
account = Table(
    "account",
    metadata,
    Column("id", ForeignKey("person.id"), primary_key=True, autoincrement=False),
    text_column("role"),
    text_column("time_zone"),
    text_column("theme"),
    # As ISO counts weekdays: 1 Monday, 6 Saturday, 7 Sunday.
    Column("week_start", SmallInteger, nullable=False, server_default=text("1")),
    text_column("heatmap"),
    text_column("date_style"),
    # After how many days without an event an open pull request is stale.
    Column("stale_days", SmallInteger, nullable=False, server_default=text("14")),
    time_column("created_at", needed=True),
    time_column("last_visit_at"),
    time_column("previous_visit_at"),
    info=UNCOUNTED,
)

# People besides the owner; `source` says why: "command" (trackeep user allow), "setting" or "organisation".
# `entry` is the login or organisation that the setting named, so that taking it out ends the permission.
allowed_person = Table(
    "allowed_person",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    text_column("entry"),
    text_column("login"),
    time_column("checked_at", needed=True),
    info=UNCOUNTED,
)

# The addresses whose commits count as this person's ("me").
account_email = Table(
    "account_email",
    metadata,
    account_key(primary_key=True),
    Column("address", Text, primary_key=True),
    flag_column("verified"),
    text_column("source"),
)

# Other GitHub accounts of the same person, by GitHub's number; only their own views count them as "me".
account_login = Table(
    "account_login",
    metadata,
    account_key(primary_key=True),
    Column("person_id", ForeignKey("person.id"), primary_key=True),
)

# Logins, in lower case, that this person calls bots besides those GitHub calls so.
account_bot = Table(
    "account_bot",
    metadata,
    account_key(primary_key=True),
    Column("login", Text, primary_key=True),
)

# Teams of organisations that this account is in, as organisation/team in lower case, told by its own token.
account_team = Table(
    "account_team",
    metadata,
    account_key(primary_key=True),
    Column("team", Text, primary_key=True),
    text_column("name"),
)

# How an account reaches GitHub; both secrets are sealed by the vault for exactly this row.
# `kind` is "broker", "app" (the instance's own registration) or "token" (pasted); `state` is "ok" or
# "reconnect". `base_url` is the address that the refresh token is bound to.
# `renewal_*`: who trades the token for a new one just now and until when,
# since when that one's answer is missing, and how long nobody tries again after failures. `retry_at` and
# `refusals`: until when GitHub wants to hear nothing, and how often in a row it said so, as JSON by resource.
connection = Table(
    "connection",
    metadata,
    account_key(primary_key=True),
    text_column("kind"),
    Column("access_token", LargeBinary),
    Column("refresh_token", LargeBinary),
    text_column("token_fingerprint"),
    text_column("scopes"),
    text_column("broker_url"),
    text_column("base_url"),
    text_column("client_id"),
    text_column("state"),
    text_column("problem"),
    time_column("expires_at"),
    time_column("refreshed_at"),
    time_column("retry_at"),
    text_column("refusals"),
    text_column("renewal_by"),
    time_column("renewal_until"),
    time_column("renewal_asked_at"),
    time_column("renewal_after"),
    count_column("renewal_failures"),
    time_column("created_at", needed=True),
    info=UNCOUNTED,
)

# Somebody who was signed in came back from GitHub as somebody else, and is asked which one to be.
# `arrival` holds the new token, sealed by the vault for exactly this row.
pending_arrival = Table(
    "pending_arrival",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    account_key(nullable=False, index=True),
    Column("arrival", LargeBinary, nullable=False),
    time_column("expires_at", needed=True),
    info=UNCOUNTED,
)

session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    account_key(nullable=False, index=True),
    time_column("created_at", needed=True),
    time_column("seen_at", needed=True),
    time_column("expires_at", needed=True),
    text_column("user_agent"),
    text_column("address"),
    info=UNCOUNTED,
)

# Login tokens seen once are refused the second time; rows go when the token would have expired.
seen_token = Table(
    "seen_token",
    metadata,
    Column("jti", Text, primary_key=True),
    time_column("expires_at", needed=True),
    info=UNCOUNTED,
)

# ---- what is followed ---------------------------------------------------------------------------

repository = Table(
    "repository",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    text_column("node_id"),
    text_column("owner"),
    text_column("name"),
    flag_column("private"),
    flag_column("fork"),
    flag_column("archived"),
    text_column("default_branch"),
    text_column("description"),
    text_column("language"),
    count_column("size_kb"),
    time_column("created_at"),
    time_column("pushed_at"),
    time_column("updated_at"),
    # "" while GitHub answers; else "gone" with the time since when.
    text_column("state"),
    time_column("state_since"),
    text_column("former_names"),
    Index("ix_repository_full_name", text("lower(owner)"), text("lower(name)")),
)

# `state` is "tracked" or "paused"; what is hidden is out of the follower's own lists of repositories.
follow = Table(
    "follow",
    metadata,
    account_key(primary_key=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True, index=True),
    text_column("state"),
    flag_column("hidden"),
    # Asked for which files each commit changed (see paths.py).
    flag_column("files"),
    time_column("created_at", needed=True),
)

# Proof that an account may read a repository, renewed by its own token; every read joins it.
# `state` is "granted" or "lost".
access = Table(
    "access",
    metadata,
    account_key(primary_key=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True, index=True),
    text_column("state"),
    text_column("permission"),
    time_column("checked_at", needed=True),
    # What it was called when this very token was last given its name: a later one is not theirs to read.
    text_column("known_as"),
    info=UNCOUNTED,
)
