"""The nouns of the local GitHub and the world that holds them; every time is in unix seconds."""

import base64
import heapq
import itertools
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path


def node_id(prefix: str, database_id: int) -> str:
    """The global id of a thing, shaped like GitHub's: `PR_kwDO...`."""
    packed = base64.urlsafe_b64encode(database_id.to_bytes(9, "big")).decode().rstrip("=")
    return f"{prefix}_kwDO{packed}"


@dataclass(slots=True)
class Email:
    address: str
    primary: bool
    verified: bool
    visibility: str | None


@dataclass(slots=True)
class Person:
    """Kind is `User`, `Bot` or `Organization`; `members` (logins) is filled for organisations only."""

    id: int
    node_id: str
    login: str
    name: str | None
    kind: str
    emails: list[Email]
    created_at: int
    members: list[str] = field(default_factory=list)

    @property
    def noreply(self) -> str:
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(slots=True)
class Team:
    """`members` are logins; `organization` is the login of the owner."""

    id: int
    node_id: str
    slug: str
    name: str
    organization: str
    members: list[str]


@dataclass(slots=True)
class Label:
    id: int
    node_id: str
    name: str
    color: str
    description: str


@dataclass(slots=True)
class Review:
    """State is `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` or `DISMISSED`; `comments` is a number."""

    id: int
    node_id: str
    author: str
    state: str
    body: str
    submitted_at: int
    commit_sha: str
    comments: int


@dataclass(slots=True)
class Event:
    """Kinds: review_requested, ready_for_review, converted_to_draft, merged, closed, reopened, labeled.

    `subject` is the login or `team:slug` asked for a review, or the label's name, else empty.
    """

    kind: str
    actor: str
    at: int
    subject: str = ""


@dataclass(slots=True)
class PullRequest:
    """`merge_sha` is None until merged; `head_repository_id` is None when the head is in the same one."""

    id: int
    node_id: str
    number: int
    title: str
    body: str
    state: str
    draft: bool
    author: str
    base_ref: str
    head_ref: str
    base_sha: str
    head_sha: str
    merge_sha: str | None
    created_at: int
    updated_at: int
    closed_at: int | None
    merged_at: int | None
    merged_by: str | None
    additions: int
    deletions: int
    changed_files: int
    commit_count: int
    labels: list[Label] = field(default_factory=list)
    requested_reviewers: list[str] = field(default_factory=list)
    requested_teams: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    comment_count: int = 0
    head_repository_id: int | None = None


@dataclass(slots=True)
class Issue:
    id: int
    node_id: str
    number: int
    title: str
    body: str
    state: str
    author: str
    created_at: int
    updated_at: int
    closed_at: int | None
    labels: list[Label] = field(default_factory=list)
    comment_count: int = 0


@dataclass(slots=True)
class Release:
    id: int
    node_id: str
    tag_name: str
    name: str
    draft: bool
    prerelease: bool
    author: str
    created_at: int
    published_at: int | None
    body: str


@dataclass(slots=True, frozen=True)
class Signature:
    """Who and when, as a commit states it; `offset_min` is the zone's distance from UTC in minutes."""

    name: str
    email: str
    at: int
    offset_min: int


@dataclass(slots=True, frozen=True)
class Commit:
    """Line counts are against the first parent, as GitHub shows them."""

    sha: str
    tree_sha: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    additions: int
    deletions: int
    changed_files: int


@dataclass(slots=True, frozen=True)
class Tag:
    """An annotated tag: `sha` is the tag object, `commit_sha` what it points at."""

    name: str
    sha: str
    commit_sha: str


