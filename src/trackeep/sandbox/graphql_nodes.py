"""The things GraphQL answers about: the world's nouns together with the place they belong to."""

from dataclasses import dataclass
from typing import Any

from trackeep.sandbox.graphql_connections import Info
from trackeep.sandbox.oauth import Grant
from trackeep.sandbox.points import Price
from trackeep.sandbox.quota import Budget
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import (
    Commit,
    Event,
    Issue,
    Label,
    Person,
    PullRequest,
    Release,
    Repository,
    Review,
    Signature,
    Tag,
    Team,
    World,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The request being answered: who asks, with which grant, at what price, and what remains."""

    state: SandboxState
    grant: Grant
    price: Price
    budget: Budget

    @property
    def world(self) -> World:
        return self.state.world

    def may_read(self, repository: Repository) -> bool:
        """Private repositories need both a person who may see them and a token with the `repo` scope."""
        if repository.private and "repo" not in self.grant.scopes:
            return False
        return self.world.may_read(self.grant.login, repository)

    def readable(self) -> list[Repository]:
        return [r for r in self.world.repositories.values() if self.may_read(r)]


def asked(info: Info) -> Asked:
    assert isinstance(info.context, Asked)
    return info.context


@dataclass(frozen=True, slots=True)
class PullNode:
    repository: Repository
    it: PullRequest


@dataclass(frozen=True, slots=True)
class IssueNode:
    repository: Repository
    it: Issue


@dataclass(frozen=True, slots=True)
class ReviewNode:
    repository: Repository
    pull: PullRequest
    it: Review


@dataclass(frozen=True, slots=True)
class ReleaseNode:
    repository: Repository
    it: Release


@dataclass(frozen=True, slots=True)
class LabelNode:
    repository: Repository
    it: Label


@dataclass(frozen=True, slots=True)
class EventNode:
    """`place` is the event's index in its pull request."""

    repository: Repository
    pull: PullRequest
    place: int
    it: Event


@dataclass(frozen=True, slots=True)
class ReviewRequestNode:
    repository: Repository
    pull: PullRequest
    reviewer: Person | Team


@dataclass(frozen=True, slots=True)
class ThreadNode:
    repository: Repository
    pull: PullRequest
    place: int
    is_resolved: bool


@dataclass(frozen=True, slots=True)
class PullCommitNode:
    repository: Repository
    pull: PullRequest
    commit: Commit


@dataclass(frozen=True, slots=True)
class RefNode:
    """`prefix` ends with a slash; `sha` is the object the ref names."""

    repository: Repository
    prefix: str
    name: str
    sha: str


@dataclass(frozen=True, slots=True)
class CommitNode:
    repository: Repository
    it: Commit


@dataclass(frozen=True, slots=True)
class TagNode:
    repository: Repository
    it: Tag


@dataclass(frozen=True, slots=True)
class ActorNode:
    """Who wrote a commit, as the commit states it."""

    it: Signature


EVENT_TYPES = {
    "ready_for_review": "ReadyForReviewEvent",
    "converted_to_draft": "ConvertToDraftEvent",
    "review_requested": "ReviewRequestedEvent",
    "merged": "MergedEvent",
    "closed": "ClosedEvent",
    "reopened": "ReopenedEvent",
    "labeled": "LabeledEvent",
}
_TYPES: dict[type, str] = {
    Team: "Team",
    Repository: "Repository",
    PullNode: "PullRequest",
    IssueNode: "Issue",
    ReviewNode: "PullRequestReview",
    ReleaseNode: "Release",
    LabelNode: "Label",
    ReviewRequestNode: "ReviewRequest",
    ThreadNode: "PullRequestReviewThread",
    PullCommitNode: "PullRequestCommit",
    RefNode: "Ref",
    CommitNode: "Commit",
    TagNode: "Tag",
}


def type_name(value: Any) -> str:
    """GitHub's name for the type of a thing that stands behind an interface or a union."""
    if isinstance(value, Person):
        return value.kind
    if isinstance(value, EventNode):
        return EVENT_TYPES[value.it.kind]
    return _TYPES[type(value)]


def node_of(world: World, wanted: str) -> Any:
    """The thing with this global id, or None."""
    found = world.node(wanted)
    if found is None:
        return None
    repository, thing = found
    if isinstance(thing, PullRequest) and repository:
        return PullNode(repository, thing)
    if isinstance(thing, Issue) and repository:
        return IssueNode(repository, thing)
    if isinstance(thing, Release) and repository:
        return ReleaseNode(repository, thing)
    if isinstance(thing, Label) and repository:
        return LabelNode(repository, thing)
    if isinstance(thing, Review) and repository:
        return _review(repository, thing)
    return thing


def repository_of(node: Any) -> Repository | None:
    """The repository whose readers may see this node; None when everybody may."""
    if isinstance(node, Repository):
        return node
    return getattr(node, "repository", None)


def _review(repository: Repository, review: Review) -> ReviewNode | None:
    pulls = (p for p in repository.pulls.values() if review in p.reviews)
    pull = next(pulls, None)
    return ReviewNode(repository, pull, review) if pull else None
