"""The tables of what was fetched: commits, refs, pull requests, reviews, issues, releases, languages."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from trackeep.revisions import UNCOUNTED
from trackeep.store.tables import (
    BigId,
    count_column,
    flag_column,
    metadata,
    repository_key,
    text_column,
    time_column,
)

commit = Table(
    "commit",
    metadata,
    # Counts up and is never given twice: what SQLite's full text is bound to (see tables_search.py).
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), nullable=False),
    Column("sha", Text, nullable=False),
    text_column("parents"),
    Column("parent_count", SmallInteger, nullable=False, server_default=text("0")),
    text_column("author_name"),
    text_column("author_email"),
    time_column("authored_at", needed=True),
    Column("author_offset_minutes", Integer, nullable=False, server_default=text("0")),
    text_column("committer_name"),
    text_column("committer_email"),
    time_column("committed_at", needed=True),
    Column("committer_offset_minutes", Integer, nullable=False, server_default=text("0")),
    text_column("message"),
    flag_column("signed"),
    # Reached from any branch or tag as of the last fetch; from the default branch.
    flag_column("reachable", default=True),
    flag_column("on_default"),
    # Against the first parent; null until GitHub was asked.
    Column("additions", Integer),
    Column("deletions", Integer),
    Column("changed_files", Integer),
    # 0: not asked for its lines yet; later when GitHub was asked in vain.
    Column("counts_due_at", BigInteger, nullable=False, server_default=text("0")),
    # The sha first: a commit is also looked for in all repositories.
    UniqueConstraint("sha", "repository_id"),
    # These answer from the index alone: commits of a window by repository, somebody's by day, the newest.
    # (PostgreSQL asks the table for a column that is in the index only inside an expression.)
    Index("ix_commit_repository_committed", "repository_id", "committed_at", "on_default", "parent_count"),
    Index(
        "ix_commit_author_authored",
        text("lower(author_email)"),
        *("authored_at", "repository_id", "sha", "on_default", "parent_count", "committed_at"),
        postgresql_include=["author_email", "id"],
    ),
    Index("ix_commit_committed", "committed_at", "repository_id"),
    sqlite_autoincrement=True,
)
# Only commits whose lines are not counted, so that it is empty once all are, however many there are.
Index(
    "ix_commit_uncounted",
    commit.c.repository_id,
    commit.c.counts_due_at,
    commit.c.committed_at,
    sqlite_where=commit.c.additions.is_(None),
    postgresql_where=commit.c.additions.is_(None),
)

UNASKED = commit.c.additions.is_(None) & (commit.c.counts_due_at == text("0"))
Index(
    "ix_commit_unasked_author",
    text("lower(author_email)"),
    commit.c.authored_at,
    commit.c.repository_id,
    sqlite_where=UNASKED,
    postgresql_where=UNASKED,
)

# Commits that an unfinished walk of an account over GitHub's API has stored, newest first: some ancestor
# may still be missing. All other stored commits have all of theirs. Account 0: a walk that was given up.
# No key to the account: these marks must outlive it, or its half of a history would pass for a whole one.
walked = Table(
    "walked",
    metadata,
    repository_key(),
    Column("sha", Text, primary_key=True),
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    info=UNCOUNTED,
)

co_author = Table(
    "co_author",
    metadata,
    repository_key(),
    Column("sha", Text, primary_key=True),
    Column("email", Text, primary_key=True),
    text_column("name"),
)

# Which GitHub account an address in a commit belongs to.
identity = Table(
    "identity",
    metadata,
    Column("email", Text, primary_key=True),
    Column("person_id", BigInteger, nullable=False, index=True),
    text_column("source"),
    Index("ix_identity_lower_email", text("lower(email)"), "person_id"),
)

# Addresses of commits whose account is not known yet, with one commit of each repository to ask GitHub by.
unclaimed_address = Table(
    "unclaimed_address",
    metadata,
    Column("email", Text, primary_key=True),
    repository_key(),
    text_column("sha"),
    # 0: not asked yet; an address that GitHub takes for nobody's is asked again much later.
    time_column("due_at", needed=True),
    Index(None, "due_at"),
    Index(None, "repository_id", "due_at"),
    info=UNCOUNTED,
)

ref = Table(
    "ref",
    metadata,
    repository_key(),
    Column("name", Text, primary_key=True),
    text_column("sha"),
    text_column("commit_sha"),
    time_column("first_seen_at", needed=True),
    time_column("moved_at", needed=True),
)

# What we saw happen to a ref between two fetches: created, deleted, moved, forced.
ref_change = Table(
    "ref_change",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("repository_id", ForeignKey("repository.id", ondelete="CASCADE"), nullable=False),
    text_column("name"),
    text_column("kind"),
    text_column("before_sha"),
    text_column("after_sha"),
    count_column("commits"),
    time_column("seen_at", needed=True),
    Index(None, "repository_id", "seen_at"),
    Index(None, "seen_at"),
)

pull_request = Table(
    "pull_request",
    metadata,
    repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger),
    text_column("node_id"),
    text_column("title"),
    text_column("state"),
    flag_column("draft"),
    Column("author_id", BigInteger),
    text_column("base_ref"),
    text_column("head_ref"),
    text_column("head_sha"),
    time_column("created_at", needed=True),
    time_column("updated_at", needed=True),
    time_column("closed_at"),
    time_column("merged_at"),
    Column("merged_by_id", BigInteger),
    text_column("merge_sha"),
    Column("additions", Integer),
    Column("deletions", Integer),
    Column("changed_files", Integer),
    Column("comments", Integer),
    text_column("review_decision"),
    text_column("mergeable"),
    text_column("checks"),
    time_column("ready_at"),
    time_column("first_commit_at"),
    Column("unresolved_threads", Integer),
    # JSON list of {name, color}: shown and filtered by name, never joined.
    text_column("labels"),
    time_column("detailed_at"),
    Index(None, "repository_id", "updated_at"),
    *(Index(None, name) for name in ("created_at", "updated_at", "closed_at")),
    Index("ix_pull_request_merged", "merged_at", "repository_id", "created_at", "ready_at"),
    Index(None, "state", "repository_id"),
    Index("ix_pull_request_author", "author_id", "created_at", "merged_at", "repository_id", "state"),
    Index(None, "repository_id", "head_ref", "number"),
    # Which pull request a commit was merged or proposed by.
    *(Index(None, name) for name in ("merge_sha", "head_sha")),
)
LACKS_DETAILS = pull_request.c.detailed_at.is_(None) | (
    pull_request.c.detailed_at < pull_request.c.updated_at
)
# The recently merged ones among these are few once their details are stored.
Index(
    "ix_pull_request_lacks_details",
    pull_request.c.merged_at,
    sqlite_where=LACKS_DETAILS,
    postgresql_where=LACKS_DETAILS,
)

review = Table(
    "review",
    metadata,
    repository_key(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("author_id", BigInteger),
    text_column("state"),
    time_column("submitted_at"),
    text_column("commit_sha"),
    count_column("comments"),
    Index(None, "repository_id", "number"),
    Index("ix_review_author_submitted", "author_id", "submitted_at", "repository_id", "number"),
    Index(None, "submitted_at"),
)

# Comments on lines of a pull request; review.comments counts them.
review_comment = Table(
    "review_comment",
    metadata,
    repository_key(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("review_id", BigInteger),
    Column("author_id", BigInteger),
    time_column("created_at", needed=True),
    time_column("updated_at", needed=True),
    # When GitHub last listed it; what a whole list does not hold any more was deleted there.
    time_column("seen_at", needed=True),
    Index(None, "repository_id", "number"),
)

# Standing requests; reviewer_id is 0 for a team, which is "a team" until a token tells which one.
review_request = Table(
    "review_request",
    metadata,
    repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reviewer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("team", Text, primary_key=True, server_default=""),
    time_column("requested_at"),
    Index("ix_review_request_reviewer", "reviewer_id", text("lower(team)")),
)

# Every request for a person's review that was seen, answered or not: what turnaround is measured from.
review_asked = Table(
    "review_asked",
    metadata,
    repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reviewer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("requested_at", BigInteger, primary_key=True, autoincrement=False),
)

issue = Table(
    "issue",
    metadata,
    repository_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger),
    text_column("title"),
    text_column("state"),
    Column("author_id", BigInteger),
    time_column("created_at", needed=True),
    time_column("updated_at", needed=True),
    time_column("closed_at"),
    count_column("comments"),
    text_column("labels"),
    Index("ix_issue_author_created", "author_id", "created_at", "repository_id"),
    Index(None, "created_at"),
    Index(None, "closed_at"),
)

release = Table(
    "release",
    metadata,
    repository_key(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    text_column("tag"),
    text_column("name"),
    flag_column("draft"),
    flag_column("prerelease"),
    Column("author_id", BigInteger),
    time_column("created_at", needed=True),
    time_column("published_at"),
    Index(None, "published_at"),
)

# How many bytes of a repository are written in what; `color` as GitHub draws it, such as #3572A5.
language = Table(
    "language",
    metadata,
    repository_key(),
    Column("name", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    text_column("color"),
)
