"""A database of github-to-sqlite is taken in: it adds, never overwrites, and proves nobody's access."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from github_to_sqlite import utils
from programs import Program, github_environment, run
from sandbox_control import Sandbox
from sqlite_utils import Database as Written

from trackeep.database import Database

pytestmark = pytest.mark.anyio
ALICE = "ghp_sandboxalice".ljust(40, "0")
NAME = "fernhill/atlas"


def asked(sandbox: Program, path: str, login: str = "alice") -> Any:
    """All pages of a list, or one object, as GitHub gives them."""
    token = Sandbox(sandbox.url).token(login)
    found: list[Any] = []
    for page in range(1, 20):
        mark = "&" if "?" in path else "?"
        url = f"{sandbox.url}/api/v3{path}{mark}per_page=100&page={page}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
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


def write(sandbox: Program, file: Path, name: str = NAME, login: str = "alice") -> None:
    """What github-to-sqlite writes with its own functions, from what the local GitHub answers."""
    db = Written(file)
    repo = asked(sandbox, f"/repos/{name}", login)
    utils.save_repo(db, repo)
    pulls = asked(sandbox, f"/repos/{name}/pulls?state=all", login)
    for pull in pulls:
        pull.setdefault("active_lock_reason", None)
    utils.save_issues(db, asked(sandbox, f"/repos/{name}/issues?state=all", login), repo)
    utils.save_pull_requests(db, pulls, repo)
    utils.save_releases(db, asked(sandbox, f"/repos/{name}/releases", login), repo["id"])
    utils.save_commits(db, asked(sandbox, f"/repos/{name}/commits", login), repo["id"])
    db["emojis"].insert({"name": "wave", "url": "x"})
    utils.ensure_db_shape(db)
    db.conn.close()


@pytest.fixture(scope="module")
def atlas(sandbox: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("imported") / "github.db"
    write(sandbox, file)
    return file


@pytest.fixture
def home(sandbox: Program, tmp_path: Path) -> dict[str, str]:
    """alice has synced another repository before, so she has an account."""
    settings = {"GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path / "data")}
    env = {**github_environment(sandbox.url), **settings}
    assert run("sync", "-q", "alice/heron", env=env).returncode == 0
    return env


def added(file: Path, home: dict[str, str]) -> dict[str, int]:
    done = run("import", str(file), "--json", env=home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["added"])


def count(home: dict[str, str], table: str, where: str = "1") -> int:
    with contextlib.closing(sqlite3.connect(Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db")) as conn:
        statement = f"select count(*) from '{table}' where {where}"  # noqa: S608
        return int(conn.execute(statement).fetchone()[0])


async def test_it_adds_and_the_sync_makes_it_exact(
    home: dict[str, str], atlas: Path, sandbox: Program
) -> None:
    """Twice imported is once; it is hidden until GitHub shows it; then the copy is exactly GitHub's."""
    first = added(atlas, home)
    assert first["repos"] == 1 and min(first[n] for n in ("commits", "pull_requests", "issues")) > 0
    assert set(added(atlas, home).values()) == {0}
    exported = Path(home["TRACKEEP_DATA_DIR"]) / "before.db"
    assert run("export", str(exported), env=home).returncode == 0
    with contextlib.closing(sqlite3.connect(exported)) as conn:
        assert conn.execute("select count(*) from repository where name = 'atlas'").fetchone() == (0,)
    said = run("import", str(atlas), env=home)
    assert "Tables that are not read: " in said.stderr and "emojis" in said.stderr
    assert run("sync", "-q", env=home).returncode == 0
    db = await Database.open(f"sqlite:///{home['TRACKEEP_DATA_DIR']}/trackeep.db")
    assert await differences(db, Sandbox(sandbox.url), (NAME, "alice/heron")) == {}
    await db.close()
    # What GitHub has told since is not overwritten by the older file.
    assert set(added(atlas, home).values()) == {0}
    assert count(home, "walked") == 0
    assert count(home, "commit", "parent_count > 0") > 0


