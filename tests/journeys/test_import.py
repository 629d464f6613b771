"""A database of github-to-sqlite is taken in: it adds, never overwrites, and proves nobody's access."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from copy_of_github import differences
from github_to_sqlite import utils
from programs import Program, run
from sandbox_control import Sandbox
from sqlalchemy import func, insert, select
from sqlite_utils import Database as Written

from trackeep.database import Database
from trackeep.errors import UsageError
from trackeep.store import departures, imports, people
from trackeep.store.reports_access import Reader, readable
from trackeep.store.tables import access, account, person, repository
from trackeep.store.tables_fetched import issue, walked
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
ALICE = "ghp_sandboxalice".ljust(40, "0")
NAME = "fernhill/atlas"


def asked(sandbox: Program, path: str) -> Any:
    """All pages of a list, or one object, as GitHub gives them."""
    found: list[Any] = []
    for page in range(1, 20):
        mark = "&" if "?" in path else "?"
        url = f"{sandbox.url}/api/v3{path}{mark}per_page=100&page={page}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {ALICE}"})
        with urllib.request.urlopen(request) as answer:
            # It knows GitHub's own address alone.
            some = json.loads(
                answer.read().decode().replace(f"{sandbox.url}/api/v3", "https://api.github.com")
            )
        if not isinstance(some, list):
            return some
        found += some
        if len(some) < 100:
            break
    return found


def write(sandbox: Program, file: Path) -> None:
    """What github-to-sqlite writes with its own functions, from what the local GitHub answers."""
    db = Written(file)
    repo = asked(sandbox, f"/repos/{NAME}")
    utils.save_repo(db, repo)
    pulls = asked(sandbox, f"/repos/{NAME}/pulls?state=all")
    for pull in pulls:
        pull.setdefault("active_lock_reason", None)
    utils.save_issues(db, asked(sandbox, f"/repos/{NAME}/issues?state=all"), repo)
    utils.save_pull_requests(db, pulls, repo)
    utils.save_releases(db, asked(sandbox, f"/repos/{NAME}/releases"), repo["id"])
    utils.save_commits(db, asked(sandbox, f"/repos/{NAME}/commits"), repo["id"])
    db["emojis"].insert({"name": "wave", "url": "x"})
    utils.ensure_db_shape(db)
    db.conn.close()


@pytest.fixture(scope="module")
def atlas(sandbox: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("imported") / "github.db"
    write(sandbox, file)
    return file


@pytest.fixture
async def db(sandbox: Program, tmp_path: Path) -> AsyncIterator[Database]:
    """alice has synced another repository, so she has an account and GitHub has listed what she may read."""
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    await sync(database, sandbox, "alice/heron")
    yield database
    await database.close()


async def sync(db: Database, sandbox: Program, *names: str) -> None:
    await sync_once(db, Sandbox(sandbox.url).addresses, ALICE, names)


async def taken_in(db: Database, file: Path, sandbox: Program) -> imports.Imported:
    """What `trackeep import` does once it knows who the owner is."""
    async with db.write() as conn:
        return await imports.save(conn, Sandbox(sandbox.url).person_id("alice"), imports.read(file), 1)


async def forget_atlas(db: Database) -> int:
    """As if GitHub had not told of the repository yet; its number."""
    async with db.write() as conn:
        number = await conn.scalar(select(repository.c.id).where(repository.c.name == "atlas"))
        await departures.forget(conn, int(number or 0))
    return int(number or 0)


async def count(db: Database, table: Any, *conditions: Any) -> int:
    async with db.read() as conn:
        return int(await conn.scalar(select(func.count()).select_from(table).where(*conditions)) or 0)


async def shown(db: Database, sandbox: Program) -> set[str]:
    """The full names of what alice may read."""
    who = Reader(Sandbox(sandbox.url).person_id("alice"), int(time.time()), ZoneInfo("UTC"))
    async with db.read() as conn:
        rows = await conn.execute(
            select(repository.c.owner, repository.c.name).where(repository.c.id.in_(readable(who)))
        )
        return {f"{row.owner}/{row.name}" for row in rows}


async def test_it_adds_and_the_sync_makes_it_exact(db: Database, atlas: Path, sandbox: Program) -> None:
    """Twice imported is once; it is hidden until GitHub shows it; then the copy is exactly GitHub's."""
    await forget_atlas(db)
    first = await taken_in(db, atlas, sandbox)
    assert first.added["repos"] == 1 and first.unknown == ("emojis",)
    assert min(first.added[name] for name in ("commits", "pull_requests", "issues")) > 0
    assert set((await taken_in(db, atlas, sandbox)).added.values()) == {0}
    assert NAME not in await shown(db, sandbox)
    await sync(db, sandbox)
    assert NAME in await shown(db, sandbox)
    assert await differences(db, Sandbox(sandbox.url), (NAME, "alice/heron")) == {}
    # What GitHub has told since is not overwritten by the older file.
    assert set((await taken_in(db, atlas, sandbox)).added.values()) == {0}
    assert await count(db, walked) == 0


