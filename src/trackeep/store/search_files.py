"""Finds commits by the paths they changed, in repositories where somebody has asked for those.

`src/app` means whatever has a folder `src` with something in it that begins with `app`, at the top or below.
A slash in front means the top alone, one behind a folder; `*` stands for any characters, and a last part
that has one is meant to its end. A folder counts as changed with anything in it, so only rows whose own last
part fits are looked for (see tables_paths.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import UsageError
from trackeep.store.paths import in_lower_case
from trackeep.store.reports_access import Reader, followed, readable
from trackeep.store.schedule import FILES
from trackeep.store.tables import follow
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_paths import commit_path, compared_commit, path
from trackeep.store.tables_sync import cursor

LONGEST_WITH_STARS, MOST_STARS, MOST_WITH_STARS = 60, 4, 4
LONGEST_NAME = 255  # bytes, of a file on any usual disk
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class Files:
    """Whether this person has asked for a repository's files, how many commits were compared, and if all."""

    is_asked: bool
    commits: int
    is_whole: bool
    problem: str


@dataclass(frozen=True)
class Meant:
    """What a value of `path:` stands for: a question for its paths, and their numbers where they are few.

    `is_frequent`: very many commits changed them.
    """

    paths: Select[Any]
    ids: tuple[int, ...] | None
    is_frequent: bool


async def of_repository(conn: AsyncConnection, reader: Reader, repository_id: int) -> Files:
    """What became of this person's wish for the files of one repository; one query."""
    here = and_(cursor.c.repository_id == follow.c.repository_id, cursor.c.account_id == follow.c.account_id)
    mine = and_(follow.c.account_id == reader.account_id, follow.c.repository_id == repository_id)
    rows = (
        select(follow.c.files, cursor.c["items"], cursor.c.complete, cursor.c.problem)
        .outerjoin(cursor, and_(here, cursor.c.stream == FILES))
        .where(mine, follow.c.repository_id.in_(readable(reader)))
    )
    row = (await conn.execute(rows)).first()
    if row is None:
        return Files(False, 0, False, "")
    return Files(row.files, row.items or 0, bool(row.complete), row.problem or "")


async def covered(conn: AsyncConnection, reader: Reader, where: Select[Any] | None = None) -> tuple[int, int]:
    """How many of the repositories `where` (all that are followed) have files, of how many; one query."""
    places = (followed(reader) if where is None else where).subquery()
    asks = exists().where(
        follow.c.repository_id == places.c[0], follow.c.account_id == reader.account_id, follow.c.files
    )
    has_files = or_(asks, exists().where(path.c.repository_id == places.c[0]))
    counts = select(func.count().filter(has_files), func.count()).where(places.c[0].is_not(None))
    some, every = (await conn.execute(counts.select_from(places))).one()
    return some, every


def changes_of(paths: Select[Any] | Sequence[int]) -> Select[Any]:
    """The numbers of commits that changed these paths, once for each path."""
    return select(commit_path.c.commit_id).where(commit_path.c.path_id.in_(paths))


def touches(meant: Meant) -> ColumnElement[bool]:
    """A commit that changed one of these paths."""
    paths = meant.paths if meant.ids is None else meant.ids
    if not meant.is_frequent:
        return commit.c.id.in_(changes_of(paths))
    here = commit_path.c.commit_id == commit.c.id
    # Plus nothing: a commit has few paths, while thousands may be meant, which were looked up one by one. And
    # no `exists`, for which PostgreSQL would first look up all commits that there are.
    found = select(literal(1)).where(here, (commit_path.c.path_id + 0).in_(paths)).limit(1)
    return found.correlate(commit).scalar_subquery().is_not(None)


def leaves_alone(meant: Meant) -> ColumnElement[bool]:
    """A commit that changed none of them, as far as all that it changed is known."""
    cut = select(compared_commit.c.is_cut).where(compared_commit.c.commit_id == commit.c.id)
    is_known = cut.correlate(commit).scalar_subquery().is_(false())
    return and_(is_known, ~touches(replace(meant, is_frequent=True)))


def check_stars(values: Collection[str]) -> None:
    """Raises UsageError where these paths would cost too much: every name is compared with a *."""
    starred = [value for value in values if "*" in value]
    if any(len(each) > LONGEST_WITH_STARS or each.count("*") > MOST_STARS for each in starred):
        raise UsageError(
            f"A path with * has at most {MOST_STARS} of them and {LONGEST_WITH_STARS} characters.",
            "Name a folder, or the beginning of the file's name.",
        )
    if len(starred) > MOST_WITH_STARS:
        raise UsageError(f"At most {MOST_WITH_STARS} paths may have a *.", "Leave some of them out.")


def paths_like(value: str, where: Select[Any] | Sequence[int]) -> Select[Any]:
    """The numbers of the paths that are meant by `value`, in the repositories `where`."""
    wanted = re.sub("/+", "/", in_lower_case(value))
    is_at_top, wanted = wanted.startswith("/"), wanted.lstrip("/")
    cut = wanted.rstrip("/").rfind("/") + 1
    folders, last = wanted[:cut], wanted[cut:]
    above = func.lower(func.substr(path.c.text, 1, func.length(path.c.text) - func.length(path.c.name)))
    # Plus nothing: a name leads to fewer rows than a repository.
    place = path.c.repository_id if "*" in last else path.c.repository_id + 0
    return select(path.c.id).where(place.in_(where), _is_named(last), _is_below(above, folders, is_at_top))


def _is_named(last: str) -> ColumnElement[bool]:
    name: ColumnElement[str] = path.c.name
    if "*" in last:
        # No longer than a name that can be on a disk: what * costs grows with name times pattern.
        name = func.substr(name, 1, LONGEST_NAME)
        pattern = _like(last.rstrip("/"))
        folder = name.like(pattern + "/", escape="\\")
        return folder if last.endswith("/") else or_(folder, name.like(pattern, escape="\\"))
    if last.endswith("/"):
        return name == last
    return and_(name >= last, name < last + _LAST_CHARACTER)


def _is_below(above: ColumnElement[str], folders: str, is_at_top: bool) -> ColumnElement[bool]:
    if not folders and not is_at_top:
        return true()
    here = above.like(_like(folders), escape="\\")
    return here if is_at_top else or_(here, above.like("%/" + _like(folders), escape="\\"))


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
