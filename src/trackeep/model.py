"""The nouns of Trackeep: frozen, without I/O; times are unix seconds, zones are minutes east of UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Years 2 to 9998: what a calendar can show with a year to spare on either side. Git takes any number.
EARLIEST_AT, LATEST_AT = -62_104_060_800, 253_370_764_799


@dataclass(frozen=True, slots=True)
class Person:
    """A GitHub account; `id` is GitHub's number, which stays when the login changes."""

    id: int
    login: str
    name: str = ""
    avatar_url: str = ""
    kind: str = "User"

    @property
    def is_bot(self) -> bool:
        return self.kind == "Bot" or self.login.endswith("[bot]")


@dataclass(frozen=True, slots=True)
class Email:
    address: str
    primary: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    id: int
    node_id: str
    owner: str
    name: str
    private: bool = False
    fork: bool = False
    archived: bool = False
    default_branch: str = "main"
    description: str = ""
    language: str = ""
    size_kb: int = 0
    created_at: int = 0
    pushed_at: int = 0
    updated_at: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when of a commit, as git stores it: instant plus the writer's own offset."""

    name: str
    email: str
    at: int
    offset_minutes: int


@dataclass(frozen=True, slots=True)
class CoAuthor:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    signed: bool = False
    co_authors: tuple[CoAuthor, ...] = ()

    @property
    def subject(self) -> str:
        return self.message.split("\n", 1)[0]

    @property
    def is_merge(self) -> bool:
        return len(self.parents) > 1


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag; `sha` is what the name points at, `commit_sha` what it peels to."""

    name: str
    sha: str
    commit_sha: str

    @property
    def is_branch(self) -> bool:
        return self.name.startswith("refs/heads/")


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    color: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """`state` is GitHub's: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED, PENDING."""

    id: int
    author: Person | None
    state: str
    submitted_at: int | None
    commit_sha: str = ""


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A comment on a line of pull request `number`; `review_id` is None where it belongs to no review."""

    id: int
    number: int
    review_id: int | None
    author: Person | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Team:
    """`combined_slug` is organisation/team, `name` what people call it."""

    combined_slug: str
    name: str


# What a request for a team's review is called where the token may not read which team it is.
SOME_TEAM = "a team"


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """Asked of a person or of a team; exactly one of the two is set."""

    person: Person | None = None
    team: str = ""
    requested_at: int | None = None


# The state of checks that GitHub does not tell; "" is that of a pull request without any.
UNKNOWN_CHECKS = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`state` is open, closed or merged; None means that GitHub has not been asked yet.

    `asked` are requests for a review as they were made, answered or not: the person's number and the time.
    """

    id: int
    node_id: str
    number: int
    title: str
    state: str
    draft: bool
    author: Person | None
    base_ref: str
    head_ref: str
    head_sha: str
    created_at: int
    updated_at: int
    closed_at: int | None = None
    merged_at: int | None = None
    merged_by: Person | None = None
    merge_sha: str = ""
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    comments: int | None = None
    review_decision: str = ""
    mergeable: str = ""
    checks: str = ""
    ready_at: int | None = None
    first_commit_at: int | None = None
    threads: int | None = None
    unresolved_threads: int | None = None
    labels: tuple[Label, ...] = ()
    reviews: tuple[Review, ...] = ()
    review_requests: tuple[ReviewRequest, ...] = ()
    asked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    id: int
    number: int
    title: str
    state: str
    author: Person | None
    created_at: int
    updated_at: int
    closed_at: int | None = None
    comments: int = 0
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    id: int
    tag: str
    name: str
    draft: bool
    prerelease: bool
    author: Person | None
    created_at: int
    published_at: int | None


@dataclass(frozen=True, slots=True)
class Language:
    """`color` as GitHub draws it, such as #3572A5; empty where it has none."""

    name: str
    bytes: int
    color: str


@dataclass(frozen=True, slots=True)
class ChangedPaths:
    """What one commit changed: files, and the folders they are in, which end in a slash, upper ones first.

    `is_cut`: there are more, which were not looked at.
    """

    paths: tuple[str, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What a commit changed against its first parent; files are None where GitHub does not count them."""

    additions: int
    deletions: int
    changed_files: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What GitHub says is left of one bucket (core, graphql, search) of one account."""

    resource: str
    limit: int
    remaining: int
    reset_at: int
    seen_at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What outlives a process: until when nothing is asked, and how far the doubling of waits has come.

    By resource: `refusals` came in a row, with no answer between them; `spent` are the last minute's points.
    """

    until: float = 0.0
    refusals: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of a program saw: `state` is ok, warning or error."""

    check: str
    state: str
    sentence: str
    hint: str = ""
