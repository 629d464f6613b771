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


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", **more)


def _flag(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _time(name: str, *, needed: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not needed)


def _repository_key() -> Column[int]:
    return Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True)


def _account_key(**more: Any) -> Column[int]:
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
    _time("setup_expires_at"),
    _count("setup_tries"),
    _time("setup_tries_since"),
    Column("identity_key", LargeBinary),
)

# Everybody GitHub has told us about, by GitHub's number.
person = Table(
    "person",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _text("login"),
    _text("name"),
    _text("avatar_url"),
    _text("kind"),
    Index(None, "login"),
)

# Those of them who may sign in here; the id is the person's. `role` is "owner" or "member".
account = Table(
    "account",
    metadata,
    Column("id", ForeignKey("person.id"), primary_key=True, autoincrement=False),
    _text("role"),
    _text("time_zone"),
    _text("theme"),
    Column("week_start", SmallInteger, nullable=False, server_default=text("1")),
    _time("created_at", needed=True),
    _time("last_visit_at"),
    _time("previous_visit_at"),
)

# People besides the owner; `source` says why: "command" (trackeep user allow), "setting" or "organisation".
# `entry` is the login or organisation that the setting named, so that taking it out ends the permission.
allowed_person = Table(
    "allowed_person",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    _text("entry"),
    _text("login"),
    _time("checked_at", needed=True),
)

# The addresses whose commits count as this person's ("me").
account_email = Table(
    "account_email",
    metadata,
    _account_key(primary_key=True),
    Column("address", Text, primary_key=True),
    _flag("verified"),
    _text("source"),
)

# How an account reaches GitHub; both secrets are sealed by the vault for exactly this row.
# `kind` is "broker" or "token" (pasted); `state` is "ok" or "reconnect". `base_url` is the address that
# the refresh token is bound to. `renewal_*`: who trades the token for a new one just now and until when,
# since when that one's answer is missing, and how long nobody tries again after failures.
connection = Table(
    "connection",
    metadata,
    _account_key(primary_key=True),
    _text("kind"),
    Column("access_token", LargeBinary),
    Column("refresh_token", LargeBinary),
    _text("token_fingerprint"),
    _text("scopes"),
    _text("broker_url"),
    _text("base_url"),
    _text("client_id"),
    _text("state"),
    _text("problem"),
    _time("expires_at"),
    _time("refreshed_at"),
    _time("retry_at"),
    _text("renewal_by"),
    _time("renewal_until"),
    _time("renewal_asked_at"),
    _time("renewal_after"),
    _count("renewal_failures"),
    _time("created_at", needed=True),
)

# Somebody who was signed in came back from GitHub as somebody else, and is asked which one to be.
# `arrival` holds the new token, sealed by the vault for exactly this row.
pending_arrival = Table(
    "pending_arrival",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    _account_key(nullable=False, index=True),
    Column("arrival", LargeBinary, nullable=False),
    _time("expires_at", needed=True),
)

session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    _account_key(nullable=False, index=True),
    _time("created_at", needed=True),
    _time("seen_at", needed=True),
    _time("expires_at", needed=True),
    _text("user_agent"),
    _text("address"),
)

# Login tokens seen once are refused the second time; rows go when the token would have expired.
seen_token = Table(
    "seen_token", metadata, Column("jti", Text, primary_key=True), _time("expires_at", needed=True)
)

# ---- what is followed ---------------------------------------------------------------------------

repository = Table(
    "repository",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _text("node_id"),
    _text("owner"),
    _text("name"),
    _flag("private"),
    _flag("fork"),
    _flag("archived"),
    _text("default_branch"),
    _text("description"),
    _text("language"),
    _count("size_kb"),
    _time("created_at"),
    _time("pushed_at"),
    _time("updated_at"),
    # "" while GitHub answers; else "gone" with the time since when.
    _text("state"),
    _time("state_since"),
    _text("former_names"),
    Index("ix_repository_full_name", text("lower(owner)"), text("lower(name)")),
)

# `state` is "tracked" or "paused".
follow = Table(
    "follow",
    metadata,
    _account_key(primary_key=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True, index=True),
    _text("state"),
    _time("created_at", needed=True),
)

# Proof that an account may read a repository, renewed by its own token; every read joins it.
# `state` is "granted" or "lost".
access = Table(
    "access",
    metadata,
    _account_key(primary_key=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True, index=True),
    _text("state"),
    _text("permission"),
    _time("checked_at", needed=True),
)

# ---- what was fetched ---------------------------------------------------------------------------

commit = Table(
    "commit",
    metadata,
    _repository_key(),
    Column("sha", Text, primary_key=True),
    _text("parents"),
    Column("parent_count", SmallInteger, nullable=False, server_default=text("0")),
    _text("author_name"),
    _text("author_email"),
    _time("authored_at", needed=True),
    Column("author_offset_minutes", Integer, nullable=False, server_default=text("0")),
    _text("committer_name"),
    _text("committer_email"),
    _time("committed_at", needed=True),
    Column("committer_offset_minutes", Integer, nullable=False, server_default=text("0")),
    _text("message"),
    _flag("signed"),
    # Reached from any branch or tag as of the last fetch; from the default branch.
    _flag("reachable", default=True),
    _flag("on_default"),
    Column("additions", Integer),
    Column("deletions", Integer),
    Column("changed_files", Integer),
    Index("ix_commit_repository_committed", "repository_id", "committed_at"),
    Index("ix_commit_author_email_authored", text("lower(author_email)"), "authored_at"),
    Index("ix_commit_sha", "sha"),
    Index("ix_commit_committed", "committed_at", "sha"),
)