async def test_what_is_stored_already_stays(
    db: Database, atlas: Path, sandbox: Program, tmp_path: Path
) -> None:
    """A repository that was synced keeps each of its rows, whatever the file says of them."""
    await sync(db, sandbox, NAME)
    forged = tmp_path / "forged.db"
    forged.write_bytes(atlas.read_bytes())
    with contextlib.closing(sqlite3.connect(forged)) as conn:
        conn.execute("update issues set title = 'forged', updated_at = '2030-01-01T00:00:00Z'")
        conn.execute("update users set name = 'forged'")
        conn.execute("update repos set private = 1, full_name = 'x/forged'")
        conn.commit()
    added = (await taken_in(db, forged, sandbox)).added
    # At most somebody whom GitHub has not mentioned to us yet.
    assert {name for name, number in added.items() if number} <= {"users"}
    assert await count(db, issue, issue.c.title == "forged") == 0
    assert await count(db, person, person.c.name == "forged") == added["users"] <= 1
    assert await count(db, repository, repository.c.name == "forged") == 0


async def test_a_file_proves_nothing(db: Database, atlas: Path, sandbox: Program, tmp_path: Path) -> None:
    """What GitHub does not show to alice is hidden from her also after she has brought it and synced."""
    file = tmp_path / "theirs.db"
    file.write_bytes(atlas.read_bytes())
    with contextlib.closing(sqlite3.connect(file)) as conn:
        for table in ("issues", "pull_requests", "releases", "commits"):
            conn.execute(f"update {table} set repo = 987654321")  # noqa: S608
        conn.execute("update repos set id = 987654321, private = 1, full_name = 'bob/secret-plan'")
        conn.commit()
    assert (await taken_in(db, file, sandbox)).added["repos"] == 1
    await sync(db, sandbox)
    found = await shown(db, sandbox)
    assert "bob/secret-plan" not in found and "alice/heron" in found
    assert await count(db, issue, issue.c.repository_id == 987654321) > 0


async def test_nobody_writes_into_what_others_read(db: Database, atlas: Path, sandbox: Program) -> None:
    """Rows of a repository that somebody else has proved to read, and the owner has not, are left alone."""
    number = await forget_atlas(db)
    async with db.write() as conn:
        await conn.execute(insert(person), [{"id": 5, "login": "eve"}])
        await conn.execute(insert(account), [{"id": 5, "role": "member", "created_at": 1}])
        await conn.execute(insert(repository), [{"id": number, "owner": "fernhill", "name": "atlas"}])
        theirs = {"account_id": 5, "repository_id": number, "state": "granted", "checked_at": 1}
        await conn.execute(insert(access), [theirs])
    assert (await taken_in(db, atlas, sandbox)).left == [NAME]
    assert await count(db, issue, issue.c.repository_id == number) == 0


@pytest.mark.parametrize("what", ["missing", "text", "other", "nonsense", "cut"])
async def test_a_broken_file_is_one_sentence(
    db: Database, atlas: Path, sandbox: Program, tmp_path: Path, what: str
) -> None:
    """It is said what is wrong, and nothing was imported."""
    file = tmp_path / "broken.db"
    if what == "text":
        file.write_text("no database " * 200)
    if what == "other":
        with contextlib.closing(sqlite3.connect(file)) as conn:
            conn.execute("create table notes (x)")
    if what == "nonsense":
        file.write_bytes(atlas.read_bytes())
        with contextlib.closing(sqlite3.connect(file)) as conn:
            conn.execute("update issues set created_at = 'yesterday' where type = 'issue'")
            conn.commit()
    if what == "cut":
        file.write_bytes(atlas.read_bytes()[:20_000])
    await forget_atlas(db)
    before = await count(db, repository)
    with pytest.raises(UsageError):
        await taken_in(db, file, sandbox)
    assert await count(db, repository) == before


async def test_the_names_of_tables_paint_no_terminal(db: Database, atlas: Path, tmp_path: Path) -> None:
    """mallory's file may call a table what a terminal would obey; it is shown without."""
    file = tmp_path / "theirs.db"
    file.write_bytes(atlas.read_bytes())
    with contextlib.closing(sqlite3.connect(file)) as conn:
        conn.execute('create table "\x1b]0;mallory\x07" (x)')
        conn.commit()
    done = run("import", str(file), env={"TRACKEEP_DATA_DIR": str(tmp_path)})
    assert "mallory" in done.stderr and not {"\x1b", "\x07"} & set(done.stderr + done.stdout)


async def test_only_the_owner(db: Database, atlas: Path, tmp_path: Path) -> None:
    """The command says what it added; where the instance has another owner it is refused with 6."""
    env = {"TRACKEEP_DATA_DIR": str(tmp_path)}
    done = run("import", str(atlas), env=env)
    assert done.returncode == 0 and "Added " in done.stdout and "emojis" in done.stderr, done.stderr
    async with db.write() as conn:
        await conn.execute(insert(person), [{"id": 5, "login": "eve"}])
        await conn.execute(insert(account), [{"id": 5, "role": "owner", "created_at": 1}])
        await people.make_owner(conn, 5)
    refused = run("import", str(atlas), "--account", "alice", env=env)
    assert refused.returncode == 6 and "Only the owner" in refused.stderr
