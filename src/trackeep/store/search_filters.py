"""What the filters of a search mean here: which repositories, whose addresses, which commits of a branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store import search_files
from trackeep.store.ancestry import Ancestry, on_default
from trackeep.store.reports_access import (
    Reader,
    among,
    followed,
    known_authors,
    my_ids,
    named,
    own_address,
)
from trackeep.store.search_files import Meant
from trackeep.store.search_grammar import Query, words_in
from trackeep.store.search_text import MOST_TAGS, by_authors, of_repositories
from trackeep.store.tables import account_email, person, repository
from trackeep.store.tables_fetched import commit, identity, ref

MOST_BRANCHES = 50
MOST_COMMITS_OF_A_BRANCH = 10_000
# A path that more commits changed is looked for among the newest commits, a rarer one by its own index.
FREQUENT_FROM = 20_000
# So many numbers are named in a question; of more paths they are asked for within it.
MOST_PATHS = 900


@dataclass(frozen=True)
class Branch:
    """Commits on a branch: all of the default branch of `defaults`, else the shas by repository."""

    defaults: tuple[int, ...]
    own: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class LookedUp:
    """`places` are the repositories where they are few, else None. Nobody's address: () in `people`."""

    places: tuple[int, ...] | None = None
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    branches: Mapping[str, Branch] = field(default_factory=dict)
    paths: Mapping[str, Meant] = field(default_factory=dict)


def places(reader: Reader, query: Query, here: tuple[str, str] | None, *, forks: bool) -> Select[Any]:
    """Ids of the repositories whose commits are looked at; `here` is the one of the page."""
    found = named(reader, here) if here else followed(reader)
    if not forks:
        found = found.where(repository.c.fork.is_(False))
    for key, is_one in (("repo", _is_repository), ("owner", _is_owned_by)):
        wanted, ruled_out = query.values(key), query.values(key, negated=True)
        if wanted:
            found = found.where(or_(*map(is_one, wanted)))
        found = found.where(*(~is_one(value) for value in ruled_out))
    return found


async def look_up(
    conn: AsyncConnection, reader: Reader, query: Query, where: Select[Any] | None = None
) -> LookedUp:
    """What must be known before commits are asked for: one query, more for each person, branch and path.

    Raises UsageError for a branch that too many repositories have, or too many commits.
    """
    where = places(reader, query, None, forks=True) if where is None else where
    ids = tuple((await conn.scalars(where.limit(MOST_TAGS + 1))).all())
    few = tuple(each for each in ids if each is not None) if len(ids) <= MOST_TAGS else None
    people: dict[str, tuple[str, ...]] = {}
    for one in query.filters:
        name = "me" if (one.key, one.value) == ("is", "mine") else one.value
        if one.key in ("author", "committer") or name == "me":
            people[name] = people[name] if name in people else await _addresses(conn, reader, name)
    names = {one.value for one in query.filters if one.key == "branch"}
    branches = {name: await _branch(conn, where, name) for name in sorted(names)}
    paths = {one.value for one in query.filters if one.key == "path"}
    search_files.check_stars(paths)
    meant = {one: await _meant(conn, one, few, where) for one in sorted(paths)}
    return LookedUp(few, people, branches, meant)


def conditions(
    reader: Reader, query: Query, known: LookedUp, where: Select[Any]
) -> list[ColumnElement[bool]]:
    """Which commits are meant, but for their words and times."""
    here: ColumnElement[bool] = among(commit.c.repository_id, where)
    if known.places is not None:
        few = known.places
        here = commit.c.repository_id == few[0] if len(few) == 1 else commit.c.repository_id.in_(few)
        if len(few) > 1 and any(each.is_frequent for each in known.paths.values()):
            # Plus nothing: where most commits are meant, they are looked through in the order of time.
            here = (commit.c.repository_id + 0).in_(few)
    found = [here]
    for key in ("author", "committer", "branch", "is"):
        each = {
            negated: [_is(reader, known, key, value) for value in query.values(key, negated=negated)]
            for negated in (False, True)
        }
        # Of `is:` all must hold; of the others a commit has but one.
        found += each[False] if key == "is" or not each[False] else [or_(*each[False])]
        found += [~one for one in each[True]]
    return [*found, *_of_paths(query, known)]


def tags(query: Query, known: LookedUp) -> list[str]:
    """The same for SQLite's full text, as far as it can tell; it may let through more than is meant."""
    found = [] if known.places is None else [of_repositories(known.places)]
    authors = query.values("author")
    # Of those only one must have written it; mine are mine besides.
    for group in (authors, tuple("me" for value in query.values("is") if value == "mine")[:1]):
        addresses = [each for name in group for each in known.people[name]]
        names = [name for name in group if not known.people[name] and name != "me"]
        can_tell = len(addresses) <= MOST_TAGS and all(words_in(name) for name in names)
        if can_tell and (addresses or names):
            found.append(by_authors(addresses, names))
    return found


