"""What every stream of one pass over one account shares: database, GitHub, cursors, and what was found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import aiohttp
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.errors import (
    GitHubError,
    GitHubGraphQLRefused,
    GitHubRateLimited,
    GitHubSignOn,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github.gitwire import GitRemote
from trackeep.github.sizes import Sizes
from trackeep.github.transport import PAYER, Costs, GitHub
from trackeep.model import Budget, Repository
from trackeep.store import schedule, waiting
from trackeep.store.schedule import Cursor
from trackeep.sync import plan

# The place of cursors that belong to the account and to no repository.
ACCOUNT = 0
# Repository id and stream.
Place = tuple[int, str]
MOST_UNAVAILABLE = 3
# How much GitHub manages at once is remembered beside the account's other cursors.
SIZES = "sizes"

log = structlog.get_logger()


@dataclass
class Found:
    commits: int = 0
    pull_requests: int = 0
    reviews: int = 0
    issues: int = 0
    refs: int = 0
    # Commits whose files became known.
    files: int = 0


@dataclass(frozen=True)
class Wishes:
    """What the caller wants of this pass; `only` are repository ids, empty for all that is followed.

    Of these, those alone that were pushed to at or after `since` (unix seconds).
    `is_time_up` turns True when others wait and this pass has had its turn.
    """

    trigger: str = "poll"
    urgent: bool = False
    follow_all: bool = False
    only: frozenset[int] = frozenset()
    since: int = 0
    is_time_up: Callable[[], bool] = lambda: False


@dataclass
class Work:
    """One pass over one account; made by `open_work`.

    `is_graphql_refused`: this very pass has asked by GraphQL, in vain.
    """

    db: Database
    github: GitHub
    git: Callable[[Repository], GitRemote]
    account_id: int
    teams: bool
    wishes: Wishes
    notify: Callable[[], None]
    cursors: dict[tuple[int, str], Cursor] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    validators: dict[str, str] = field(default_factory=dict)
    found: Found = field(default_factory=Found)
    failures: dict[str, str] = field(default_factory=dict)
    git_posts: int = 0
    git_bytes: int = 0
    last_visit_at: int | None = None
    began_at: int = field(init=False)
    is_graphql_refused: bool = False
    leaves_more: bool = False
    costs: dict[Place, tuple[int, int, int]] = field(default_factory=dict)
    _unavailable: int = 0

    def __post_init__(self) -> None:
        self.began_at = self.now

    @property
    def now(self) -> int:
        return int(self.github.clock())

    def has_time(self) -> bool:
        """Asked before each further page; False leaves it to the next pass, which others precede."""
        self.leaves_more = self.leaves_more or self.wishes.is_time_up()
        return not self.leaves_more

    def cursor(self, repository_id: int, stream: str) -> Cursor:
        return self.cursors.get((repository_id, stream), Cursor())

    @contextlib.contextmanager
    def charged(self, *places: Place) -> Iterator[None]:
        """What is asked inside is on the account of these streams, and of no other around it."""
        before, spent = PAYER.get(), Costs()
        PAYER.set(spent)
        try:
            yield
        finally:
            PAYER.set(before)
            requests = spent.rest_requests + spent.graphql_requests
            self.charge(places, requests, spent.conditional, spent.not_modified)

    def charge(
        self, places: Sequence[Place], requests: int, conditional: int = 0, unchanged: int = 0
    ) -> None:
        """Requests, conditional ones among them, and answers 304 that these streams have cost."""
        for place in places if requests else ():
            was = self.costs.get(place, (0, 0, 0))
            self.costs[place] = (was[0] + requests, was[1] + conditional, was[2] + unchanged)

    async def keep_validator(self, conn: AsyncConnection, url: str, etag: str) -> None:
        """Ask for `url` with this ETag from now on; in the transaction of what came with it."""
        await schedule.save_validator(conn, self.github.token_fingerprint, url, etag, self.now)
        self.validators[url] = etag

    async def advance(self, conn: AsyncConnection, repository_id: int, stream: str, new: Cursor) -> None:
        """Write a cursor in the caller's transaction, together with the rows it vouches for."""
        place = (repository_id, stream)
        await schedule.advance(conn, self.account_id, place, new, self.now)
        self.cursors[place] = new

    async def settled(self, newest: int) -> None:
        await asyncio.sleep(plan.settle_s(newest, self.github.clock()))

    @contextlib.asynccontextmanager
    async def guarded(self, repository: Repository, stream: str) -> AsyncIterator[None]:
        """A failure of one repository is written down and the others go on.

        Limits, a dead token and refused GraphQL concern all of them, and so does a GitHub that fails again
        and again.
        """
        try:
            with self.charged((repository.id, stream)):
                yield
            self._unavailable = 0
        except (GitHubRateLimited, GitHubTokenDead, GitHubGraphQLRefused):
            raise
        except GitHubError as error:
            if self.github.is_closed:
                raise
            self.failures[repository.full_name] = error.sentence
            place = (repository.id, stream)
            failures = self.cursor(*place).failures + 1
            due_at = self.now + plan.backoff_s(failures)
            async with self.db.write() as conn:
                link = error.link if isinstance(error, GitHubSignOn) else ""
                await schedule.fail(conn, self.account_id, place, error.sentence, due_at, link=link)
            self._unavailable += isinstance(error, GitHubUnavailable)
            if self._unavailable >= MOST_UNAVAILABLE:
                raise

    @contextlib.asynccontextmanager
    async def unhurried(self, stream: str) -> AsyncIterator[None]:
        """What nobody waits for: a failure of this stream of the account waits and fails nothing else.

        Raises GitHubTokenDead, and whatever ends a pass that is told to stop.
        """
        try:
            with self.charged((ACCOUNT, stream)):
                yield
        except GitHubTokenDead:
            raise
        except GitHubRateLimited:
            # The client keeps the time until when nothing is asked, and everything else of the pass is done.
            return
        except GitHubError as error:
            if self.github.is_closed:
                raise
            place = (ACCOUNT, stream)
            due_at = self.now + plan.backoff_s(self.cursor(*place).failures + 1)
            async with self.db.write() as conn:
                await schedule.fail(conn, self.account_id, place, error.sentence, due_at)
            log.warning("put off", stream=stream, account=self.account_id, problem=error.sentence)


