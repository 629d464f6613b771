"""The commands that read: the same figures for people, for programs and for whoever pastes them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import environment, run
from small_world import at, fill
from sqlalchemy import update
from terminal import ESCAPES, on_terminal

from trackeep.database import Database
from trackeep.store.tables import account

SINCE = ("--since", "2026-11-01")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of an instance with the small world in it; alice is in Prague."""
    folder = tmp_path_factory.mktemp("home")

    async def prepare() -> None:
        db = await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
        await fill(db, int(time.time()))
        await db.close()

    asyncio.run(prepare())
    return {"TRACKEEP_DATA_DIR": str(folder)}


def alice(*words: str, home: dict[str, str], code: int = 0) -> str:
    """What a command of hers prints."""
    done = run(*words, "--account", "alice", env=home)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_status_says_what_needs_you(home: dict[str, str]) -> None:
    """To review, to change and to merge, then how fresh the copy is and what is left."""
    text = alice("status", home=home)
    assert text.startswith("3 pull requests for you\n")
    for line in (
        "Needs your review",
        "Returned to you (changes)",
        "Ready to merge",
        "core: 4,812 of 5,000 left",
    ):
        assert line in text
    status = json.loads(alice("status", "--json", home=home))
    assert [(one["number"], one["section"]) for one in status["needs_you"]] == [
        (4, "review"),
        (5, "returned"),
        (6, "ready"),
    ]
    assert status["waiting"] == 1
    assert run("status", "--exit-status", "--account", "mallory", env=home).returncode == 8
    assert run("status", "--exit-status", "--account", "alice", env=home).returncode == 0


def test_repositories_as_a_table_and_as_json(home: dict[str, str]) -> None:
    """What the JSON says is what the API says; a private one of somebody else is nowhere."""
    listed = json.loads(alice("repo", "list", "--period", "all", "--json", home=home))
    assert [one["repository"] for one in listed] == ["fernhill/atlas", "alice/heron"]
    api = json.loads(alice("get", "/api/v1/repos?period=all", home=home))["items"]
    assert sorted(listed, key=lambda one: one["id"]) == sorted(api, key=lambda one: one["id"])
    lines = alice("repo", "list", "--jsonl", home=home).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [10, 11]
    text = alice("repo", "list", home=home)
    assert text.splitlines()[0].startswith("REPOSITORY") and "fernhill/atlas" in text
    assert "secret" not in text + alice("repo", "discover", "--all", home=home)


def test_pull_requests_by_turn_and_as_a_plain_list(home: dict[str, str]) -> None:
    """The queue is in its order; with --state it is the API's list."""
    queue = json.loads(alice("pr", "list", "--json", home=home))
    assert [one["number"] for one in queue][:4] == [4, 5, 6, 8]
    merged = json.loads(alice("pr", "list", "--state", "merged", "--json", home=home))
    assert merged == json.loads(alice("get", "/api/v1/pulls?state=merged", home=home))["items"]
    assert [one["number"] for one in merged] == [2, 1, 3]
    text = alice("pr", "list", "--state", "all", "--author", "bob", "--search", "pull", home=home)
    assert "fernhill/atlas#9" in text and "fernhill/atlas#1 " not in text


def test_one_pull_request(home: dict[str, str]) -> None:
    """With its reviews and where it is at GitHub."""
    found = json.loads(alice("pr", "view", "fernhill/atlas#9", "--json", home=home))
    assert (found["title"], found["state"]) == ("Pull 9", "closed")
    assert [one["state"] for one in found["reviews"]] == ["APPROVED", "COMMENTED"]
    assert found["url"] == "https://github.com/fernhill/atlas/pull/9"
    text = alice("pr", "view", "fernhill/atlas#9", home=home)
    assert "Pull 9" in text and "approved" in text
    assert "0 files, checks —, 0 unresolved threads" in text
    for words, code in ((["fernhill/atlas#99"], 6), (["bob/secret-plan#1"], 6), (["atlas"], 2)):
        assert alice("pr", "view", *words, home=home, code=code) == ""