# ---- what a filter means ------------------------------------------------------------------------


def _is_repository(value: str) -> ColumnElement[bool]:
    owner, slash, name = value.lower().rpartition("/")
    has_name = func.lower(repository.c.name) == name
    return and_(has_name, func.lower(repository.c.owner) == owner) if slash else has_name


def _is_owned_by(value: str) -> ColumnElement[bool]:
    return func.lower(repository.c.owner) == value.lower()


def _is(reader: Reader, known: LookedUp, key: str, value: str) -> ColumnElement[bool]:
    if key in ("author", "committer"):
        return _is_by(reader, key, value, known.people[value])
    if key == "branch":
        return _is_on(known.branches[value])
    if value == "mine":
        return _is_by(reader, "author", "me", known.people["me"])
    return commit.c.parent_count > 1 if value == "merge" else commit.c.signed


def _of_paths(query: Query, known: LookedUp) -> list[ColumnElement[bool]]:
    """Commits that changed one of the paths, and of those that were compared the ones without the others."""
    wanted, ruled_out = (query.values("path", negated=negated) for negated in (False, True))
    found = [search_files.leaves_alone(known.paths[one]) for one in ruled_out]
    if wanted:
        found.append(or_(*(search_files.touches(known.paths[one]) for one in wanted)))
    return found


async def _meant(conn: AsyncConnection, value: str, few: Sequence[int] | None, where: Select[Any]) -> Meant:
    """Two queries, which end as soon as there are too many to be of use."""
    found = search_files.paths_like(value, where if few is None else few)
    ids = tuple((await conn.scalars(found.limit(MOST_PATHS + 1))).all())
    few_ids = ids if len(ids) <= MOST_PATHS else None
    changes = search_files.changes_of(found if few_ids is None else few_ids)
    most = changes.limit(FREQUENT_FROM + 1).subquery()
    count = await conn.scalar(select(func.count()).select_from(most))
    return Meant(found, few_ids, bool(count and count > FREQUENT_FROM))


def _is_by(reader: Reader, role: str, value: str, addresses: Sequence[str]) -> ColumnElement[bool]:
    """From one of these addresses; a name stands for those alone whom GitHub knows no account of."""
    address = func.lower(commit.c[f"{role}_email"])
    if addresses or value == "me":
        return address.in_(addresses)
    known = known_authors(reader.account_id)
    accounts = select(known.c.email).join(person, person.c.id == known.c.person_id)
    by_name = func.lower(commit.c[f"{role}_name"]) == value.lower()
    return by_name & address.not_in(accounts.where(person.c.login != ""))


def _is_on(branch: Branch) -> ColumnElement[bool]:
    here = commit.c.repository_id
    found: list[ColumnElement[bool]] = []
    if branch.defaults:
        found.append(here.in_(branch.defaults) & commit.c.on_default)
    found += [and_(here == place, commit.c.sha.in_(shas)) for place, shas in branch.own.items()]
    return or_(*found) if found else false()


async def _addresses(conn: AsyncConnection, reader: Reader, name: str) -> tuple[str, ...]:
    """The addresses of "me" or a login, in lower case; none for a name that is no login."""
    if name == "me":
        own = select(func.lower(account_email.c.address)).where(own_address(reader.account_id))
        known = select(func.lower(identity.c.email)).where(
            identity.c.person_id.in_(my_ids(reader.account_id))
        )
        return tuple(sorted((await conn.scalars(union(own, known))).all()))
    authors = known_authors(reader.account_id)
    theirs = select(authors.c.email).join(person, person.c.id == authors.c.person_id)
    found = await conn.scalars(theirs.where(func.lower(person.c.login) == name.lower()))
    return tuple(sorted(found.all()))


async def _branch(conn: AsyncConnection, where: Select[Any], name: str) -> Branch:
    """The default branch whole; of another one what the default branch has not, as far as it is stored."""
    rows = await conn.execute(
        select(ref.c.repository_id, ref.c.commit_sha, repository.c.default_branch)
        .join(repository, repository.c.id == ref.c.repository_id)
        .where(ref.c.name == f"refs/heads/{name}", ref.c.repository_id.in_(where))
        .order_by(ref.c.repository_id)
    )
    tips = rows.all()
    defaults = tuple(row.repository_id for row in tips if row.default_branch == name)
    others = [row for row in tips if row.default_branch != name]
    many = UsageError(f"Too many commits are on branches named “{name}”.", "Add repo: to look in one place.")
    if len(others) > MOST_BRANCHES:
        raise many
    own = {}
    for row in others:
        walked = await Ancestry(conn, row.repository_id).walk([row.commit_sha], on_default)
        own[row.repository_id] = tuple(sorted(walked.inside))
    if sum(map(len, own.values())) > MOST_COMMITS_OF_A_BRANCH:
        raise many
    return Branch(defaults, own)
