"""Takes in a database of github-to-sqlite: adds what is missing, and never overwrites what GitHub has told.

https://github.com/dogsheep/github-to-sqlite. Whose repository GitHub has not shown to the owner's own token
stays hidden until it has: a file proves nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked, upsert
from trackeep.errors import UsageError
from trackeep.model import EARLIEST_AT, LATEST_AT
from trackeep.store import activity, commit_words, schedule, walks
from trackeep.store.tables import access, person, repository
from trackeep.store.tables_fetched import commit, issue, pull_request, release

Row = Mapping[str, Any]
TABLES = ("users", "repos", "commits", "pull_requests", "issues", "releases")
_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,100}"
_LOGIN, _FULL_NAME = re.compile(rf"{_NAME}(\[bot\])?"), re.compile(rf"({_NAME})/({_NAME})")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Made by it beside the others, of no use alone.
_HELPERS = {"raw_authors", "licenses", "milestones", "labels", "issues_labels", "labels_pull_requests"}


@dataclass(frozen=True)
class File:
    """What was read: rows by table, and which tables were left."""

    rows: Mapping[str, Sequence[Row]]
    unknown: tuple[str, ...]


@dataclass
class Imported:
    """How many rows of each table are new, and which repositories were left because others read them."""

    added: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    unknown: tuple[str, ...] = ()


def read(path: Path) -> File:
    """The rows of a file of github-to-sqlite. Raises UsageError for anything else."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Name a database of github-to-sqlite.")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            conn.row_factory = sqlite3.Row
            listed = conn.execute("select name from sqlite_master where type = 'table'")
            names = {name for (name,) in listed if "_fts" not in name and not name.startswith("sqlite_")}
            found = {name: _all(conn, name) for name in TABLES if name in names}
            authors = {row["id"]: row for row in _all(conn, "raw_authors")} if "raw_authors" in names else {}
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Choose another file.") from error
    if "repos" not in found:
        raise UsageError(f"{path} is no database of github-to-sqlite.", "It has no table `repos`.")
    for row in found.get("commits", []):
        for who in ("author", "committer"):
            row[f"{who}_told"] = authors.get(row.get(f"raw_{who}"), {})
    return File(found, tuple(sorted(names - set(TABLES) - _HELPERS)))


async def save(conn: AsyncConnection, account_id: int, file: File, now: int) -> Imported:
    """Add what is missing, in the caller's transaction; raises UsageError for a row that makes no sense."""
    done = Imported(unknown=file.unknown)
    people = [_made(_person, "users", row) for row in file.rows.get("users", [])]
    done.added["users"] = await _add(conn, person, people, ["id"])
    places = [_made(_repository, "repos", row) for row in file.rows["repos"]]
    repos = {place["id"]: place for place in places}
    shown, hidden = await _places(conn, account_id, repos, done)
    new = [repos[key] for key in sorted(hidden) if key in repos]
    done.added["repos"] = await _add(conn, repository, new, ["id"])
    await _hide(conn, account_id, hidden, repos, now)
    for name, table, make in (
        ("pull_requests", pull_request, _pull),
        ("issues", issue, _issue),
        ("releases", release, _release),
    ):
        rows = [row for row in file.rows.get(name, []) if row.get("repo") in shown | hidden]
        made = [each for row in rows if (each := _made(make, name, row)) is not None]
        done.added[name] = await _add(conn, table, made, [column.name for column in table.primary_key])
    # Git brings the whole history of what GitHub shows, with what this file does not know: the parents.
    rows = [row for row in file.rows.get("commits", []) if row.get("repo") in hidden]
    commits = [_made(_commit, "commits", row) for row in rows]
    done.added["commits"] = await _add(conn, commit, commits, ["sha", "repository_id"])
    await commit_words.catch_up(conn)
    for key in sorted(hidden):
        shas = [each["sha"] for each in commits if each["repository_id"] == key]
        await walks.mark(conn, key, walks.FROM_FILE, shas)
    await schedule.request_sync(conn, account_id, now)
    return done


