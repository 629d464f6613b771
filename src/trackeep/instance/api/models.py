"""What the JSON API answers: one typed model per thing, times as instants in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Instant = Annotated[datetime, Field(examples=["2026-11-23T11:00:00Z"])]
Seconds = Annotated[float, Field(description="Seconds.", examples=[12600])]
FullName = Annotated[str, Field(description="Owner and name.", examples=["fernhill/atlas"])]
Next = Annotated[
    str | None,
    Field(description="Where the next page begins, for `cursor`; null at the end.", examples=["WzE3NjM..."]),
]
ScopeName = Literal["read", "sync", "admin"]


class Model(BaseModel):
    """Every field is always there; what is not known is null."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


def instant(at: int | None) -> datetime | None:
    """Unix seconds as an instant in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


# ---- errors -------------------------------------------------------------------------------------


class Mistake(Model):
    where: str = Field(description="Which part of the request.", examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 500"])


class Problem(Model):
    """A problem document (RFC 9457)."""

    type: str = Field(description="The address of its explanation.", examples=["/api/docs#not_found"])
    title: str = Field(description="The same for every problem of this type.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What happened this time, and what to do.")
    instance: str = Field(description="Names this very answer.", examples=["urn:request:9f86d081884c7d65"])
    request_id: str = Field(description="The same as in the log.", examples=["9f86d081884c7d65"])
    errors: tuple[Mistake, ...] = Field((), description="Each mistake, where a request has some.")


# ---- people -------------------------------------------------------------------------------------


class Authentication(Model):
    kind: Literal["token", "session"]
    name: str = Field(description="The token's name.", examples=["Backup script"])
    scopes: tuple[ScopeName, ...]
    expires_at: Instant | None


class Me(Model):
    """Who asks, and by what right."""

    id: int = Field(description="GitHub's number.", examples=[1001])
    login: str = Field(examples=["alice"])
    name: str = Field(examples=["Alice Moreau"])
    avatar_url: str
    role: str = Field(description="owner or member.", examples=["owner"])
    time_zone: str = Field(description="In which days are counted; an IANA name.", examples=["Europe/Prague"])
    week_start: int = Field(description="1 Monday to 7 Sunday.", examples=[1])
    authentication: Authentication


class Author(Model):
    login: str = Field(description="Empty where GitHub knows no account.", examples=["alice"])
    name: str = Field(examples=["Alice Moreau"])


# ---- repositories -------------------------------------------------------------------------------


class Repository(Model):
    """A repository, with the figures of the period that was asked for."""

    id: int = Field(description="GitHub's number.", examples=[10])
    repository: FullName
    description: str
    language: str = Field(examples=["Python"])
    default_branch: str = Field(examples=["main"])
    private: bool
    fork: bool
    archived: bool
    state: Literal["ok", "gone"] = Field(description="gone: GitHub shows it to you no more.")
    follow: Literal["tracked", "paused", "no"]
    commits: int = Field(description="On the default branch, without merges.", examples=[184])
    open_pulls: int = Field(examples=[5])
    oldest_open_at: Instant | None
    merged_pulls: int = Field(examples=[23])
    median_time_to_merge_s: Seconds | None
    branches: int = Field(examples=[7])
    pushed_at: Instant | None
    synced_at: Instant | None
    problem: str = Field(description="Why the last sync did not get everything; empty when it did.")


class Repositories(Model):
    items: tuple[Repository, ...]
    next: Next


class Branch(Model):
    name: str = Field(examples=["topic/retry"])
    sha: str = Field(examples=["4b825dc642cb6eb9a060e54bf8d69288fbee4904"])
    state: Literal["default", "merged", "stale", "active"]
    committed_at: Instant | None
    subject: str
    author: Author
    pull: int | None = Field(description="The newest pull request from this branch.", examples=[101])
    pull_state: Literal["open", "merged", "closed"] | None


class Branches(Model):
    items: tuple[Branch, ...]
    next: Next


class SyncRequested(Model):
    """The worker was told to come at once; `GET /sync` shows how far it is."""

    repository: FullName
    requested_at: Instant


# ---- work ---------------------------------------------------------------------------------------


class Commit(Model):
    repository: FullName
    private: bool
    sha: str = Field(examples=["4b825dc642cb6eb9a060e54bf8d69288fbee4904"])
    subject: str = Field(description="The first line of its message.", examples=["Retry twice"])
    author: Author
    authored_at: Instant
    author_offset_minutes: int = Field(
        description="The author's clock ahead of UTC; 0 also where GitHub did not tell.", examples=[60]
    )
    committed_at: Instant
    additions: int | None = Field(description="null until GitHub was asked.", examples=[120])
    deletions: int | None = Field(description="null until GitHub was asked.", examples=[14])
    on_default_branch: bool
    is_merge: bool


class Commits(Model):
    items: tuple[Commit, ...]
    next: Next


class Reviewer(Model):
    login: str = Field(examples=["bob"])
    state: str = Field(
        description="GitHub's word for the last review; empty while asked.", examples=["APPROVED"]
    )


class Pull(Model):
    repository: FullName
    private: bool
    number: int = Field(examples=[101])
    title: str = Field(examples=["Add retry to the fetcher"])
    state: Literal["open", "merged", "closed"]
    draft: bool
    author: Author
    mine: bool
    size: str | None = Field(description="XS, S, M, L, XL or XXL.", examples=["M"])
    additions: int | None = Field(examples=[120])
    deletions: int | None = Field(examples=[14])
    checks: str = Field(
        description="GitHub's word, empty for none, UNKNOWN where GitHub does not tell.", examples=["SUCCESS"]
    )
    unresolved_threads: int | None = Field(examples=[2])
    labels: tuple[str, ...]
    reviewers: tuple[Reviewer, ...]
    created_at: Instant
    ready_at: Instant = Field(description="When it asked for attention: a draft, when it ceased to be one.")
    updated_at: Instant
    merged_at: Instant | None
    closed_at: Instant | None


class Pulls(Model):
    items: tuple[Pull, ...]
    next: Next


class Event(Model):
    """Something that happened; an author's commits of one day in one repository are one event."""

    kind: str = Field(
        description="commit, opened, merged, closed, review, issue, issue-closed, release, created, deleted "
        "or forced (the last three: a branch).",
        examples=["commit"],
    )
    at: Instant
    first_at: Instant = Field(description="The oldest of its commits; else the same as `at`.")
    count: int = Field(examples=[3])
    actor: Author
    mine: bool
    repository: FullName
    number: int | None = Field(description="Of the pull request or issue.", examples=[101])
    title: str
    detail: str = Field(description="A review's state, a release's tag, or a branch's name.")


class Events(Model):
    items: tuple[Event, ...]
    next: Next


class Found(Model):
    """One thing that a search found."""

    kind: Literal["commit"]
    commit: Commit


class FoundPage(Model):
    items: tuple[Found, ...]
    next: Next