def test_where_changes_spend_their_time(home: dict[str, str]) -> None:
    """Medians of the merged ones, as a table, JSON and CSV."""
    figures = json.loads(alice("pr", "stats", *SINCE, "--json", home=home))
    assert figures["merged_pulls"] == 2
    # Four hours and, from when it ceased to be a draft, two.
    assert figures["time_to_merge"] == {"n": 2, "p50_s": 10_800.0, "p90_s": 14_400}
    rows = list(csv.DictReader(io.StringIO(alice("pr", "stats", *SINCE, "--csv", home=home))))
    assert {row["duration"]: row["p50"] for row in rows}["time_to_merge"] == "10800.0"
    assert "3 h" in alice("pr", "stats", *SINCE, home=home)


def test_commits_listed_and_searched(home: dict[str, str]) -> None:
    """Newest first, by author's date where an author is asked for; nothing found says where it looked."""
    mine = json.loads(alice("commit", "list", "--author", "me", "--counted", *SINCE, "--json", home=home))
    assert [one["sha"] for one in mine] == ["a3", "a2", "a1", "f1"]
    assert "Change a5" in alice("commit", "search", "change", "a5", home=home)
    none = run("commit", "search", "nonsense", "--account", "alice", env=home)
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "No commit matches. Searched 11 commits in 2 repositories.\n"


def test_branches_by_what_can_go(home: dict[str, str]) -> None:
    """The default one first; the switches narrow the list."""
    every = json.loads(alice("branch", "list", "--json", home=home))
    assert [(one["repository"], one["name"]) for one in every] == [
        ("alice/heron", "main"),
        ("fernhill/atlas", "main"),
        ("fernhill/atlas", "topic"),
    ]
    assert alice("branch", "list", "--merged", "--jsonl", home=home) == ""
    assert alice("branch", "list", "--repo", "bob/secret-plan", home=home, code=6) == ""


def test_figures_by_repository_and_by_time(home: dict[str, str]) -> None:
    """What adds up is the same however it is grouped, in days of Prague."""
    total = json.loads(alice("stats", *SINCE, "--json", home=home))["total"]
    assert (total["commits"], total["pulls_opened"], total["pulls_merged"]) == (4, 6, 2)
    assert (total["reviews"], total["issues"]) == (3, 1)
    for group in ("repo", "day", "week", "month"):
        grouped = json.loads(alice("stats", *SINCE, "--group-by", group, "--json", home=home))["groups"]
        assert sum(one["commits"] for one in grouped) == 4
        assert all(one[group] for one in grouped)
    days = alice("stats", *SINCE, "--group-by", "day", "--csv", home=home)
    rows = {row["day"]: row for row in csv.DictReader(io.StringIO(days))}
    # Half past midnight in Prague is the day before in UTC.
    assert rows["2026-11-21"]["commits"] == "1"
    # Nobody has asked GitHub for the lines of these: nothing is known, which is not nothing.
    assert rows["2026-11-21"]["additions"] == ""


def test_days_are_those_of_the_time_zone_that_was_chosen(tmp_path: Path) -> None:
    """Without a choice they are those of this computer."""

    async def prepare() -> None:
        db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
        await fill(db, int(time.time()))
        async with db.write() as conn:
            await conn.execute(update(account).values(time_zone=""))
        await db.close()

    asyncio.run(prepare())
    for zone, day in (("Europe/Prague", "2026-11-21"), ("America/New_York", "2026-11-20")):
        env = {"TRACKEEP_DATA_DIR": str(tmp_path), "TZ": zone}
        printed = alice("stats", *SINCE, "--group-by", "day", "--json", home=env)
        found = {one["day"]: one["commits"] for one in json.loads(printed)["groups"]}
        assert found[day] >= 1 and (day == "2026-11-20" or found["2026-11-20"] == 1)
        assert json.loads(printed)["window"]["time_zone"] == zone


