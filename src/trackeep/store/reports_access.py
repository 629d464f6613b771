"""Who reads, and which rows that person may read: every report starts from here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    union,
    union_all,
)

from trackeep.metrics.windows import zone_offsets
from trackeep.store.activity import GRANTED
from trackeep.store.tables import (
    access,
    account_bot,
    account_email,
    account_login,
    account_team,
    follow,
    person,
    repository,
)
from trackeep.store.tables_fetched import commit, identity

PROOF_HOLDS_S = 86_400
DAY_S = 86_400
LONGEST_SUBJECT = 500
# A page says a dozen times whose rows it wants; making that takes longer than asking for it. Few are kept:
# the next page reads at another moment, and each of these holds on to all that statements were made of.
_KEPT = 8
_NAME = (repository.c.owner, repository.c.name)


@dataclass(frozen=True)
class Reader:
    """The account that reads, the moment it reads at (unix seconds) and the zone its days are in.

    Its weeks begin on `week_start` (1 Monday to 7 Sunday), and an open pull request is stale after
    `stale_days` without an event. With `is_public` only what everybody at GitHub may read is there.
    """

    account_id: int
    now: int
    zone: ZoneInfo
    week_start: int = 1
    stale_days: int = 14
    is_public: bool = False


@lru_cache(maxsize=_KEPT)
def readable(reader: Reader) -> Select[Any]:
    """Ids of the repositories this account has proved to read; a private one needs proof of the last day."""
    is_open = repository.c.private.is_(False)
    proved = is_open if reader.is_public else or_(is_open, access.c.checked_at >= reader.now - PROOF_HOLDS_S)
    return (
        select(repository.c.id)
        .join(access, access.c.repository_id == repository.c.id)
        .where(access.c.account_id == reader.account_id, access.c.state == GRANTED, proved)
    )


@lru_cache(maxsize=_KEPT)
def followed(reader: Reader) -> Select[Any]:
    """Ids of the readable repositories that this account follows, paused ones included."""
    mine = select(follow.c.repository_id).where(follow.c.account_id == reader.account_id)
    return readable(reader).where(repository.c.id.in_(mine))


def named(reader: Reader, name: tuple[str, str]) -> Select[Any]:
    """Id of the readable repository of that owner and name; of two it is the newer one that GitHub shows."""
    owner, own_name = (func.lower(column) == part.lower() for column, part in zip(_NAME, name, strict=True))
    return readable(reader).where(owner, own_name).with_only_columns(func.max(repository.c.id))


def among(column: ColumnElement[Any], ids: Select[Any]) -> ColumnElement[bool]:
    """Rows of the repositories `ids`, found by another condition: each row's repository is looked up there.

    Plus nothing, because a database that knows little of its data would rather read a thousand repositories
    one by one than an index that gives few rows, or gives them in the order that is asked for.
    """
    return (column + 0).in_(ids)


@lru_cache(maxsize=_KEPT)
def my_ids(account_id: int) -> CompoundSelect[Any]:
    """GitHub's numbers of this person: their account, and the other accounts they say are theirs."""
    others = select(account_login.c.person_id).where(account_login.c.account_id == account_id)
    return union_all(select(literal(account_id, BigInteger)), others)


def my_teams(account_id: int) -> Select[Any]:
    """Teams of this account alone, as organisation/team in lower case: its token tells of no other's."""
    return select(account_team.c.team).where(account_team.c.account_id == account_id)


def is_machine(reader: Reader) -> ColumnElement[bool]:
    """A row of `person` that is a bot: GitHub says so, its login does, or the reader does."""
    chosen = select(account_bot.c.login).where(account_bot.c.account_id == reader.account_id)
    login = func.lower(func.coalesce(person.c.login, ""))
    return or_(
        func.coalesce(person.c.kind, "") == "Bot", login.endswith("[bot]", autoescape=True), login.in_(chosen)
    )


@lru_cache(maxsize=_KEPT)
def is_mine(account_id: int) -> ColumnElement[bool]:
    """A commit by this person: from an address they verified or chose, or that GitHub says is theirs."""
    own = select(func.lower(account_email.c.address)).where(own_address(account_id))
    known = select(func.lower(identity.c.email)).where(identity.c.person_id.in_(my_ids(account_id)))
    # GitHub compares addresses without regard to case.
    return func.lower(commit.c.author_email).in_(union(own, known))