co_author = Table(
    "co_author",
    metadata,
    _repository_key(),
    Column("sha", Text, primary_key=True),
    Column("email", Text, primary_key=True),
    _text("name"),
)

# Which GitHub account an address in a commit belongs to.
identity = Table(
    "identity",
    metadata,
    Column("email", Text, primary_key=True),
    Column("person_id", BigInteger, nullable=False, index=True),
    _text("source"),
)

# Addresses of commits whose account is not known yet, with one commit of each repository to ask GitHub by.
unclaimed_address = Table(
    "unclaimed_address",
    metadata,
    Column("email", Text, primary_key=True),
    _repository_key(),
    _text("sha"),
    # 0: not asked yet; an address that GitHub takes for nobody's is asked again much later.
    _time("due_at", needed=True),
    Index(None, "due_at"),
    Index(None, "repository_id", "due_at"),
)

ref = Table(
    "ref",
    metadata,
    _repository_key(),
    Column("name", Text, primary_key=True),
    _text("sha"),
    _text("commit_sha"),
    _time("first_seen_at", needed=True),
    _time("moved_at", needed=True),
)

# What we saw happen to a ref between two fetches: created, deleted, moved, forced.
ref_change = Table(
    "ref_change",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), nullable=False),
    _text("name"),
    _text("kind"),
    _text("before_sha"),
    _text("after_sha"),
    _count("commits"),
    _time("seen_at", needed=True),
    Index(None, "repository_id", "seen_at"),
)

pull_request = Table(
    "pull_request",
    metadata,
    _repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger),
    _text("node_id"),
    _text("title"),
    _text("state"),
    _flag("draft"),
    Column("author_id", BigInteger, index=True),
    _text("base_ref"),
    _text("head_ref"),
    _text("head_sha"),
    _time("created_at", needed=True),
    _time("updated_at", needed=True),
    _time("closed_at"),
    _time("merged_at"),
    Column("merged_by_id", BigInteger),
    _text("merge_sha"),
    Column("additions", Integer),
    Column("deletions", Integer),
    Column("changed_files", Integer),
    Column("comments", Integer),
    _text("review_decision"),
    _text("mergeable"),
    _text("checks"),
    _time("ready_at"),
    _time("first_commit_at"),
    Column("unresolved_threads", Integer),
    # JSON list of {name, color}: shown and filtered by name, never joined.
    _text("labels"),
    _time("detailed_at"),
    Index(None, "repository_id", "updated_at"),
    Index(None, "merged_at"),
    Index(None, "state", "repository_id"),
)

review = Table(
    "review",
    metadata,
    _repository_key(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("author_id", BigInteger),
    _text("state"),
    _time("submitted_at"),
    _text("commit_sha"),
    _count("comments"),
    Index(None, "repository_id", "number"),
    Index(None, "author_id", "submitted_at"),
)

# Standing requests; reviewer_id is 0 for a team.
review_request = Table(
    "review_request",
    metadata,
    _repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reviewer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("team", Text, primary_key=True, server_default=""),
    _time("requested_at"),
    Index(None, "reviewer_id"),
)

issue = Table(
    "issue",
    metadata,
    _repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger),
    _text("title"),
    _text("state"),
    Column("author_id", BigInteger),
    _time("created_at", needed=True),
    _time("updated_at", needed=True),
    _time("closed_at"),
    _count("comments"),
    _text("labels"),
    Index(None, "author_id", "created_at"),
)

release = Table(
    "release",
    metadata,
    _repository_key(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _text("tag"),
    _text("name"),
    _flag("draft"),
    _flag("prerelease"),
    Column("author_id", BigInteger),
    _time("created_at", needed=True),
    _time("published_at"),
)

# ---- keeping it up to date ----------------------------------------------------------------------

# One row an account: when it is due, who works on it and until when that holds.
schedule = Table(
    "schedule",
    metadata,
    _account_key(primary_key=True),
    _time("due_at", needed=True),
    # Lower is sooner: 0 a person's click, 1 poll, 2 backfill.
    Column("priority", SmallInteger, nullable=False, server_default=text("1")),
    _text("leased_by"),
    _time("lease_until"),
    _count("failures"),
    _text("problem"),
    Index(None, "due_at"),
)

# How far one kind of thing of one repository (0: of the account itself) has been fetched.
cursor = Table(
    "cursor",
    metadata,
    _account_key(primary_key=True),
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", Text, primary_key=True),
    # JSON, read and written by that stream alone.
    _text("position"),
    _flag("complete"),
    _time("due_at"),
    _time("attempted_at"),
    _time("succeeded_at"),
    _count("failures"),
    _text("problem"),
    _count("items"),
    _count("expected"),
)

# GitHub's validators belong to the token, so they are kept by its fingerprint.
validator = Table(
    "validator",
    metadata,
    Column("token_fingerprint", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    _text("etag"),
    _time("seen_at", needed=True),
)

budget = Table(
    "budget",
    metadata,
    _account_key(primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("limit", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    _time("reset_at", needed=True),
    _time("seen_at", needed=True),
)

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    _account_key(nullable=False),
    _time("started_at", needed=True),
    _time("finished_at"),
    _text("trigger"),
    _count("rest_requests"),
    _count("not_modified"),
    _count("graphql_points"),
    _count("git_posts"),
    _count("bytes"),
    _count("commits"),
    _count("pull_requests"),
    _count("reviews"),
    _text("outcome"),
    _text("problem"),
    Index(None, "account_id", "started_at"),
)

worker = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    _time("started_at", needed=True),
    _time("seen_at", needed=True),
)
