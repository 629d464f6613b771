"""Turns the JSON of GitHub's GraphQL API into our nouns; only fields that are stored are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from trackeep.github.parse import RestLabel, labels_of, seconds
from trackeep.model import (
    SOME_TEAM,
    Language,
    LineCounts,
    Person,
    PullRequest,
    Release,
    Repository,
    Review,
    ReviewRequest,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pulse:
    """What moved in one repository; newest times are 0 where there is nothing, None was not asked."""

    repository: Repository
    pulls: int
    pulls_at: int
    issues: int
    issues_at: int
    releases: tuple[Release, ...] = ()
    releases_in_all: int = 0
    languages: tuple[Language, ...] | None = None


@dataclass(frozen=True, slots=True)
class ParsedPull:
    """A pull request, whether it has more reviews, labels or requests than came, and whether fewer came
    of anything than were asked for: GitHub leaves out parts of answers that are too wide."""

    pull: PullRequest
    cut: bool
    short: bool = False


class Camel(msgspec.Struct, rename="camel"):
    """GraphQL's names are camelCase."""


class Who(Camel):
    login: str = ""
    avatar_url: str = ""
    name: str | None = None
    database_id: int | None = None
    typename: str = msgspec.field(name="__typename", default="User")
    combined_slug: str = ""

    def noun(self) -> Person | None:
        """None for an account without a number (deleted, or imported from elsewhere)."""
        if self.database_id is None:
            return None
        # REST and git say "dependabot[bot]", GraphQL says "dependabot": one name for one account.
        is_bare_bot = self.typename == "Bot" and not self.login.endswith("[bot]")
        login = f"{self.login}[bot]" if is_bare_bot else self.login
        return Person(self.database_id, login, self.name or "", self.avatar_url, self.typename)


class Oid(Camel):
    oid: str


class ReviewNode(Camel):
    state: str
    full_database_id: str | int
    submitted_at: datetime | None = None
    author: Who | None = None
    commit: Oid | None = None

    def noun(self) -> Review:
        author = self.author.noun() if self.author else None
        sha = self.commit.oid if self.commit else ""
        return Review(int(self.full_database_id), author, self.state, seconds(self.submitted_at), sha)


class Reviews(Camel):
    total_count: int
    nodes: list[ReviewNode | None]


class Labels(Camel):
    total_count: int
    nodes: list[RestLabel | None]


class RequestNode(Camel):
    requested_reviewer: Who | None = None


class Requests(Camel):
    total_count: int
    nodes: list[RequestNode | None]


class Rollup(Camel):
    state: str


class Total(Camel):
    total_count: int = 0


class Authored(Camel):
    authored_date: datetime


class PullCommit(Camel):
    commit: Authored


class PullCommits(Camel):
    total_count: int = 0
    nodes: list[PullCommit | None] = []


class Thread(Camel):
    is_resolved: bool


class Threads(Camel):
    total_count: int = 0
    nodes: list[Thread | None] = []


class EventNode(Camel):
    typename: str = msgspec.field(name="__typename", default="")
    created_at: datetime | None = None
    requested_reviewer: Who | None = None


class Earlier(Camel):
    has_previous_page: bool = False


class Events(Camel):
    page_info: Earlier = msgspec.field(default_factory=Earlier)
    nodes: list[EventNode | None] = []


