"""One pull request, whatever state it is in, with its reviews in their order."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.store.reports_access import Reader, named
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import pull_request, review


@dataclass(frozen=True)
class Given:
    """One review; `state` is GitHub's word, `at` unix seconds, `comments` those on lines."""

    login: str
    state: str
    at: int | None
    comments: int


@dataclass(frozen=True)
class PullView:
    """One pull request; times in unix seconds, None where nothing is known or it did not happen."""

    owner: str
    repository: str
    number: int
    title: str
    state: str
    draft: bool
    author: str
    base_ref: str
    head_ref: str
    head_sha: str
    additions: int | None
    deletions: int | None
    changed_files: int | None
    comments: int | None
    unresolved: int | None
    checks: str
    review_decision: str
    mergeable: str
    first_commit_at: int | None
    created_at: int
    ready_at: int | None
    updated_at: int
    merged_at: int | None
    closed_at: int | None
    reviews: tuple[Given, ...] = ()


async def find(conn: AsyncConnection, reader: Reader, owner: str, name: str, number: int) -> PullView | None:
    """The pull request of that number in owner/name, None where this reader may not see it; two queries."""
    pull, here = pull_request.c, named(reader, (owner, name)).scalar_subquery()
    columns = (
        *("number", "title", "state", "draft", "base_ref", "head_ref", "head_sha"),
        *("additions", "deletions", "changed_files", "comments", "checks", "review_decision", "mergeable"),
        *("first_commit_at", "created_at", "ready_at", "updated_at", "merged_at", "closed_at"),
    )
    statement = (
        select(
            repository.c.owner,
            repository.c.name.label("repository"),
            func.coalesce(person.c.login, "").label("author"),
            pull.unresolved_threads.label("unresolved"),
            *(pull[column] for column in columns),
        )
        .select_from(pull_request)
        .join(repository, repository.c.id == pull.repository_id)
        .outerjoin(person, person.c.id == pull.author_id)
        .where(pull.repository_id == here, pull.number == number)
    )
    row = (await conn.execute(statement)).first()
    if row is None:
        return None
    given = (
        select(func.coalesce(person.c.login, ""), review.c.state, review.c.submitted_at, review.c.comments)
        .select_from(review)
        .outerjoin(person, person.c.id == review.c.author_id)
        .where(review.c.repository_id == here, review.c.number == number)
        .order_by(func.coalesce(review.c.submitted_at, 0), review.c.id)
    )
    reviews = tuple(Given(*one) for one in (await conn.execute(given)).all())
    return PullView(**row._mapping, reviews=reviews)