@lru_cache(maxsize=_KEPT)
def own_address(account_id: int) -> ColumnElement[bool]:
    """A row of `account_email` that counts as this person's: verified, or chosen by them."""
    # What somebody chose counts in their own views alone.
    trusted = or_(account_email.c.verified, account_email.c.source == "chosen")
    return and_(account_email.c.account_id == account_id, trusted)


def known_authors(account_id: int) -> Any:
    """(email in lower case, person_id): whom an address belongs to; the reader's own addresses come first."""
    mine = own_address(account_id)
    own = select(func.lower(account_email.c.address).label("email"), account_email.c.account_id).where(mine)
    others = (
        select(func.lower(identity.c.email), func.max(identity.c.person_id))
        .where(func.lower(identity.c.email).not_in(select(own.subquery().c.email)))
        .group_by(func.lower(identity.c.email))
    )
    both = union(own, others).subquery("known_author")
    return select(both.c.email, both.c.account_id.label("person_id")).subquery("author_of")


def author_of(account_id: int) -> ColumnElement[Any]:
    """The same for each row of `commit` alone: a list of few commits needs few of all known addresses."""
    address = func.lower(commit.c.author_email)
    mine = own_address(account_id)
    own = select(func.max(account_email.c.account_id)).where(
        mine, func.lower(account_email.c.address) == address
    )
    known = select(func.max(identity.c.person_id)).where(func.lower(identity.c.email) == address)
    each = (one.correlate(commit).scalar_subquery() for one in (own, known))
    return func.coalesce(*each)


def with_authors(reader: Reader) -> Any:
    """Commits with the person who wrote each, where GitHub knows one; for the many of a whole window."""
    known = known_authors(reader.account_id)
    return commit.outerjoin(known, known.c.email == func.lower(commit.c.author_email)).outerjoin(
        person, person.c.id == known.c.person_id
    )


def beginning_of(message: ColumnElement[str]) -> ColumnElement[str]:
    """As much of a commit's message as lists need: whoever may push can write one of many megabytes."""
    return func.substr(message, 1, LONGEST_SUBJECT)


def is_counted() -> ColumnElement[bool]:
    """A commit that counts: on the default branch and no merge, as GitHub's own statistics do."""
    return commit.c.on_default & (commit.c.parent_count <= 1)


def local_seconds(column: ColumnElement[Any], reader: Reader, *, since: int = 0) -> ColumnElement[Any]:
    """Seconds of local time since 1970, so that a database without time zones can find days and hours.

    Only rows from `since` (unix seconds) on may be asked: a query of few weeks needs few of a zone's offsets.
    """
    year = 1970 + reader.now // (DAY_S * 365)
    offsets = zone_offsets(reader.zone, 2005, year + 1)
    needed = tuple(each for each in offsets if each[0] > since)
    return column + _offset_at(column, needed or offsets[-1:])


def local_day(column: ColumnElement[Any], reader: Reader, *, since: int = 0) -> ColumnElement[Any]:
    """Days since 1970 of the local calendar date; `since` as for `local_seconds`."""
    return local_seconds(column, reader, since=since) // DAY_S


@lru_cache(maxsize=_KEPT)
def _offset_at(column: ColumnElement[Any], offsets: tuple[tuple[int, int], ...]) -> ColumnElement[Any]:
    """Seconds ahead of UTC, each offset true from the end of the one before it until its own."""
    return _halved(column, offsets)


def _halved(column: ColumnElement[Any], offsets: tuple[tuple[int, int], ...]) -> ColumnElement[Any]:
    """The same: halved at each step, because twenty years of a zone have forty offsets."""
    if len(offsets) == 1:
        return literal_column(str(offsets[0][1]), BigInteger)
    middle = len(offsets) // 2
    before = column < literal_column(str(offsets[middle - 1][0]), BigInteger)
    return case((before, _halved(column, offsets[:middle])), else_=_halved(column, offsets[middle:]))


def count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows of a group meet `condition`."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
