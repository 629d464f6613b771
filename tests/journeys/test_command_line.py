"""The commands as a person types them: answers on stdout, reasons on stderr, the right exit code."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from copy_of_github import differences
from programs import Program, environment, github_environment, run, start
from sandbox_control import Sandbox

from trackeep import __version__
from trackeep.database import Database

ALICE = "ghp_sandboxalice".ljust(40, "0")

# Her own, her organisation's, and bob's, where she collaborates; carol's is public and not listed.
LISTED_FOR_ALICE = (
    *("fernhill/atlas", "fernhill/harbor", "fernhill/kelp-ui", "fernhill/reedbed", "bob/otter-cli"),
    *("alice/almanac", "alice/paper-boat", "alice/tide-tables", "alice/seedling", "alice/lighthouse"),
    "alice/heron",
)


@pytest.fixture
def at_home(sandbox: Program, tmp_path: Path) -> dict[str, str]:
    """The settings of somebody with a token and an empty folder."""
    return {
        **github_environment(sandbox.url),
        "GITHUB_TOKEN": ALICE,
        "TRACKEEP_DATA_DIR": str(tmp_path / "data"),
    }


@pytest.fixture(scope="module")
def almanac(sandbox: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which alice has synced one repository; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("almanac")
    settings = {"GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(folder)}
    done = run("sync", "-q", "alice/almanac", env={**github_environment(sandbox.url), **settings})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


@pytest.fixture
def synced(at_home: dict[str, str], almanac: Path) -> dict[str, str]:
    """The settings of somebody who has synced before."""
    shutil.copytree(almanac, at_home["TRACKEEP_DATA_DIR"])
    return at_home


def test_the_version_is_one_line() -> None:
    """`trackeep --version` says which program this is."""
    assert run("--version").stdout == f"trackeep, version {__version__}\n"


def test_help_lists_every_command() -> None:
    """`trackeep --help` names every command, and a command's own help says what it does."""
    listed = run("--help").stdout
    for name in ("demo", "serve", "worker", "sync", "status", "export", "doctor", "healthcheck", "broker"):
        assert f"\n  {name} " in listed
    assert "GITHUB_TOKEN is enough" in run("sync", "--help").stdout


@pytest.mark.anyio
async def test_a_token_is_enough(at_home: dict[str, str], sandbox: Program) -> None:
    """With GITHUB_TOKEN alone, sync stores every repository that the token lists, and ends with 0."""
    done = run("sync", "--json", env=at_home)
    assert done.returncode == 0, done.stderr
    status = json.loads(run("status", "--json", env=at_home).stdout)
    assert status["repositories_done"] == status["repositories"] == len(LISTED_FOR_ALICE)
    db = await Database.open(f"sqlite:///{at_home['TRACKEEP_DATA_DIR']}/trackeep.db")
    assert await differences(db, Sandbox(sandbox.url), LISTED_FOR_ALICE) == {}
    await db.close()


def test_the_second_sync_finds_nothing_and_costs_nothing(synced: dict[str, str]) -> None:
    """Nothing changed: two requests, both unchanged; `--exit-status` tells so with 8."""
    again = run("sync", "--json", "--exit-status", env=synced)
    assert again.returncode == 8
    cost = json.loads(again.stdout)["cost"]
    assert cost == {"rest_requests": 2, "not_modified": 2, "graphql_points": 0, "git_posts": 0}


def test_one_repository_by_name(at_home: dict[str, str]) -> None:
    """Naming a repository follows that one and no other, also one that the token does not list."""
    assert run("sync", "-q", "carol/heron", env=at_home).returncode == 0
    status = json.loads(run("status", "--json", env=at_home).stdout)
    assert status["repositories"] == 1
    assert status["commits"] > 0


