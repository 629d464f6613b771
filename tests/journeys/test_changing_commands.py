"""The commands that change something, and the conventions that all commands share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import leaks
import pytest
from local_broker import broker_environment
from local_instance import Guest
from programs import Program, environment, github_environment, run
from sandbox_control import Sandbox
from terminal import on_terminal

ALICE, BOB = (f"ghp_sandbox{name}".ljust(40, "0") for name in ("alice", "bob"))


@pytest.fixture(scope="module")
def synced(sandbox: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which alice has synced two repositories; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("two")
    env = {**github_environment(sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(folder)}
    done = run("sync", "-q", "alice/almanac", "alice/heron", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.fixture
def home(sandbox: Program, synced: Path, tmp_path: Path) -> dict[str, str]:
    """The settings of alice, who has a copy of that folder."""
    shutil.copytree(synced, tmp_path / "data")
    return {
        **github_environment(sandbox.url),
        "GITHUB_TOKEN": ALICE,
        "TRACKEEP_DATA_DIR": str(tmp_path / "data"),
    }


def followed(home: dict[str, str]) -> dict[str, str]:
    """Read where it is stored: a command for each look would take most of the time of these tests."""
    rows = "select owner || '/' || name, follow.state from follow join repository on id = repository_id"
    with contextlib.closing(sqlite3.connect(f"{home['TRACKEEP_DATA_DIR']}/trackeep.db")) as conn:
        return dict(conn.execute(rows).fetchall())


def test_repositories_are_chosen_from_the_command_line(home: dict[str, str]) -> None:
    """Found, followed, paused, resumed and left; --dry-run changes nothing."""
    found = json.loads(run("repo", "discover", "--json", env=home).stdout)
    assert "fernhill/atlas" in {one["repository"] for one in found}
    before = followed(home)
    assert (
        run("repo", "add", "fernhill/atlas", "--dry-run", env=home).stdout == "Would follow fernhill/atlas.\n"
    )
    assert followed(home) == before
    assert run("repo", "add", "fernhill/atlas", env=home).stdout == "Following fernhill/atlas.\n"
    assert run("repo", "pause", "alice/heron", "-q", env=home).stdout == ""
    assert followed(home) == {
        "alice/almanac": "tracked",
        "alice/heron": "paused",
        "fernhill/atlas": "tracked",
    }
    listed = json.loads(run("repo", "list", "--json", env=home).stdout)
    assert {one["repository"]: one["follow"] for one in listed} == followed(home)
    assert json.loads(run("repo", "resume", "alice/heron", "--json", env=home).stdout) == {
        "repositories": ["alice/heron"],
        "dry_run": False,
    }
    assert run("repo", "remove", "alice/heron", "--yes", env=home).returncode == 0
    assert followed(home) == {"alice/almanac": "tracked", "fernhill/atlas": "tracked"}


def test_files_are_asked_for_from_the_command_line(home: dict[str, str]) -> None:
    """Refused with the way to ask; asked for, fetched and found; given up, and refused again."""
    search = ("commit", "search", "path:/README.md")
    refused = run(*search, env=home)
    assert (refused.returncode, refused.stdout) == (2, "") and "trackeep repo files" in refused.stderr
    said = run("repo", "files", "alice/heron", "--dry-run", env=home).stdout
    assert said == "Would search the files of alice/heron.\n"
    assert run("sync", "-q", "alice/heron", env=home).returncode == 0
    assert run(*search, env=home).returncode == 2
    said = run("repo", "files", "alice/heron", env=home).stdout
    assert said == "Searching the files of alice/heron.\n"
    assert run("sync", "-q", "alice/heron", env=home).returncode == 0
    found = run(*search, "--json", env=home)
    assert {one["repository"] for one in json.loads(found.stdout)} == {"alice/heron"}
    assert "1 of 2 repositories" in run(*search, env=home).stderr
    said = run("repo", "files", "--off", "alice/heron", env=home).stdout
    assert said == "No longer searching the files of alice/heron.\n"
    assert run(*search, env=home).returncode == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["repo", "add", "alice/none"], 6),
        (["repo", "add", "alice"], 6),
        (["repo", "pause", "fernhill/atlas"], 6),
        (["repo", "files", "fernhill/atlas"], 6),
        (["repo", "remove", "alice/heron"], 2),
        (["repo"], 2),
        (["stats", "--since", "someday"], 2),
        (["stats", "--repo", "a/b/c"], 6),
        (["standup", "--since", "2999-01-01"], 2),
        (["completion", "tcsh"], 2),
        (["login"], 2),
        (["logout"], 2),
        (["pr", "list", "--limit", "0"], 2),
        (["sync", "--since", "never"], 2),
    ],
)
def test_what_cannot_be_done_is_said_in_words(home: dict[str, str], words: list[str], code: int) -> None:
    """The documented exit code, one sentence on stderr, nothing on stdout, nothing changed."""
    before = followed(home)
    done = run(*words, env=home)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr and "Traceback" not in done.stderr
    assert followed(home) == before


def test_what_deletes_asks_first(home: dict[str, str]) -> None:
    """On a terminal it asks; where nobody can be asked it needs --yes."""
    assert "Add --yes" in run("repo", "remove", "alice/heron", env=home).stderr
    assert "alice/heron" in followed(home)


def test_progress_on_a_terminal(sandbox: Program, tmp_path: Path) -> None:
    """While it runs: how many repositories are done, what is fetched, and what is left of the budget."""
    env = {**github_environment(sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    screen = on_terminal("sync", "alice/almanac", "alice/heron", env=env)
    assert screen.code == 0
    assert "/2" in screen.text and "requests left" in screen.text and "commits" in screen.text
    assert "Stored " in screen.text
    assert "left" not in on_terminal("sync", "--no-progress", env=env).text


def test_progress_in_a_log(sandbox: Program, tmp_path: Path) -> None:
    """Elsewhere plain lines on stderr, none when they are not wanted."""
    env = {**github_environment(sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    done = run("sync", "alice/almanac", env=env)
    assert done.stderr.splitlines()[-1].startswith("1 of 1 repositories, ")
    assert "\x1b" not in done.stderr
    assert run("sync", "--full", "--no-progress", "alice/almanac", env=env).stderr == ""


def test_ctrl_c_on_a_terminal(fresh_sandbox: Program, tmp_path: Path) -> None:
    """Ends with 130, the bar is gone, and what was read is there for the next sync."""
    env = {**github_environment(fresh_sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    Sandbox(fresh_sandbox.url).ask("/latency", {"ms": 400})
    screen = on_terminal("sync", env=env, stop_when=lambda text: "repositories" in text)
    assert screen.code == 130
    assert "what was read is kept" in screen.text
    Sandbox(fresh_sandbox.url).ask("/latency", {"ms": 0})
    assert run("sync", "-q", env=env).returncode == 0


def test_reading_everything_again_changes_nothing(home: dict[str, str]) -> None:
    """`--full` fetches from the beginning, `--all` looks at each; the copy is what it was."""
    before = json.loads(run("repo", "list", "--period", "all", "--json", env=home).stdout)
    assert run("sync", "--full", "-q", env=home).returncode == 0
    assert run("sync", "--all", "--exit-status", "-q", env=home).returncode == 8
    after = json.loads(run("repo", "list", "--period", "all", "--json", env=home).stdout)
    for one in (*before, *after):
        del one["synced_at"]
    assert after == before


def test_only_what_was_pushed_since(sandbox: Program, tmp_path: Path) -> None:
    """`--since` leaves repositories alone that nobody has pushed to for longer."""
    env = {**github_environment(sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    assert run("sync", "-q", "--since", "30d", env=env).returncode == 0
    branches = json.loads(run("repo", "list", "--json", env=env).stdout)
    read = {one["repository"]: one["branches"] for one in branches}
    assert read["alice/almanac"] > 0
    # Its last push was more than a year ago.
    assert read["alice/tide-tables"] == 0


def test_at_githubs_limit(fresh_sandbox: Program, tmp_path: Path) -> None:
    """`--no-wait` ends with 5; without, it says until when it waits and can be stopped."""
    env = {**github_environment(fresh_sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    assert run("sync", "-q", "alice/heron", env=env).returncode == 0
    control = Sandbox(fresh_sandbox.url)
    for resource in ("core", "graphql"):
        control.ask("/quota", {"login": "alice", "resource": resource, "used": 5_000})
    limited = run("sync", "--no-wait", "alice/almanac", env=env)
    assert limited.returncode == 5, limited.stderr
    screen = on_terminal("sync", "alice/almanac", env=env, stop_when=lambda text: "Going on at" in text)
    assert screen.code == 130


def test_some_of_them_fail(fresh_sandbox: Program, tmp_path: Path) -> None:
    """One repository that fails is named on stderr and ends it with 3; the other one is complete."""
    env = {**github_environment(fresh_sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(tmp_path)}
    Sandbox(fresh_sandbox.url).fault("POST /alice/almanac.git", "status", times=50, status=500)
    done = run("sync", "--json", "alice/almanac", "alice/heron", env=env)
    assert done.returncode == 3
    assert list(json.loads(done.stdout)["failures"]) == ["alice/almanac"]
    assert done.stderr.startswith("trackeep: alice/almanac: ")
    assert json.loads(run("status", "--json", env=env).stdout)["repositories_done"] == 1


def test_watching_goes_on_until_it_is_stopped(home: dict[str, str]) -> None:
    """`--watch` looks again and again, says each time what it found, and ends with 130."""
    env = {**home, "TRACKEEP_POLL_SECONDS": "1"}
    seen_twice = lambda text: text.count("Nothing new.") >= 2  # noqa: E731
    screen = on_terminal("sync", "--watch", env=env, stop_when=seen_twice)
    assert screen.code == 130
    assert screen.text.count("Nothing new.") >= 2


def test_connecting_with_a_token_and_disconnecting(sandbox: Program, tmp_path: Path) -> None:
    """The token comes by standard input, is kept sealed, works without GITHUB_TOKEN, and is forgotten."""
    env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(tmp_path)}
    leaks.issued.add(BOB)
    done = with_input("login", "--token-stdin", text=BOB + "\n", env=env)
    assert (done.returncode, done.stdout) == (0, "Connected as bob.\n"), done.stderr
    assert BOB not in (tmp_path / "trackeep.db").read_bytes().decode(errors="replace")
    assert json.loads(run("user", "list", "--json", env=env).stdout)[0]["role"] == "owner"
    assert run("sync", "-q", "bob/otter-cli", env=env).returncode == 0
    assert with_input("login", "--token-stdin", text=ALICE, env=env).returncode == 6
    assert json.loads(run("logout", "--yes", "--json", env=env).stdout) == {
        "login": "bob",
        "outcome": "pasted",
    }
    assert run("sync", env=env).returncode == 4


@pytest.mark.parametrize("text", ["", "not a token", "ghp_" + "0" * 36])
def test_what_is_no_token_connects_nobody(sandbox: Program, tmp_path: Path, text: str) -> None:
    """Nothing, nonsense and a token that GitHub refuses end in one sentence that does not repeat it."""
    env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(tmp_path)}
    done = with_input("login", "--token-stdin", text=text, env=env)
    assert done.returncode in (2, 4) and done.stdout == ""
    assert not text or text not in done.stderr
    assert json.loads(run("user", "list", "--json", env=env).stdout) == []


@pytest.mark.anyio
async def test_connecting_in_the_browser(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Where no instance runs, one is served until somebody has signed in; who comes first is the owner."""
    env = {
        **github_environment(sandbox.url),
        "TRACKEEP_DATA_DIR": str(tmp_path),
        # Nobody listens there.
        "TRACKEEP_BASE_URL": "http://localhost:9",
    }
    words = [sys.executable, "-W", "error", "-m", "trackeep", "login", "--broker", broker.url, "--json"]
    running = subprocess.Popen(
        words, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    address = next(line for line in running.stderr if line.startswith("Open ")).split()[1]
    async with Guest(address.partition("/setup")[0], broker.url) as alice:
        await alice.set_up(address.partition("code=")[2])
        await alice.sign_in()
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert json.loads(said) == {"login": "alice", "connected": True}
    synced = await asyncio.to_thread(lambda: run("sync", "-q", "alice/heron", env=env))
    assert synced.returncode == 0, synced.stderr


def test_settings_as_they_hold(tmp_path: Path) -> None:
    """Where each came from; what is secret is never shown, not even inside of an address."""
    (tmp_path / "key").write_text("k" * 40)
    env = {
        "TRACKEEP_SECRET_KEY_FILE": str(tmp_path / "key"),
        "TRACKEEP_DATABASE_URL": "postgresql://me:pass@word@db.example/x",
        "GITHUB_TOKEN": ALICE,
        "TRACKEEP_PORT": "9999",
    }
    done = run("config", "show", "--json", "--data-dir", str(tmp_path), env=env)
    found = {one["name"]: (one["value"], one["source"]) for one in json.loads(done.stdout)}
    assert found["TRACKEEP_SECRET_KEY"] == ("********", f"file {tmp_path / 'key'}")
    assert found["GITHUB_TOKEN"] == ("********", "environment")
    assert found["TRACKEEP_DATABASE_URL"] == ("postgresql://********@db.example/x", "environment")
    assert found["TRACKEEP_DATA_DIR"] == (str(tmp_path), "--data-dir")
    assert found["TRACKEEP_PORT"] == ("9999", "environment")
    assert found["TRACKEEP_HOST"] == ("127.0.0.1", "default")
    shown = run("config", "show", "--source", env=env)
    assert not any(secret in shown.stdout + shown.stderr for secret in ("pass", "word@", "kkk", ALICE))


def test_settings_are_checked_without_a_start(tmp_path: Path) -> None:
    """Right ones end with 0, an unknown name is a warning, wrong ones end with 2."""
    assert run("config", "check").stdout == "The settings are right.\n"
    warned = run("config", "check", "--json", env={"TRACKEEP_PROT": "1"})
    assert "Did you mean TRACKEEP_PORT?" in json.loads(warned.stdout)["warnings"][0]
    assert run("config", "check", env={"TRACKEEP_PORT": "x"}).returncode == 2
    docs = run("config", "docs").stdout
    assert "| `TRACKEEP_POLL_SECONDS` | `60` |" in docs


def test_flags_stand_above_the_environment(tmp_path: Path) -> None:
    """`--data-dir` of one run counts more than TRACKEEP_DATA_DIR."""
    done = run(
        "user", "list", "--data-dir", str(tmp_path / "a"), env={"TRACKEEP_DATA_DIR": str(tmp_path / "b")}
    )
    assert done.returncode == 0
    assert (tmp_path / "a" / "trackeep.db").exists() and not (tmp_path / "b").exists()


def test_the_program_alone_says_how_to_begin(tmp_path: Path) -> None:
    """Nothing set up: what to type, and nothing is made; with somebody signed in: the status."""
    done = run(env={"TRACKEEP_DATA_DIR": str(tmp_path / "none")})
    assert done.returncode == 0
    assert "trackeep serve" in done.stdout and "trackeep login" in done.stdout
    assert not (tmp_path / "none").exists()


def test_the_program_alone_shows_the_status(home: dict[str, str]) -> None:
    """Where somebody has signed in or synced, it is `trackeep status`."""
    assert "alice: connected" in run(env=home).stdout


def test_the_program_alone_serves_at_a_terminal(tmp_path: Path) -> None:
    """Nothing set up: whoever types it gets the web pages, until Ctrl-C."""
    env = {"TRACKEEP_DATA_DIR": str(tmp_path), "TRACKEEP_PORT": "0"}
    screen = on_terminal(env=env, stop_when=lambda text: "Trackeep ready at http://localhost:" in text)
    assert screen.code in (0, 130)
    assert "starting the web pages" in screen.text and "Traceback" not in screen.text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_each_shell(shell: str) -> None:
    """The lines name our program, and for bash the shell takes them and completes with them."""
    printed = run("completion", shell).stdout
    assert "_TRACKEEP_COMPLETE" in printed and "trackeep" in printed


def test_what_completion_offers() -> None:
    """The commands that begin so, as bash asks for them."""
    asked = {"_TRACKEEP_COMPLETE": "bash_complete", "COMP_WORDS": "trackeep st", "COMP_CWORD": "1"}
    assert run(env=asked).stdout.split() == ["plain,status", "plain,stats", "plain,standup"]


def test_several_processes_sync(sandbox: Program, tmp_path: Path) -> None:
    """`serve --workers 2` has two workers, and both end with it."""
    env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(tmp_path)}
    words = [sys.executable, "-W", "error", "-m", "trackeep", "serve", "--port", "0", "--workers", "2"]
    running = subprocess.Popen(
        words, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert running.stdout is not None and "ready" in running.stdout.readline()
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(children) == 1
    running.terminate()
    assert running.wait(60) == 0
    running.stdout.close()
    end = time.monotonic() + 60
    while Path(f"/proc/{children[0]}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{children[0]}").exists()


def test_the_oauth_service_is_looked_after(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Its settings without its secret, its checks, its health and its description."""
    port = broker.url.rpartition(":")[2]
    env = {
        **broker_environment(sandbox.url),
        "TRACKEEP_BROKER_PORT": port,
        "TRACKEEP_BROKER_BASE_URL": broker.url,
    }
    shown = run("broker", "config", "--json", env=env)
    values = {one["name"]: one["value"] for one in json.loads(shown.stdout)}
    assert values["TRACKEEP_BROKER_PORT"] == port and values["GITHUB_CLIENT_SECRET"] == "********"
    assert env["GITHUB_CLIENT_SECRET"] not in shown.stdout
    assert run("broker", "healthcheck", env=env).returncode == 0
    assert run("broker", "healthcheck", env={**env, "TRACKEEP_BROKER_PORT": "9"}).returncode == 1
    assert json.loads(run("broker", "openapi", env=env).stdout)["servers"] == [{"url": broker.url}]
    keys = tmp_path / "keys.json"
    missing = run("broker", "doctor", "--keys-file", str(keys), env=env)
    assert missing.returncode == 1 and "✗  keys" in missing.stdout
    assert run("broker", "init", "--keys-file", str(keys)).returncode == 0
    found = run("broker", "doctor", "--keys-file", str(keys), "--json", env=env)
    assert found.returncode == 0, found.stdout
    assert {one["check"]: one["state"] for one in json.loads(found.stdout)["findings"]} == {
        "settings": "ok",
        "keys": "ok",
        "GitHub": "ok",
    }


def with_input(*words: str, text: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command with `text` on its standard input."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "trackeep", *words],
        input=text,
        capture_output=True,
        text=True,
        env=environment(env),
        timeout=60,
    )