async def _places(
    conn: AsyncConnection, account_id: int, repos: Mapping[int, Row], done: Imported
) -> tuple[set[int], set[int]]:
    """Those of `repos` that GitHub shows to this account, and those that it has yet to show.

    What others read, and this account does not, is neither: nobody writes into what they may not see.
    """
    shown, hidden = set(), set()
    for some in chunked(sorted(repos)):
        rows = await conn.execute(select(access).where(access.c.repository_id.in_(some)))
        granted: dict[int, set[int]] = {}
        for row in rows:
            if row.state == activity.GRANTED:
                granted.setdefault(row.repository_id, set()).add(row.account_id)
        for key in some:
            if account_id in granted.get(key, set()):
                shown.add(key)
            elif key in granted:
                done.left.append(f"{repos[key]['owner']}/{repos[key]['name']}")
            else:
                hidden.add(key)
    return shown, hidden


async def _hide(
    conn: AsyncConnection, account_id: int, hidden: Iterable[int], repos: Mapping[int, Row], now: int
) -> None:
    """Follow these, and take them for lost: the next sync asks GitHub for each with the account's token."""
    keys = sorted(hidden)
    if not keys:
        return
    rows = [
        {
            "account_id": account_id,
            "repository_id": key,
            "state": activity.LOST,
            "permission": "",
            "checked_at": now,
            "known_as": f"{repos[key]['owner']}/{repos[key]['name']}",
        }
        for key in keys
    ]
    await upsert(conn, access, rows, key=["account_id", "repository_id"], keep=["checked_at", "known_as"])
    await schedule.follow_repositories(conn, account_id, keys, now)


async def _add(conn: AsyncConnection, table: Table, rows: list[dict[str, Any]], key: list[str]) -> int:
    """Insert those that are not there; how many."""
    if not rows:
        return 0
    before = await _count(conn, table)
    rows = sorted({tuple(row[name] for name in key): row for row in rows}.values(), key=lambda r: r[key[0]])
    for some in chunked(rows):
        await upsert(conn, table, some, key=key, keep=set(some[0]) - set(key))
    return await _count(conn, table) - before


async def _count(conn: AsyncConnection, table: Table) -> int:
    return int(await conn.scalar(select(func.count()).select_from(table)) or 0)


# ---- rows ---------------------------------------------------------------------------------------


def _all(conn: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(f'select * from "{table}"')]  # noqa: S608