def test_what_is_stored_already_stays(home: dict[str, str], atlas: Path, tmp_path: Path) -> None:
    """A repository that was synced keeps each of its rows, whatever the file says of them."""
    assert run("sync", "-q", NAME, env=home).returncode == 0
    forged = tmp_path / "forged.db"
    forged.write_bytes(atlas.read_bytes())
    with contextlib.closing(sqlite3.connect(forged)) as conn:
        conn.execute("update issues set title = 'forged', updated_at = '2030-01-01T00:00:00Z'")
        conn.execute("update users set login = 'forged'")
        conn.execute("update repos set private = 1, name = 'forged', full_name = 'x/forged'")
        conn.commit()
    assert set(added(forged, home).values()) == {0}
    assert count(home, "issue", "title = 'forged'") == 0
    assert count(home, "person", "login = 'forged'") == count(home, "repository", "name = 'forged'") == 0


async def test_a_file_proves_nothing(home: dict[str, str], sandbox: Program, tmp_path: Path) -> None:
    """A private repository of carol's, in alice's file, is hidden from her also after she has synced."""
    github = Sandbox(sandbox.url)
    mine = {each["full_name"] for each in github.repositories("alice")}
    theirs = next(
        (each["full_name"], login)
        for login in ("carol", "bob")
        for each in github.repositories(login)
        if each["private"] and each["full_name"] not in mine
    )
    file = tmp_path / "theirs.db"
    write(sandbox, file, *theirs)
    assert added(file, home)["repos"] == 1
    run("sync", "-q", env=home)
    exported = tmp_path / "mine.db"
    assert run("export", str(exported), env=home).returncode == 0
    with contextlib.closing(sqlite3.connect(exported)) as conn:
        names = {f"{owner}/{name}" for owner, name in conn.execute("select owner, name from repository")}
    assert theirs[0] not in names and "alice/heron" in names
    assert count(home, "commit", "author_name <> ''") > 0


def test_nobody_writes_into_what_others_read(home: dict[str, str], atlas: Path) -> None:
    """Rows of a repository that somebody else has proved to read, and the owner has not, are left alone."""
    with contextlib.closing(sqlite3.connect(atlas)) as conn:
        (number,) = conn.execute("select id from repos").fetchone()
    with contextlib.closing(sqlite3.connect(Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db")) as conn:
        conn.execute("insert into person (id, login) values (5, 'eve')")
        conn.execute("insert into account (id, role, created_at) values (5, 'member', 1)")
        conn.execute("insert into repository (id, owner, name) values (?, 'fernhill', 'atlas')", [number])
        granted = (
            "insert into access (account_id, repository_id, state, checked_at) values (5, ?, 'granted', 1)"
        )
        conn.execute(granted, [number])
        conn.commit()
    done = run("import", str(atlas), "--account", "alice", "--json", env=home)
    assert json.loads(done.stdout)["left"] == [NAME]
    assert count(home, "issue", f"repository_id = {number}") == 0


@pytest.mark.parametrize("what", ["missing", "text", "other", "nonsense", "cut"])
def test_a_broken_file_is_one_sentence(home: dict[str, str], atlas: Path, tmp_path: Path, what: str) -> None:
    """It is said what is wrong, the exit code is 2, and nothing was imported."""
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
    before = count(home, "repository")
    done = run("import", str(file), env=home)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert count(home, "repository") == before


def test_only_the_owner(home: dict[str, str], atlas: Path) -> None:
    """Where the instance has an owner nobody else brings data in."""
    with contextlib.closing(sqlite3.connect(Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db")) as conn:
        conn.execute("insert into person (id, login) values (5, 'eve')")
        conn.execute("insert into account (id, role, created_at) values (5, 'owner', 1)")
        conn.execute("insert into instance (id, owner_id) values (1, 5)")
        conn.commit()
    refused = run("import", str(atlas), "--account", "alice", env=home)
    assert refused.returncode == 6 and "Only the owner" in refused.stderr