@dataclass(slots=True)
class Repository:
    """`collaborators` maps login to `admin`, `maintain`, `push`, `triage` or `pull`; members included.

    `branches` maps a branch's name to its tip; `commits` holds every commit reachable from any ref, by sha.
    """

    id: int
    node_id: str
    owner: str
    name: str
    private: bool
    default_branch: str
    description: str
    created_at: int
    pushed_at: int
    updated_at: int
    git_dir: Path
    former_names: list[str] = field(default_factory=list)
    fork: bool = False
    parent_id: int | None = None
    archived: bool = False
    languages: dict[str, int] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)
    collaborators: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    commits: MutableMapping[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def next_number(self) -> int:
        """The number the next issue or pull request gets; they share one sequence."""
        return 1 + max([0, *self.pulls, *self.issues])


Node = Person | Team | Repository | PullRequest | Issue | Release | Review | Label


class World:
    """Everything that exists: people by login, teams by slug, repositories by id."""

    def __init__(self, seed: int, now: int) -> None:
        self.seed = seed
        self.now = now
        self.people: dict[str, Person] = {}
        self.teams: dict[str, Team] = {}
        self.repositories: dict[int, Repository] = {}
        self._ids = itertools.count(2_000_000)
        self._addresses: dict[str, Person] = {}
        self._nodes: dict[str, tuple[Repository | None, Node]] = {}

    def new_id(self) -> int:
        return next(self._ids)

    def person(self, login: str) -> Person | None:
        return self.people.get(login) or self.people.get(login.lower())

    def welcome(self, person: Person) -> None:
        """From now on this is one of the people, and their addresses are known."""
        self.people[person.login] = person
        self._addresses.clear()

    def person_by_email(self, address: str) -> Person | None:
        """The account a commit by this address is attributed to: verified addresses and noreply ones only."""
        if not self._addresses:
            self._addresses = self._by_email()
        return self._addresses.get(address.lower())

    def repository(self, owner: str, name: str) -> Repository | None:
        """A repository by its present or a former name, without regard to case."""
        wanted_owner, wanted = owner.lower(), name.lower()
        owned = [r for r in self.repositories.values() if r.owner.lower() == wanted_owner]
        for repository in owned:
            if repository.name.lower() == wanted:
                return repository
        # A former name of another owner's is written in full.
        known = [(r, wanted) for r in owned] + [
            (r, f"{wanted_owner}/{wanted}") for r in self.repositories.values()
        ]
        return next((r for r, name in known if name in [former.lower() for former in r.former_names]), None)

    def permission(self, login: str | None, repository: Repository) -> str | None:
        """`admin`, `maintain`, `push`, `triage`, `pull`, or None for no access at all."""
        if login is not None and login == repository.owner:
            return "admin"
        granted = repository.collaborators.get(login) if login is not None else None
        return granted or (None if repository.private else "pull")

    def may_read(self, login: str | None, repository: Repository) -> bool:
        return self.permission(login, repository) is not None

    def readable_by(self, login: str | None) -> list[Repository]:
        return [r for r in self.repositories.values() if self.may_read(login, r)]

    def node(self, wanted: str) -> tuple[Repository | None, Node] | None:
        """The thing with this global id and the repository it belongs to."""
        if wanted not in self._nodes:
            self._nodes = {found[1].node_id: found for found in self._all_nodes()}
        return self._nodes.get(wanted)

    def _all_nodes(self) -> Iterator[tuple[Repository | None, Node]]:
        yield from ((None, person) for person in self.people.values())
        yield from ((None, team) for team in self.teams.values())
        for repository in self.repositories.values():
            yield repository, repository
            for pull in repository.pulls.values():
                yield repository, pull
                for review in pull.reviews:
                    yield repository, review
            yield from ((repository, issue) for issue in repository.issues.values())
            yield from ((repository, release) for release in repository.releases)
            yield from ((repository, label) for label in repository.labels)

    def _by_email(self) -> dict[str, Person]:
        known = {person.noreply.lower(): person for person in self.people.values()}
        for person in self.people.values():
            known.update({email.address.lower(): person for email in person.emails if email.verified})
        return known


def ancestors(commits: Mapping[str, Commit], *tips: str) -> Iterator[Commit]:
    """The commits reachable from the tips, newest committer date first, as `git log` walks them."""
    seen = set(tips)
    queue = [(-commits[tip].committer.at, tip) for tip in seen]
    heapq.heapify(queue)
    while queue:
        commit = commits[heapq.heappop(queue)[1]]
        yield commit
        for parent in commit.parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(queue, (-commits[parent].committer.at, parent))