class PullNode(Camel):
    id: str
    full_database_id: str | int
    number: int
    title: str
    state: str
    is_draft: bool
    base_ref_name: str
    head_ref_name: str
    head_ref_oid: str
    created_at: datetime
    updated_at: datetime
    additions: int
    deletions: int
    changed_files: int
    # Null, each of these, where the token may not see that part of it; so says an error beside the answer.
    reviews: Reviews | None
    review_requests: Requests | None
    labels: Labels | None
    author: Who | None = None
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: Who | None = None
    merge_commit: Oid | None = None
    review_decision: str | None = None
    mergeable: str | None = ""
    status_check_rollup: Rollup | None = None
    comments: Total | None = None
    commits: PullCommits | None = None
    review_threads: Threads | None = None
    timeline_items: Events | None = None

    def parsed(self) -> ParsedPull:
        labels, requests = self.labels or Labels(0, []), self.review_requests or Requests(0, [])
        # REST may show what GraphQL withholds, so that it counts as cut off.
        reviews = self.reviews or Reviews(1, [])
        connections = (reviews, labels, requests)
        pull = PullRequest(
            id=int(self.full_database_id),
            node_id=self.id,
            number=self.number,
            title=self.title,
            state=self.state.lower(),
            draft=self.is_draft,
            author=self.author.noun() if self.author else None,
            base_ref=self.base_ref_name,
            head_ref=self.head_ref_name,
            head_sha=self.head_ref_oid,
            created_at=int(self.created_at.timestamp()),
            updated_at=int(self.updated_at.timestamp()),
            closed_at=seconds(self.closed_at),
            merged_at=seconds(self.merged_at),
            merged_by=self.merged_by.noun() if self.merged_by else None,
            merge_sha=self.merge_commit.oid if self.merge_commit else "",
            additions=self.additions,
            deletions=self.deletions,
            changed_files=self.changed_files,
            comments=self.comments.total_count if self.comments else None,
            review_decision=self.review_decision or "",
            mergeable=self.mergeable or "",
            checks=self.status_check_rollup.state if self.status_check_rollup else "",
            ready_at=self._ready_at(),
            first_commit_at=self._first_commit_at(),
            threads=self.review_threads.total_count if self.review_threads else None,
            unresolved_threads=self._unresolved(),
            labels=labels_of(_present(labels.nodes)),
            reviews=tuple(node.noun() for node in _present(reviews.nodes)),
            review_requests=tuple(self._requests(requests)),
            asked=self._asked(),
        )
        cut = any(len(each.nodes) < each.total_count for each in connections)
        return ParsedPull(pull, cut, self._is_short())

    def _is_short(self) -> bool:
        """Whether fewer came than there are and were asked for (see the numbers in `queries/`)."""
        commits, threads = self.commits or PullCommits(), self.review_threads or Threads()
        events, labels = self.timeline_items or Events(), self.labels or Labels(0, [])
        requests = self.review_requests or Requests(0, [])
        came = (
            *((self.reviews or Reviews(0, []), 40), (labels, 20), (requests, 20)),
            *((commits, 1), (threads, 80)),
        )
        return (events.page_info.has_previous_page and len(events.nodes) < 20) or any(
            len(each.nodes) < min(each.total_count, asked) for each, asked in came
        )

    def _events(self, kind: str) -> list[EventNode]:
        nodes = self.timeline_items.nodes if self.timeline_items else []
        return [node for node in _present(nodes) if node.typename == kind]

    def _ready_at(self) -> int | None:
        """When it last left draft; its creation when it never was one; None while unknown or a draft."""
        if self.timeline_items is None or self.is_draft:
            return None
        events = self._events("ReadyForReviewEvent")
        return seconds(events[-1].created_at if events else self.created_at)

    def _first_commit_at(self) -> int | None:
        nodes = _present(self.commits.nodes) if self.commits else []
        return seconds(nodes[0].commit.authored_date) if nodes else None

    def _unresolved(self) -> int | None:
        threads = self.review_threads
        if threads is None or len(threads.nodes) < threads.total_count:
            return None
        return sum(not thread.is_resolved for thread in _present(threads.nodes))

    def _asked(self) -> tuple[tuple[int, int], ...]:
        events = self._events("ReviewRequestedEvent")
        people = ((event.requested_reviewer, seconds(event.created_at)) for event in events)
        return tuple(
            (person.id, at) for who, at in people if who and at and (person := who.noun()) is not None
        )

    def _requests(self, requests: Requests) -> Iterable[ReviewRequest]:
        asked = {
            (who.database_id, who.combined_slug): seconds(event.created_at)
            for event in self._events("ReviewRequestedEvent")
            if (who := event.requested_reviewer)
        }
        for node in _present(requests.nodes):
            who = node.requested_reviewer
            if who is None or who.typename == "Team":
                team = (who.combined_slug if who else "") or SOME_TEAM
                yield ReviewRequest(team=team, requested_at=asked.get((None, team)))
            elif person := who.noun():
                yield ReviewRequest(person=person, requested_at=asked.get((person.id, "")))


class PageInfo(Camel):
    has_next_page: bool
    end_cursor: str | None = None