def _made(make: Callable[[Row], Any], table: str, row: Row) -> Any:
    try:
        return make(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        which = row.get("id", row.get("sha", "?"))
        raise UsageError(
            f"Row {which} of table {table} makes no sense ({type(error).__name__}: {error}).",
            "Nothing was imported.",
        ) from error


def _person(row: Row) -> dict[str, Any]:
    login = _worded(_LOGIN, row["login"])
    name = _text(row.get("name"))
    return {
        "id": _id(row["id"]),
        "login": login,
        # Where GitHub gave no name, the file has the login instead.
        "name": "" if name == login else name,
        "avatar_url": _text(row.get("avatar_url")),
        "kind": _text(row.get("type")) or "User",
    }


def _repository(row: Row) -> dict[str, Any]:
    owner, _, name = _worded(_FULL_NAME, row["full_name"]).partition("/")
    return {
        "id": _id(row["id"]),
        "node_id": _text(row.get("node_id")),
        "owner": owner,
        "name": name,
        # What does not say that it is public is private.
        "private": bool(row.get("private", 1)),
        "fork": bool(row.get("fork")),
        "archived": bool(row.get("archived")),
        "default_branch": _text(row.get("default_branch")),
        "description": _text(row.get("description")),
        "language": _text(row.get("language")),
        "size_kb": int(row.get("size") or 0),
        "created_at": _at(row.get("created_at")),
        "pushed_at": _at(row.get("pushed_at")),
        "updated_at": _at(row.get("updated_at")),
    }


def _pull(row: Row) -> dict[str, Any]:
    merged_at = _at(row.get("merged_at"))
    return {
        "repository_id": _id(row["repo"]),
        "number": _id(row["number"]),
        "id": _id(row["id"]),
        "node_id": _text(row.get("node_id")),
        "title": _text(row["title"]),
        "state": "merged" if merged_at else _state(row),
        "draft": bool(row.get("draft")),
        "author_id": _id_or_none(row.get("user")),
        "head_sha": _sha_or_none(row.get("head")),
        "created_at": _needed(row, "created_at"),
        # A second early: the sync takes GitHub's own for newer, and reads it with all its reviews.
        "updated_at": _needed(row, "updated_at") - 1,
        "closed_at": _at(row.get("closed_at")),
        "merged_at": merged_at,
        "merged_by_id": _id_or_none(row.get("merged_by")),
        "merge_sha": _sha_or_none(row.get("merge_commit_sha")) if merged_at else "",
        "labels": json.dumps([]),
    }


def _issue(row: Row) -> dict[str, Any] | None:
    if row.get("type") == "pull" or row.get("pull_request"):
        return None
    return {
        "repository_id": _id(row["repo"]),
        "number": _id(row["number"]),
        "id": _id(row["id"]),
        "title": _text(row["title"]),
        "state": _state(row),
        "author_id": _id_or_none(row.get("user")),
        "created_at": _needed(row, "created_at"),
        "updated_at": _needed(row, "updated_at") - 1,
        "closed_at": _at(row.get("closed_at")),
        "comments": int(row.get("comments") or 0),
        "labels": json.dumps([]),
    }


def _release(row: Row) -> dict[str, Any] | None:
    if row.get("draft"):
        return None
    return {
        "repository_id": _id(row["repo"]),
        "id": _id(row["id"]),
        "tag": _text(row["tag_name"]),
        "name": _text(row.get("name")),
        "draft": False,
        "prerelease": bool(row.get("prerelease")),
        "author_id": _id_or_none(row.get("author")),
        "created_at": _needed(row, "created_at"),
        "published_at": _at(row.get("published_at")),
    }


def _commit(row: Row) -> dict[str, Any]:
    author, committer = row["author_told"], row["committer_told"]
    return {
        "repository_id": _id(row["repo"]),
        "sha": _worded(_SHA, row["sha"]),
        "author_name": _text(author.get("name")),
        "author_email": _text(author.get("email")),
        "authored_at": _needed(row, "author_date"),
        "committer_name": _text(committer.get("name")),
        "committer_email": _text(committer.get("email")),
        "committed_at": _needed(row, "committer_date"),
        "message": _text(row["message"]),
        "reachable": False,
        "on_default": False,
    }


def _state(row: Row) -> str:
    state = str(row["state"])
    if state not in ("open", "closed"):
        raise ValueError(f"state {state[:20]!r}")
    return state


def _text(value: object) -> str:
    """PostgreSQL has no place for NUL."""
    return str(value or "").replace("\0", "\ufffd")


def _worded(shape: re.Pattern[str], value: object) -> str:
    """A name as GitHub gives them: addresses and commands are made of it."""
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise ValueError(f"{str(value)[:40]!r} is no name of GitHub")
    return value


def _sha_or_none(value: object) -> str:
    return _worded(_SHA, value) if value else ""


def _id(value: object) -> int:
    """SQLite keeps any kind of value in any column; ours must not."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{str(value)[:40]!r} is no number of GitHub")
    return value


def _id_or_none(value: object) -> int | None:
    return None if value is None else _id(value)


def _needed(row: Row, name: str) -> int:
    at = _at(row[name])
    if at is None:
        raise ValueError(f"no {name}")
    return at


def _at(value: object) -> int | None:
    """Unix seconds of GitHub's "2026-11-23T10:00:00Z", within what a calendar can show."""
    if not value:
        return None
    moment = datetime.fromisoformat(str(value))
    at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return max(EARLIEST_AT, min(at, LATEST_AT))
