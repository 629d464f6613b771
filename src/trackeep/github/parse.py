"""Turns the JSON of GitHub's REST API into our nouns; only fields that are stored are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from trackeep.errors import GitHubError
from trackeep.github.gitobjects import co_authors_of, plain_message, plain_signature
from trackeep.model import (
    UNKNOWN_CHECKS,
    Commit,
    Email,
    Issue,
    Label,
    Person,
    PullRequest,
    Ref,
    Release,
    Repository,
    Review,
    ReviewComment,
    ReviewRequest,
    Signature,
    Team,
)

T = TypeVar("T")
# In the words of GraphQL; GitHub works it out when it is asked, so it may not know yet.
_MERGEABLE = {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}
# 1 January 2008.
GITHUB_BEGAN_AT = 1_199_145_600


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository as a list shows it to one person, with what that person may do there."""

    repository: Repository
    permission: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An issue or pull request that moved; `issue` is None for a pull request."""

    repository_id: int
    number: int
    updated_at: int
    issue: Issue | None


def decoded(body: bytes, shape: type[T]) -> T:
    """`body` as `shape`; raises GitHubError when GitHub sent something else."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise GitHubError(
            f"GitHub's answer cannot be read: {error}.", "Check GITHUB_API_URL; a proxy may answer instead."
        ) from error


def seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def iso(at: int | float) -> str:
    """Unix seconds as GitHub reads them in `since`, such as 2026-01-31T12:00:00Z.

    Never before GitHub itself: to 1970 it answers an empty list.
    """
    return datetime.fromtimestamp(max(int(at), GITHUB_BEGAN_AT), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RestPerson(msgspec.Struct):
    id: int
    login: str
    name: str | None = None
    avatar_url: str = ""
    type: str = "User"

    def noun(self) -> Person:
        return Person(self.id, self.login, self.name or "", self.avatar_url, self.type)


class RestEmail(msgspec.Struct):
    email: str
    primary: bool = False
    verified: bool = False

    def noun(self) -> Email:
        return Email(self.email, self.primary, self.verified)


class RestOwner(msgspec.Struct):
    login: str


class RestPermissions(msgspec.Struct):
    admin: bool = False
    maintain: bool = False
    push: bool = False
    triage: bool = False
    pull: bool = False


class RestRepository(msgspec.Struct):
    id: int
    node_id: str
    name: str
    owner: RestOwner
    private: bool = False
    fork: bool = False
    archived: bool = False
    default_branch: str = "main"
    description: str | None = None
    language: str | None = None
    size: int = 0
    created_at: datetime | None = None
    pushed_at: datetime | None = None
    updated_at: datetime | None = None
    permissions: RestPermissions | None = None

    def noun(self) -> Repository:
        return Repository(
            id=self.id,
            node_id=self.node_id,
            owner=self.owner.login,
            name=self.name,
            private=self.private,
            fork=self.fork,
            archived=self.archived,
            default_branch=self.default_branch,
            description=self.description or "",
            language=self.language or "",
            size_kb=self.size,
            created_at=seconds(self.created_at) or 0,
            pushed_at=seconds(self.pushed_at) or 0,
            updated_at=seconds(self.updated_at) or 0,
        )

    def listed(self) -> Listed:
        granted = self.permissions or RestPermissions(pull=True)
        names = ("admin", "maintain", "push", "triage", "pull")
        return Listed(self.noun(), next((name for name in names if getattr(granted, name)), "pull"))


class RestLabel(msgspec.Struct):
    name: str = ""
    color: str | None = None


class RestMoved(msgspec.Struct):
    updated_at: datetime


class RestRepositoryKey(msgspec.Struct):
    id: int


class RestIssue(msgspec.Struct):
    id: int
    number: int
    title: str
    state: str
    created_at: datetime
    updated_at: datetime
    user: RestPerson | None = None
    closed_at: datetime | None = None
    comments: int = 0
    labels: list[RestLabel] = []
    pull_request: dict[str, object] | None = None
    repository: RestRepositoryKey | None = None

    def noun(self) -> Issue:
        return Issue(
            id=self.id,
            number=self.number,
            title=self.title,
            state=self.state,
            author=self.user.noun() if self.user else None,
            created_at=int(self.created_at.timestamp()),
            updated_at=int(self.updated_at.timestamp()),
            closed_at=seconds(self.closed_at),
            comments=self.comments,
            labels=labels_of(self.labels),
        )

    def changed(self) -> Changed:
        repository_id = self.repository.id if self.repository else 0
        issue = None if self.pull_request is not None else self.noun()
        return Changed(repository_id, self.number, int(self.updated_at.timestamp()), issue)


class RestGitPerson(msgspec.Struct):
    name: str = ""
    email: str = ""
    date: datetime | None = None

    def noun(self) -> Signature:
        return plain_signature(self.name, self.email, seconds(self.date) or 0, 0)


class RestVerification(msgspec.Struct):
    reason: str = "unsigned"


class RestGitCommit(msgspec.Struct):
    message: str
    author: RestGitPerson | None = None
    committer: RestGitPerson | None = None
    verification: RestVerification | None = None


class RestSha(msgspec.Struct):
    sha: str


class RestSigner(msgspec.Struct):
    """Empty for an account that GitHub cannot show."""

    id: int = 0
    login: str = ""
    avatar_url: str = ""
    type: str = "User"

    def noun(self) -> Person | None:
        return Person(self.id, self.login, "", self.avatar_url, self.type) if self.id else None


class RestStats(msgspec.Struct):
    additions: int
    deletions: int


class RestCommit(msgspec.Struct):
    sha: str
    commit: RestGitCommit
    parents: list[RestSha] = []
    author: RestSigner | None = None
    committer: RestSigner | None = None
    stats: RestStats | None = None

    def noun(self) -> Commit:
        """The zone is lost on the way: GitHub's REST API writes every time in UTC."""
        inner = self.commit
        message = plain_message(inner.message)
        return Commit(
            sha=self.sha,
            parents=tuple(parent.sha for parent in self.parents),
            author=(inner.author or RestGitPerson()).noun(),
            committer=(inner.committer or RestGitPerson()).noun(),
            message=message,
            signed=inner.verification is not None and inner.verification.reason != "unsigned",
            co_authors=co_authors_of(message),
        )

    def people(self) -> tuple[Person | None, Person | None]:
        """The accounts that GitHub takes the author and the committer for."""
        author, committer = (each.noun() if each else None for each in (self.author, self.committer))
        return author, committer


class RestBranch(msgspec.Struct):
    name: str
    commit: RestSha

    def noun(self) -> Ref:
        return Ref(f"refs/heads/{self.name}", self.commit.sha, self.commit.sha)


class RestReview(msgspec.Struct):
    id: int
    state: str
    user: RestPerson | None = None
    submitted_at: datetime | None = None
    commit_id: str | None = None

    def noun(self) -> Review:
        author = self.user.noun() if self.user else None
        return Review(self.id, author, self.state, seconds(self.submitted_at), self.commit_id or "")


class RestReviewComment(msgspec.Struct):
    id: int
    pull_request_url: str
    created_at: datetime
    updated_at: datetime
    pull_request_review_id: int | None = None
    user: RestPerson | None = None

    def noun(self) -> ReviewComment:
        return ReviewComment(
            id=self.id,
            # The address of its pull request is the only place where the number stands.
            number=int(self.pull_request_url.rpartition("/")[2]),
            review_id=self.pull_request_review_id,
            author=self.user.noun() if self.user else None,
            created_at=int(self.created_at.timestamp()),
            updated_at=int(self.updated_at.timestamp()),
        )


class RestRelease(msgspec.Struct):
    id: int
    tag_name: str
    created_at: datetime
    name: str | None = None
    draft: bool = False
    prerelease: bool = False
    author: RestPerson | None = None
    published_at: datetime | None = None

    def noun(self) -> Release:
        return Release(
            id=self.id,
            tag=self.tag_name,
            name=self.name or "",
            draft=self.draft,
            prerelease=self.prerelease,
            author=self.author.noun() if self.author else None,
            created_at=int(self.created_at.timestamp()),
            published_at=seconds(self.published_at),
        )


class RestEndRepository(msgspec.Struct):
    owner: RestOwner


class RestEnd(msgspec.Struct):
    ref: str
    sha: str
    repo: RestEndRepository | None = None


class RestTeam(msgspec.Struct):
    slug: str

    def combined_slug(self, base: RestEnd) -> str:
        """With the organisation, which owns the repository whose pull request the team is asked about."""
        return f"{base.repo.owner.login}/{self.slug}" if base.repo else self.slug


class RestOwnTeam(msgspec.Struct):
    slug: str
    name: str
    organization: RestOwner

    def noun(self) -> Team:
        return Team(f"{self.organization.login}/{self.slug}", self.name)


class RestPull(msgspec.Struct):
    id: int
    node_id: str
    number: int
    title: str
    state: str
    created_at: datetime
    updated_at: datetime
    base: RestEnd
    head: RestEnd
    draft: bool = False
    user: RestPerson | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    labels: list[RestLabel] = []
    requested_reviewers: list[RestPerson] | None = None
    requested_teams: list[RestTeam] | None = None

    def noun(self) -> PullRequest:
        """Reviews are asked separately; sizes are in no list of REST."""
        people = [ReviewRequest(person=person.noun()) for person in self.requested_reviewers or ()]
        teams = [ReviewRequest(team=team.combined_slug(self.base)) for team in self.requested_teams or ()]
        return PullRequest(
            id=self.id,
            node_id=self.node_id,
            number=self.number,
            title=self.title,
            state="merged" if self.merged_at else self.state,
            draft=self.draft,
            author=self.user.noun() if self.user else None,
            base_ref=self.base.ref,
            head_ref=self.head.ref,
            head_sha=self.head.sha,
            created_at=int(self.created_at.timestamp()),
            updated_at=int(self.updated_at.timestamp()),
            closed_at=seconds(self.closed_at),
            merged_at=seconds(self.merged_at),
            merge_sha=(self.merge_commit_sha or "") if self.merged_at else "",
            labels=labels_of(self.labels),
            review_requests=(*people, *teams),
        )


class RestFullPull(RestPull):
    """A single pull request says more than a list of them."""

    merged_by: RestPerson | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    comments: int | None = None
    review_comments: int | None = None
    mergeable: bool | None = None

    def full(self) -> PullRequest:
        """REST knows neither the decision of the reviews nor checks nor which threads are resolved."""
        return replace(
            self.noun(),
            merged_by=self.merged_by.noun() if self.merged_by else None,
            additions=self.additions,
            deletions=self.deletions,
            changed_files=self.changed_files,
            comments=self.comments,
            # As many as there are comments, of which each thread has at least one.
            threads=self.review_comments,
            mergeable=_MERGEABLE[self.mergeable],
            checks=UNKNOWN_CHECKS,
        )


class RestEvent(msgspec.Struct):
    """What happened to an issue or pull request; only who was asked for a review is read further."""

    event: str
    created_at: datetime
    requested_reviewer: RestPerson | None = None
    requested_team: RestTeam | None = None


def labels_of(labels: Iterable[RestLabel]) -> tuple[Label, ...]:
    return tuple(Label(label.name, label.color or "") for label in labels)
