"""Pull requests as people look for them: whose turn it is, and plain lists by what happened to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.metrics.durations import ready_at
from trackeep.metrics.pulls import (
    MY_TURN,
    RECENTLY_MERGED_S,
    SECTIONS,
    Standing,
    is_stale,
    returned_because,
    section,
)
from trackeep.model import SOME_TEAM
from trackeep.store.reports_access import Reader, among, followed, my_ids, my_teams, named, readable
from trackeep.store.search_grammar import Query
from trackeep.store.search_pulls import asked_of, matching, order
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import commit, pull_request, review, review_request

COUNTED_UP_TO = 10_000
# Why a review is asked of the reader, who is not named.
TEAM = "team"


@dataclass(frozen=True)
class Reviewer:
    """`state` is GitHub's word for the last review, or "" for somebody who was asked and has not answered.

    A team that was asked has its own name as `login` for somebody who is in it, for others it is "a team".
    """

    login: str
    name: str
    state: str
    is_team: bool = False


@dataclass(frozen=True)
class PullRow:
    """One pull request as lists show it; times in unix seconds, sizes None until known."""

    repository_id: int
    owner: str
    repository: str
    private: bool
    number: int
    title: str
    state: str
    draft: bool
    author: str
    author_name: str
    mine: bool
    additions: int | None
    deletions: int | None
    checks: str
    unresolved: int | None
    detailed_at: int | None
    created_at: int
    ready_at: int | None
    updated_at: int
    merged_at: int | None
    closed_at: int | None
    stale: bool = False
    section: str | None = None
    reason: str | None = None
    labels: tuple[str, ...] = ()
    reviewers: tuple[Reviewer, ...] = ()

    @property
    def waits_since(self) -> int:
        """When it asked for attention; a draft, when it was opened."""
        return self.created_at if self.draft else ready_at(self.created_at, self.ready_at)

    @property
    def my_team(self) -> str:
        """The team whose review is asked for, where the reader is asked as one of it alone; else ""."""
        teams = (one.login for one in self.reviewers if one.is_team and one.login != SOME_TEAM)
        return next(teams, "") if self.reason == TEAM else ""

    @property
    def needs_me(self) -> bool:
        """To review, to change or to merge; what waits for others or is a draft does not."""
        return self.section in MY_TURN


@dataclass(frozen=True)
class Wanted:
    """Which pull requests a list shows; "" and None mean any.

    `what` is open, merged, closed, opened (any state, by creation) or all (by last change); `since` and
    `until` bound that time.
    """

    what: str = "all"
    repository: tuple[str, str] | None = None
    author: str = ""
    words: str = ""
    since: int | None = None
    until: int | None = None
    # What `words` asks for as a search (search_keys.PULLS), else they are words of the title.
    query: Query = field(default_factory=Query)
    after: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class PullPage:
    rows: tuple[PullRow, ...]
    count: int
    after: tuple[int, int, int] | None


async def queue(conn: AsyncConnection, reader: Reader) -> tuple[PullRow, ...]:
    """What concerns this person, in the order of the sections, oldest first in each; two queries."""
    rows = (await conn.execute(_queue(reader))).all()
    found = []
    for row in rows:
        standing = _standing(row)
        place = section(standing, reader.now)
        if place is not None:
            reason = returned_because(standing) if place == "returned" else None
            if place == "review" and row.asked_myself is None:
                reason = TEAM
            found.append((place, reason, row))
    reviewers = await _reviewers(conn, reader, [(row.repository_id, row.number) for _, _, row in found])
    pulls = [_pull(row, reader, reviewers, place, reason) for place, reason, row in found]
    return tuple(sorted(pulls, key=lambda pull: (SECTIONS.index(pull.section or ""), pull.waits_since)))


async def search(conn: AsyncConnection, reader: Reader, wanted: Wanted, *, limit: int = 50) -> PullPage:
    """One page of pull requests, newest first by what `wanted.what` looks at; three queries."""
    at, oldest_first = _order_of(wanted)
    where = _conditions(reader, wanted)
    counted = select(literal(1)).where(*where).limit(COUNTED_UP_TO + 1)
    if wanted.query:
        counted = counted.select_from(_joined())
    count = (await conn.execute(select(func.count()).select_from(counted.subquery()))).scalar_one()
    key = (at, pull_request.c.repository_id, pull_request.c.number)
    statement = select(*_columns(reader), at.label("at")).select_from(_joined()).where(*where)
    if wanted.after is not None:
        last_key = tuple_(*(literal(part) for part in wanted.after))
        statement = statement.where(tuple_(*key) > last_key if oldest_first else tuple_(*key) < last_key)
    ordered = statement.order_by(*(column.asc() if oldest_first else column.desc() for column in key))
    rows = (await conn.execute(ordered.limit(limit + 1))).all()
    shown = rows[:limit]
    reviewers = await _reviewers(conn, reader, [(row.repository_id, row.number) for row in shown])
    last = shown[-1] if len(rows) > limit else None
    after = (last.at, last.repository_id, last.number) if last else None
    return PullPage(tuple(_pull(row, reader, reviewers, None, None) for row in shown), count, after)


def _order_of(wanted: Wanted) -> tuple[Any, bool]:
    """By which time the list is ordered, and whether the oldest comes first."""
    return order(wanted.query) or (_time_of(wanted.what), False)


def _time_of(what: str) -> Any:
    columns = {"merged": "merged_at", "closed": "closed_at", "opened": "created_at", "open": "created_at"}
    return pull_request.c[columns.get(what, "updated_at")]


def _conditions(reader: Reader, wanted: Wanted) -> list[ColumnElement[bool]]:
    at, _ = _order_of(wanted)
    conditions = [at.is_not(None), *matching(reader, wanted.query, at)]
    if wanted.what == "open":
        conditions.append(pull_request.c.state == wanted.what)
    elif wanted.what in ("merged", "closed"):
        # Plus nothing: most have this state, and the newest are wanted, which the index of times gives.
        conditions.append(pull_request.c.state.concat("") == wanted.what)
    here = pull_request.c.repository_id
    if wanted.repository is not None:
        conditions.append(here == named(reader, wanted.repository).scalar_subquery())
    else:
        conditions.append(among(here, followed(reader)))
    if wanted.author == "me":
        conditions.append(pull_request.c.author_id.in_(my_ids(reader.account_id)))
    elif wanted.author:
        them = select(person.c.id).where(func.lower(person.c.login) == wanted.author.lower())
        conditions.append(pull_request.c.author_id.in_(them))
    for word in () if wanted.query else wanted.words.split():
        conditions.append(func.lower(pull_request.c.title).contains(word.lower(), autoescape=True))
    if wanted.since is not None:
        conditions.append(at >= wanted.since)
    if wanted.until is not None:
        conditions.append(at < wanted.until)
    return conditions


def _joined() -> Any:
    return pull_request.join(repository, repository.c.id == pull_request.c.repository_id).outerjoin(
        person, person.c.id == pull_request.c.author_id
    )


def _columns(reader: Reader) -> tuple[Any, ...]:
    pull = pull_request.c
    mine = func.coalesce(pull.author_id, 0).in_(my_ids(reader.account_id))
    return (
        pull.repository_id,
        repository.c.owner,
        repository.c.name.label("repository"),
        repository.c.private,
        pull.number,
        pull.title,
        pull.state,
        pull.draft,
        mine.label("mine"),
        func.coalesce(person.c.login, "").label("author"),
        func.coalesce(person.c.name, "").label("author_name"),
        pull.additions,
        pull.deletions,
        pull.checks,
        pull.unresolved_threads,
        pull.detailed_at,
        pull.created_at,
        pull.ready_at,
        pull.updated_at,
        pull.merged_at,
        pull.closed_at,
        pull.labels,
    )


def _queue(reader: Reader) -> Select[Any]:
    pull = pull_request.c
    me = my_ids(reader.account_id)
    same_review = and_(review.c.repository_id == pull.repository_id, review.c.number == pull.number)
    same_request = and_(
        review_request.c.repository_id == pull.repository_id, review_request.c.number == pull.number
    )
    mine_to_review = select(func.max(func.coalesce(review_request.c.requested_at, pull.created_at))).where(
        same_request, asked_of(reader, me, with_teams=True)
    )
    asked_myself = select(func.max(literal(1))).where(same_request, review_request.c.reviewer_id.in_(me))
    # Of this one pull request: not one of all reviews of mine, which are more.
    is_me = func.coalesce(review.c.author_id, 0).in_(me)
    my_review = select(func.max(review.c.submitted_at)).where(same_review, is_me)
    decided = select(func.max(review.c.submitted_at)).where(
        same_review, review.c.state == "CHANGES_REQUESTED", review.c.author_id != pull.author_id
    )
    pushed = select(commit.c.committed_at).where(
        commit.c.repository_id == pull.repository_id, commit.c.sha == pull.head_sha
    )
    asked = select(func.count()).where(same_request)
    found = _concerning(reader).subquery("found")
    return (
        select(
            *_columns(reader),
            pull.review_decision,
            pull.mergeable,
            mine_to_review.scalar_subquery().label("requested_at"),
            my_review.scalar_subquery().label("reviewed_at"),
            decided.scalar_subquery().label("decided_at"),
            pushed.scalar_subquery().label("pushed_at"),
            asked.scalar_subquery().label("asked"),
            asked_myself.scalar_subquery().label("asked_myself"),
        )
        .select_from(
            _joined().join(
                found, and_(found.c.repository_id == pull.repository_id, found.c.number == pull.number)
            )
        )
        .where(pull.repository_id.in_(followed(reader)))
    )


def _concerning(reader: Reader) -> CompoundSelect[Any]:
    """Keys of the open ones that are mine or wait for me, and of those just merged that I wrote or reviewed.

    Five questions, each with an index of its own that gives few rows.
    """
    pull, me, teams = pull_request.c, my_ids(reader.account_id), my_teams(reader.account_id)
    keys = select(pull.repository_id, pull.number)
    mine = keys.where(pull.author_id.in_(me))
    is_open = pull.state == "open"
    # Plus nothing: nearly all are merged, and few lately, which the index of times gives.
    just_merged = and_(pull.state.concat("") == "merged", pull.merged_at >= reader.now - RECENTLY_MERGED_S)
    request = and_(
        review_request.c.repository_id == pull.repository_id, review_request.c.number == pull.number
    )
    reviewed = and_(review.c.repository_id == pull.repository_id, review.c.number == pull.number)
    return union(
        mine.where(is_open),
        mine.where(just_merged),
        keys.join(review_request, request).where(review_request.c.reviewer_id.in_(me), is_open),
        keys.join(review_request, request).where(
            review_request.c.reviewer_id == 0, func.lower(review_request.c.team).in_(teams), is_open
        ),
        keys.join(review, reviewed).where(review.c.author_id.in_(me), just_merged),
    )


def _standing(row: Any) -> Standing:
    return Standing(
        state=row.state,
        draft=row.draft,
        mine=bool(row.mine),
        requested_of_me_at=row.requested_at,
        reviewers_asked=row.asked,
        reviewed_by_me_at=row.reviewed_at,
        decision=row.review_decision,
        decided_at=row.decided_at,
        head_pushed_at=row.pushed_at,
        checks=row.checks,
        mergeable=row.mergeable,
        merged_at=row.merged_at,
    )


async def _reviewers(
    conn: AsyncConnection, reader: Reader, pulls: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], tuple[Reviewer, ...]]:
    """Who reviewed and who is still asked, for each (repository_id, number); the latest review counts."""
    answered = (
        select(
            review.c.repository_id,
            review.c.number,
            person.c.login,
            person.c.name,
            review.c.state,
            func.coalesce(review.c.submitted_at, 0).label("at"),
            literal(False).label("is_team"),
        )
        .join(person, person.c.id == review.c.author_id)
        .where(
            among(review.c.repository_id, readable(reader)),
            *_is_one_of(review, pulls),
        )
    )
    asked = (
        select(
            review_request.c.repository_id,
            review_request.c.number,
            func.coalesce(person.c.login, _team_as_seen(reader)),
            func.coalesce(person.c.name, ""),
            literal(""),
            literal(0),
            review_request.c.reviewer_id == 0,
        )
        .outerjoin(person, person.c.id == review_request.c.reviewer_id)
        .where(
            among(review_request.c.repository_id, readable(reader)),
            *_is_one_of(review_request, pulls),
            or_(person.c.id.is_not(None), review_request.c.reviewer_id == 0),
        )
    )
    both = answered.union_all(asked).subquery()
    found: dict[tuple[int, int], dict[str, Reviewer]] = {}
    for row in (await conn.execute(select(both).order_by(both.c.at))).all():
        people = found.setdefault((row.repository_id, row.number), {})
        login = row.login.rpartition("/")[2] if row.is_team else row.login
        people[login] = Reviewer(login, row.name, row.state, bool(row.is_team))
    return {key: tuple(people.values()) for key, people in found.items()}


def _team_as_seen(reader: Reader) -> ColumnElement[str]:
    """GitHub names an organisation's teams to its people alone; whoever is in a team is one of them."""
    team = review_request.c.team
    return case((func.lower(team).in_(my_teams(reader.account_id)), team), else_=SOME_TEAM)


