"""`trackeep token`, `openapi` and `get`, as a person types them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import leaks
import pytest
from programs import run
from small_world import fill

from trackeep.database import Database
from trackeep.instance.api.schema import document


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of an instance with the small world in it, where three people sign in."""
    folder = tmp_path_factory.mktemp("home")

    async def prepare() -> None:
        db = await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
        await fill(db, int(time.time()))
        await db.close()

    asyncio.run(prepare())
    return {"TRACKEEP_DATA_DIR": str(folder)}


def test_a_token_from_making_to_its_end(home: dict[str, str]) -> None:
    """The token alone on stdout; listed without it; revoked once."""
    made = run("token", "create", "Night job", "--scope", "sync", "--account", "alice", env=home)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    leaks.issued.add(token)
    assert re.fullmatch(r"tk_\w{49}", token)
    assert token not in made.stderr
    listed = run("token", "list", "--account", "alice", "--json", env=home).stdout
    (one,) = json.loads(listed)
    assert (one["name"], one["scopes"], one["prefix"]) == ("Night job", ["sync"], token[:9])
    assert token not in listed
    assert one["expires_at"] - one["created_at"] == 90 * 86_400
    ends = [
        run("token", "revoke", str(one["id"]), "--yes", "--account", who, env=home)
        for who in ("bob", "alice", "alice")
    ]
    assert [done.returncode for done in ends] == [6, 0, 6]
    assert run("token", "list", "--account", "alice", env=home).stdout == ""


@pytest.mark.parametrize(
    "wrong",
    [("--expires", "soon"), ("--expires", "0d"), ("--scope", "root"), ("--account", "nobody"), ()],
)
def test_what_makes_no_token(home: dict[str, str], wrong: tuple[str, ...]) -> None:
    """A wrong time, scope or person, or nobody said among several: a sentence and its exit code."""
    done = run("token", "create", "x", *wrong, env=home)
    assert done.returncode == (6 if "nobody" in wrong else 2)
    assert done.stdout == "" and done.stderr


def test_the_description_is_printed() -> None:
    """The same document that the instance serves, for its base URL."""
    printed = run("openapi", env={"TRACKEEP_BASE_URL": "https://example.org/t"})
    assert json.loads(printed.stdout) == document("https://example.org/t")


def test_one_request_without_a_server(home: dict[str, str]) -> None:
    """Whose view it is, what comes back on stdout, and nothing else."""
    me = run("get", "/api/v1/me", "--account", "bob", env=home)
    assert (me.returncode, me.stderr) == (0, "")
    assert json.loads(me.stdout)["login"] == "bob"
    found = run("get", "/api/v1/search?q=secret", "--account", "bob", env=home)
    assert json.loads(found.stdout)["items"][0]["commit"]["sha"] == "s1"
    page = run("get", "/commits", "--account", "alice", env=home)
    assert page.stdout.startswith("<!DOCTYPE html>") and "secret" not in page.stdout
    lines = run("get", "/api/v1/export", "--account", "alice", env=home).stdout.splitlines()
    assert len([line for line in lines if json.loads(line)["table"] == "commit"]) == 11


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/repos/bob/secret-plan", 6),
        ("/nothing", 6),
        ("/api/v1/commits?limit=0", 2),
        ("/settings/users", 6),
        ("/commits?since=x", 2),
        ("api/v1/me", 2),
    ],
)
def test_the_exit_code_tells_the_status(home: dict[str, str], path: str, code: int) -> None:
    """Not there or not allowed, and a request that cannot be meant."""
    assert run("get", path, "--account", "alice", env=home).returncode == code


def test_asking_from_outside_the_database(tmp_path: Path) -> None:
    """Before anybody has signed in it says so."""
    assert run("get", "/api/v1/me", env={"TRACKEEP_DATA_DIR": str(tmp_path)}).returncode == 4