@pytest.mark.parametrize(
    ("change", "words", "code", "sentence"),
    [
        ({"GITHUB_TOKEN": "ghp_" + "0" * 36}, ["sync"], 4, "token"),
        (
            {"GITHUB_TOKEN": ""},
            ["sync"],
            4,
            "Nobody has signed in yet. Open the web page, or set GITHUB_TOKEN.",
        ),
        ({}, ["sync", "alice/none"], 6, "There is no repository alice/none that this token may read."),
        ({}, ["sync", "alice"], 6, "alice is not a repository's name. Write it as owner/name."),
        ({"TRACKEEP_PORT": "x", "TRACKEEP_POLL_SECONDS": "0"}, ["status"], 2, "2 settings are wrong."),
        ({}, ["status"], 4, "Nothing has been read yet. Run `trackeep sync` first."),
        ({"GITHUB_TOKEN": ""}, ["status"], 4, "Nobody has signed in yet."),
        ({"TRACKEEP_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, ["status"], 1, "cannot be used"),
        ({}, ["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_bad_input_gets_one_sentence(
    at_home: dict[str, str], change: dict[str, str], words: list[str], code: int, sentence: str
) -> None:
    """What is wrong is said in words on stderr, with the documented exit code and no traceback."""
    done = run(*words, env={**at_home, **change})
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_dead_network_is_told_and_loses_nothing(synced: dict[str, str]) -> None:
    """When GitHub cannot be reached, sync ends with 1 and what was stored stays."""
    before = json.loads(run("status", "--json", env=synced).stdout)["commits"]
    nowhere = github_environment("http://127.0.0.1:9")
    done = run("sync", env={**synced, **nowhere})
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(run("status", "--json", env=synced).stdout)["commits"] == before > 0


@pytest.mark.anyio
async def test_a_full_disk_is_told_and_loses_nothing(at_home: dict[str, str], sandbox: Program) -> None:
    """When nothing can be written any more, sync says so in one sentence; with room again it completes."""
    full = run("sync", env=at_home, largest_file_kb=1_500)
    assert full.returncode in (1, 3), full.stderr
    assert "Traceback" not in full.stderr
    assert "there is room on the disk" in full.stderr
    assert run("sync", "-q", env=at_home).returncode == 0
    db = await Database.open(f"sqlite:///{at_home['TRACKEEP_DATA_DIR']}/trackeep.db")
    assert await differences(db, Sandbox(sandbox.url), LISTED_FOR_ALICE) == {}
    await db.close()


def test_a_newer_database_is_left_alone(synced: dict[str, str]) -> None:
    """A database of a newer Trackeep ends every command with 7 and is not touched."""
    path = Path(synced["TRACKEEP_DATA_DIR"]) / "trackeep.db"
    stored = sqlite3.connect(path)
    stored.execute("update alembic_version set version_num = '9999'")
    stored.commit()
    stored.close()
    for words in (["status"], ["sync"], ["export", str(path.with_name("x.db"))]):
        done = run(*words, env=synced)
        assert done.returncode == 7
        assert "newer Trackeep" in done.stderr


def test_export_as_jsonl_csv_and_sqlite_agree(synced: dict[str, str], tmp_path: Path) -> None:
    """The three formats hold the same commits, and none holds a token or a session."""
    for name, words in (("a.zip", []), ("b.zip", ["--format", "csv"]), ("c.db", [])):
        assert run("export", str(tmp_path / name), *words, env=synced).returncode == 0
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        jsonl = [json.loads(line)["sha"] for line in archive.read("commit.jsonl").decode().splitlines()]
        names = set(archive.namelist())
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        text = io.StringIO(archive.read("commit.csv").decode())
    copied = sqlite3.connect(tmp_path / "c.db")
    sqlite = [sha for (sha,) in copied.execute("select sha from 'commit'")]
    copied.close()
    assert sorted(jsonl) == sorted(sqlite) == sorted(row["sha"] for row in csv.DictReader(text)) != []
    assert not names & {"connection.jsonl", "session.jsonl", "account.jsonl"}


def test_export_does_not_write_over_a_file(synced: dict[str, str], tmp_path: Path) -> None:
    """An existing file stays as it is unless --force is given."""
    mine = tmp_path / "mine.zip"
    mine.write_text("precious")
    done = run("export", str(mine), env=synced)
    assert done.returncode == 2
    assert mine.read_text() == "precious"
    assert run("export", str(mine), "--force", env=synced).returncode == 0


@pytest.mark.parametrize("name", ["trackeep.db", "trackeep.db-wal", "secret.key"])
def test_export_never_writes_over_its_own_files(synced: dict[str, str], name: str) -> None:
    """Not even --force lets an export replace the database it reads from, or the key."""
    own = Path(synced["TRACKEEP_DATA_DIR"]) / name
    done = run("export", str(own), "--force", "--format", "sqlite", env=synced)
    assert done.returncode == 2
    assert "Trackeep itself works with" in done.stderr
    assert json.loads(run("status", "--json", env=synced).stdout)["commits"] > 0


def test_an_export_is_for_its_owner_and_no_instance(synced: dict[str, str], tmp_path: Path) -> None:
    """An exported file cannot be read by others, and is not taken for the database of an instance."""
    file = tmp_path / "mine.db"
    assert run("export", str(file), env=synced).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    done = run("status", env={**synced, "TRACKEEP_DATABASE_URL": f"sqlite:///{file}"})
    assert done.returncode == 1
    assert "It may be an export" in done.stderr


def test_an_ending_that_says_nothing_needs_a_format(synced: dict[str, str], tmp_path: Path) -> None:
    """`export mine.txt` is refused instead of writing a zip under another name."""
    done = run("export", str(tmp_path / "mine.txt"), env=synced)
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not end in .zip or .db" in done.stderr


def test_ctrl_c_keeps_what_was_read(at_home: dict[str, str], fresh_sandbox: Program) -> None:
    """A sync that is interrupted says so in one line, ends with 130, and the next one goes on."""
    slow = {**at_home, **github_environment(fresh_sandbox.url)}
    Sandbox(fresh_sandbox.url).ask("/latency", {"ms": 700})
    words = [sys.executable, "-m", "trackeep", "sync"]
    running = subprocess.Popen(words, env=environment(slow), stderr=subprocess.PIPE, text=True)
    # Interrupted in the middle: its first question has arrived, eleven repositories take many more.
    while not Sandbox(fresh_sandbox.url).log():
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said == "trackeep: stopped; what was read is kept, the next sync goes on from there.\n"
    Sandbox(fresh_sandbox.url).ask("/latency", {"ms": 0})
    assert run("sync", "-q", env=slow).returncode == 0


def test_doctor_finds_everything_in_order(at_home: dict[str, str]) -> None:
    """With a reachable GitHub and a fresh folder, every check is ok."""
    done = run("doctor", "--json", env=at_home)
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 0
    assert {finding["state"] for finding in findings} == {"ok"}
    assert {"settings", "database", "key", "disk", "GitHub"} <= {finding["check"] for finding in findings}


@pytest.mark.parametrize(
    ("base_url", "state"),
    [
        ("https://trackeep.example.org/t", "ok"),
        ("https://box.lan", "warning"),
        ("https://10.0.0.7", "warning"),
        ("http://localhost:8080", "warning"),
    ],
)
def test_doctor_knows_where_github_cannot_deliver(at_home: dict[str, str], base_url: str, state: str) -> None:
    """A webhook at an address that only this house knows is told of; at a public one its address is named."""
    webhook = {"TRACKEEP_BASE_URL": base_url, "TRACKEEP_WEBHOOK_SECRET": "s" * 32}
    findings = json.loads(run("doctor", "--json", env={**at_home, **webhook}).stdout)["findings"]
    found = next(each for each in findings if each["check"] == "webhook")
    assert found["state"] == state and f"{base_url}/webhooks/github" in found["sentence"]


def test_a_weak_webhook_secret_stops_the_start(at_home: dict[str, str]) -> None:
    """The program says what is wrong and how to make a better one, without repeating it."""
    done = run("serve", "--port", "0", env={**at_home, "TRACKEEP_WEBHOOK_SECRET": "only-15-letters"})
    assert done.returncode == 2
    assert "TRACKEEP_WEBHOOK_SECRET is shorter than 16 bytes" in done.stderr
    assert "openssl rand -hex 32" in done.stderr and "only-15-letters" not in done.stderr


@pytest.mark.parametrize(
    ("change", "check", "state", "word"),
    [
        ({"TRACKEEP_BASE_URL": "https://box.example"}, "cookies", "ok", "__Host-session"),
        ({"TRACKEEP_BASE_URL": "https://box.example/t"}, "cookies", "ok", "__Secure-session"),
        ({"TRACKEEP_BASE_URL": "http://box.lan"}, "cookies", "warning", "unencrypted"),
        ({"TRACKEEP_BASE_URL": "https://box.example"}, "proxy headers", "ok", "127.0.0.0/8"),
        (
            {"TRACKEEP_BASE_URL": "https://box.example", "TRACKEEP_HOST": "0.0.0.0"},
            "proxy headers",
            "warning",
            "not trusted",
        ),
    ],
)
def test_doctor_looks_at_the_way_from_browsers(
    at_home: dict[str, str], change: dict[str, str], check: str, state: str, word: str
) -> None:
    """How cookies are kept, and whether a proxy elsewhere would be believed."""
    findings = json.loads(run("doctor", "--json", env={**at_home, **change}).stdout)["findings"]
    found = next(each for each in findings if each["check"] == check)
    assert found["state"] == state and word in found["sentence"]


def test_doctor_finds_an_address_that_leads_elsewhere(at_home: dict[str, str]) -> None:
    """While the server runs, its public address must answer, too."""
    server = start("serve", "--port", "0", "--no-worker", env=at_home)
    try:
        here = {**at_home, "TRACKEEP_PORT": server.url.rpartition(":")[2]}
        for base_url, state in ((server.url, "ok"), ("http://localhost:9", "warning")):
            asked = run("doctor", "--json", env={**here, "TRACKEEP_BASE_URL": base_url})
            states = {each["check"]: each["state"] for each in json.loads(asked.stdout)["findings"]}
            assert states["base URL"] == state
    finally:
        server.stop()


def test_doctor_says_what_is_broken(at_home: dict[str, str], tmp_path: Path) -> None:
    """A broker that does not answer and a readable key file are errors with a cure; the exit code is 1."""
    key = tmp_path / "data" / "secret.key"
    key.parent.mkdir()
    key.write_text("k" * 44)
    key.chmod(0o644)
    done = run("doctor", env={**at_home, "TRACKEEP_BROKER_URL": "http://127.0.0.1:9"})
    assert done.returncode == 1
    assert "chmod 600" in done.stdout
    assert "✗  broker" in done.stdout


def test_healthcheck_without_a_server(at_home: dict[str, str]) -> None:
    """Nobody listens: exit code 1 and one line."""
    done = run("healthcheck", "--json", env={**at_home, "TRACKEEP_PORT": "9"})
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    told = json.loads(done.stdout)
    assert not told["ready"] and f"trackeep: {told['problem']}" == done.stderr.strip()