def test_a_standup_to_paste(home: dict[str, str]) -> None:
    """By repository: pull requests, reviews and commits of all branches, then what waits."""
    text = alice("standup", "--since", "2026-11-20", home=home)
    hub = "https://github.com/fernhill/atlas"
    assert f"### [fernhill/atlas]({hub})" in text
    for line in (
        f"- Merged [#2]({hub}/pull/2) Pull 2",
        f"- Opened [#7]({hub}/pull/7) Pull 7 (draft)",
        f"- Reviewed [#9]({hub}/pull/9) Pull 9 (commented)",
        f"- Opened issue [#20]({hub}/issues/20) Broken",
        f"- Change a8 ([a8]({hub}/commit/a8))",
    ):
        assert line in text.splitlines()
    assert "Change a4" not in text and "secret" not in text
    found = json.loads(alice("standup", "--since", "2026-11-20", "--json", home=home))
    assert found["time_zone"] == "Europe/Prague"
    assert [one["label"] for one in found["waiting"]] == ["#4", "#5", "#6"]


def test_a_weekly_report_into_a_file(home: dict[str, str], tmp_path: Path) -> None:
    """The week beside the one before; by the file's ending Markdown or HTML; never over a file unasked."""
    week = ("report", "weekly", "--week", "2026-11-18")
    text = alice(*week, home=home)
    assert "16 to 22 November 2026, Europe/Prague" in text
    for line in (
        "| Commits | 4 | 0 |",
        "| Pull requests merged | 2 | 0 |",
        "| Median time to merge | 3 h | — |",
    ):
        assert line in text
    page = tmp_path / "week.html"
    assert alice(*week, "--out", str(page), home=home) == f"Wrote {page}.\n"
    assert page.read_text().startswith("<!doctype html>") and "Pull 2" in page.read_text()
    assert alice(*week, "--out", str(page), home=home, code=2) == ""
    assert alice(*week, "--out", str(page), "--force", "-q", home=home) == ""
    assert alice(*week, "--out", str(tmp_path / "none" / "x.md"), home=home, code=2) == ""


def test_a_pull_request_merged_within_the_day_is_one_line(home: dict[str, str]) -> None:
    """Opened and merged is said once."""
    text = alice("standup", "--since", "2026-11-18", home=home)
    assert text.count("[#1](") == 1 and "- Opened and merged [#1](" in text
    assert at("2026-11-18 14:00") < time.time()


@pytest.mark.parametrize("words", ["commit list --account alice --jsonl --limit 1000", "openapi"])
def test_a_reader_that_goes_away_is_no_failure(home: dict[str, str], words: str) -> None:
    """`trackeep commit list | head -1` ends quietly, also when a pipe cannot hold what is left to write."""
    words = f"python -W error -m trackeep {words} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", words],
        env={**environment(home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")


@pytest.mark.parametrize("words", [["commit", "list", "--account", "alice"], ["--help"], ["pr", "--help"]])
def test_a_reader_that_was_never_there_is_none_either(home: dict[str, str], words: list[str]) -> None:
    """With nobody at the other end of the pipe from the beginning it ends quietly, too."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-W", "error", "-m", "trackeep", *words]
    done = subprocess.run(
        command, env=environment(home), stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_colours_are_for_terminals_that_want_them(home: dict[str, str]) -> None:
    """None in a pipe, some on a terminal, none with NO_COLOR or --no-color."""
    words = ("repo", "list", "--account", "alice")
    assert "\x1b" not in run(*words, env=home).stdout
    assert "\x1b[" in on_terminal(*words, env=home).raw
    assert not ESCAPES.search(on_terminal(*words, env={**home, "NO_COLOR": "1"}).raw)
    assert not ESCAPES.search(on_terminal(*words, "--no-color", env=home).raw)
    assert "\x1b[" in run(*words, env={**home, "CLICOLOR_FORCE": "1"}).stdout


def test_a_table_fits_the_terminal(home: dict[str, str]) -> None:
    """Titles give way to a narrow window; in a pipe nothing is cut."""
    screen = on_terminal("pr", "list", "--state", "all", "--account", "alice", env=home, columns=72)
    assert screen.code == 0
    assert max(len(line.rstrip()) for line in screen.text.splitlines()) <= 72