class PullConnection(Camel):
    total_count: int
    page_info: PageInfo
    nodes: list[PullNode | None]


class PulledRepository(Camel):
    id: str
    pull_requests: PullConnection


class Moved(Camel):
    updated_at: datetime


class Newest(Camel):
    total_count: int
    nodes: list[Moved | None]

    @property
    def is_short(self) -> bool:
        return self.total_count > 0 and not self.nodes

    @property
    def at(self) -> int:
        return max((int(node.updated_at.timestamp()) for node in _present(self.nodes)), default=0)


class Named(Camel):
    name: str


class GitActor(Camel):
    user: Who | None = None


class SignedNode(Camel):
    """Empty for an object that is no commit."""

    author: GitActor | None = None
    committer: GitActor | None = None

    def people(self) -> tuple[Person | None, Person | None]:
        author, committer = (
            actor.user.noun() if actor and actor.user else None for actor in (self.author, self.committer)
        )
        return author, committer


class Shown(Camel):
    id: str


class CountedNode(Camel):
    """Empty for an object that is no commit."""

    additions: int | None = None
    deletions: int | None = None
    changed_files_if_available: int | None = None

    def noun(self) -> LineCounts | None:
        if self.additions is None or self.deletions is None:
            return None
        return LineCounts(self.additions, self.deletions, self.changed_files_if_available)


class Owner(Camel):
    login: str


class ReleaseNode(Camel):
    database_id: int
    tag_name: str
    is_draft: bool
    is_prerelease: bool
    created_at: datetime
    name: str | None = None
    published_at: datetime | None = None
    author: Who | None = None

    def noun(self) -> Release:
        return Release(
            id=self.database_id,
            tag=self.tag_name,
            name=self.name or "",
            draft=self.is_draft,
            prerelease=self.is_prerelease,
            author=self.author.noun() if self.author else None,
            created_at=int(self.created_at.timestamp()),
            published_at=seconds(self.published_at),
        )


class Releases(Camel):
    total_count: int
    nodes: list[ReleaseNode | None]


class LanguageNode(Camel):
    name: str
    color: str | None = None


class LanguageEdge(Camel):
    size: int
    node: LanguageNode

    def noun(self) -> Language:
        return Language(self.node.name, self.size, self.node.color or "")


class Languages(Camel):
    edges: list[LanguageEdge | None]


class PulseNode(Camel):
    """Everything optional: `nodes(ids:)` gives {} for an id that is no repository."""

    id: str = ""
    database_id: int = 0
    name: str = ""
    owner: Owner | None = None
    is_private: bool = False
    is_fork: bool = False
    is_archived: bool = False
    description: str | None = None
    created_at: datetime | None = None
    pushed_at: datetime | None = None
    updated_at: datetime | None = None
    default_branch_ref: Named | None = None
    primary_language: Named | None = None
    pull_requests: Newest | None = None
    issues: Newest | None = None
    releases: Releases | None = None
    languages: Languages | None = None

    @property
    def is_short(self) -> bool:
        return any(each.is_short for each in (self.pull_requests, self.issues) if each is not None)

    def noun(self) -> Pulse:
        pulls, issues = self.pull_requests or Newest(0, []), self.issues or Newest(0, [])
        repository = Repository(
            id=self.database_id,
            node_id=self.id,
            owner=self.owner.login if self.owner else "",
            name=self.name,
            private=self.is_private,
            fork=self.is_fork,
            archived=self.is_archived,
            default_branch=self.default_branch_ref.name if self.default_branch_ref else "",
            description=self.description or "",
            language=self.primary_language.name if self.primary_language else "",
            created_at=seconds(self.created_at) or 0,
            pushed_at=seconds(self.pushed_at) or 0,
            updated_at=seconds(self.updated_at) or 0,
        )
        listed = self.releases or Releases(0, [])
        return Pulse(
            repository,
            pulls.total_count,
            pulls.at,
            issues.total_count,
            issues.at,
            tuple(node.noun() for node in _present(listed.nodes)),
            listed.total_count,
            tuple(edge.noun() for edge in _present(self.languages.edges)) if self.languages else None,
        )


def _present(nodes: Iterable[T | None]) -> list[T]:
    return [node for node in nodes if node is not None]