def _is_one_of(table: Any, pulls: Sequence[tuple[int, int]]) -> list[ColumnElement[bool]]:
    """Rows of these pull requests; SQLite finds pairs in no index, but two columns in lists of their own."""
    place, number = table.c.repository_id, table.c.number
    places, numbers = ({pull[n] for pull in pulls} for n in (0, 1))
    pair = tuple_(place, number).in_(list(pulls))
    return [place.in_(sorted(places)), number.in_(sorted(numbers)), pair]


def _pull(
    row: Any,
    reader: Reader,
    reviewers: Mapping[tuple[int, int], tuple[Reviewer, ...]],
    place: str | None,
    reason: str | None,
) -> PullRow:
    people = reviewers.get((row.repository_id, row.number), ())
    labels = json.loads(row.labels) if row.labels else []
    return PullRow(
        repository_id=row.repository_id,
        owner=row.owner,
        repository=row.repository,
        private=row.private,
        number=row.number,
        title=row.title,
        state=row.state,
        draft=row.draft,
        author=row.author,
        author_name=row.author_name,
        mine=bool(row.mine),
        additions=row.additions,
        deletions=row.deletions,
        checks=row.checks,
        unresolved=row.unresolved_threads,
        detailed_at=row.detailed_at,
        created_at=row.created_at,
        ready_at=row.ready_at,
        updated_at=row.updated_at,
        merged_at=row.merged_at,
        closed_at=row.closed_at,
        stale=is_stale(row.state, row.updated_at, reader.now, days=reader.stale_days),
        section=place,
        reason=reason,
        labels=tuple(label["name"] for label in labels),
        reviewers=tuple(one for one in people if one.login != row.author),
    )