@dataclass(frozen=True)
class Way:
    """A way to GitHub: whose token it is and what it may."""

    http: aiohttp.ClientSession
    addresses: GitHubAddresses
    token: str = field(repr=False)
    scopes: tuple[str, ...] | None
    clock: Callable[[], float]


async def open_work(
    db: Database, account_id: int, way: Way, wishes: Wishes, notify: Callable[[], None] = lambda: None
) -> Work:
    """Everything a pass needs, with cursors and validators as the last pass left them."""
    validators: dict[str, str] = {}
    budgets: dict[str, Budget] = {}
    github = await open_github(db, account_id, way, validators, budgets)
    async with db.read() as conn:
        validators |= await schedule.validators(conn, github.token_fingerprint)
        cursors = await schedule.cursors(conn, account_id)
        last_visit_at = await schedule.last_visit_at(conn, account_id)
    github.sizes = Sizes(cursors.get((ACCOUNT, SIZES), Cursor()).position)

    def git(repository: Repository) -> GitRemote:
        url = f"{way.addresses.git}/{repository.full_name}.git"
        return GitRemote(way.http, url, way.token, clock=way.clock, turns=github.turns)

    teams = not {"read:org", "write:org", "admin:org"}.isdisjoint(way.scopes or ())
    return Work(
        db,
        github,
        git,
        account_id,
        teams,
        wishes,
        notify,
        cursors,
        budgets,
        validators,
        last_visit_at=last_visit_at,
    )


async def open_github(
    db: Database,
    account_id: int,
    way: Way,
    validators: dict[str, str] | None = None,
    budgets: dict[str, Budget] | None = None,
) -> GitHub:
    """A client that keeps the waiting times an earlier run was told; `budgets` collects new ones."""
    seen = {} if budgets is None else budgets
    github = GitHub(
        way.http,
        way.addresses,
        way.token,
        clock=way.clock,
        validators=validators,
        on_budget=lambda budget: seen.__setitem__(budget.resource, budget),
    )
    async with db.read() as conn:
        known = await schedule.budgets(conn, account_id)
        github.turns.remember(known, await waiting.waiting(conn, account_id, int(way.clock())))
    github.turns.on_refused = partial(save_waiting, db, account_id, github, seen)
    return github


async def save_waiting(db: Database, account_id: int, github: GitHub, budgets: Mapping[str, Budget]) -> None:
    """Write down until when nothing is asked, and what is left of each bucket."""
    closed_until = int(github.turns.closed_until) + 1
    retry_at = closed_until if closed_until > github.clock() else None
    async with db.write() as conn:
        await schedule.save_budgets(conn, account_id, budgets.values())
        await waiting.wait_for_github(conn, account_id, retry_at, github.turns.refusals)
