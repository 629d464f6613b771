"""The tables that keep it up to date: who is due, how far each stream came, budgets, runs, workers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text, text

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import (
    BigId,
    account_key,
    count_column,
    flag_column,
    metadata,
    text_column,
    time_column,
)

# One row an account: when it is due, who works on it and until when that holds.
schedule = Table(
    "schedule",
    metadata,
    account_key(primary_key=True),
    time_column("due_at", needed=True),
    # Lower is sooner: 0 a person's click, 1 poll, 2 backfill.
    Column("priority", SmallInteger, nullable=False, server_default=text("1")),
    text_column("leased_by"),
    time_column("lease_until"),
    time_column("claimed_at"),
    # Something moved at GitHub that no pass has looked at yet: when one may begin.
    time_column("hinted_at"),
    # Who may read what may have changed: the whole list is walked unless a later walk has done so.
    time_column("walk_asked_at"),
    count_column("failures"),
    text_column("problem"),
    Index(None, "due_at"),
    info=UNCOUNTED,
)

# What GitHub has delivered to the webhook: its number and when, never its content.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Text, primary_key=True),
    time_column("seen_at", needed=True),
    Index(None, "seen_at"),
    info=UNCOUNTED,
)

# How far one kind of thing of one repository (0: of the account itself) has been fetched.
cursor = Table(
    "cursor",
    metadata,
    account_key(primary_key=True),
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", Text, primary_key=True),
    # JSON, read and written by that stream alone.
    text_column("position"),
    flag_column("complete"),
    time_column("due_at"),
    time_column("attempted_at"),
    time_column("succeeded_at"),
    count_column("failures"),
    text_column("problem"),
    text_column("link"),
    count_column("items"),
    count_column("expected"),
    # What it has cost so far; a question for several repositories counts for each of them.
    count_column("requests"),
    count_column("conditional"),
    count_column("not_modified"),
    info=UNCOUNTED,
)

# GitHub's validators belong to the token, so they are kept by its fingerprint.
validator = Table(
    "validator",
    metadata,
    Column("token_fingerprint", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    text_column("etag"),
    time_column("seen_at", needed=True),
    info=UNCOUNTED,
)

budget = Table(
    "budget",
    metadata,
    account_key(primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("limit", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    time_column("reset_at", needed=True),
    time_column("seen_at", needed=True),
    info=UNCOUNTED,
)

# How much of a budget was used, at most, within each half hour of the last day.
budget_reading = Table(
    "budget_reading",
    metadata,
    account_key(primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("slot_at", BigInteger, primary_key=True, autoincrement=False),
    Column("limit", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    info=UNCOUNTED,
)

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    account_key(nullable=False),
    time_column("started_at", needed=True),
    time_column("finished_at"),
    text_column("trigger"),
    count_column("rest_requests"),
    count_column("conditional"),
    count_column("not_modified"),
    count_column("graphql_points"),
    count_column("git_posts"),
    count_column("bytes"),
    count_column("commits"),
    count_column("pull_requests"),
    count_column("reviews"),
    text_column("outcome"),
    text_column("problem"),
    Index(None, "account_id", "started_at"),
    info=UNCOUNTED,
)

worker = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    time_column("started_at", needed=True),
    time_column("seen_at", needed=True),
    info=UNCOUNTED,
)
