"""The control API and what may happen while the sandbox runs; git and the truth always agree."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_over_http import change, commits_in, control, listed, token_of, truth_of
from programs import Program, start

REPO = "fernhill/harbor"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One sandbox for this file; every test changes something else in it."""
    folder = tmp_path_factory.mktemp("hub")
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(folder))
    yield program
    program.stop()


def agreed(url: str, full_name: str = REPO) -> dict[str, Any]:
    """The repository's truth, after comparing it with git over HTTP."""
    truth = truth_of(url, full_name, commits=True)
    refs = listed(url, full_name, token_of(url, "alice"))
    heads = {
        ref.removeprefix("refs/heads/"): sha for ref, sha in refs.items() if ref.startswith("refs/heads/")
    }
    assert heads == truth["branches"]
    for pull in truth["pulls"]:
        assert refs[f"refs/pull/{pull['number']}/head"] == pull["head_sha"]
    assert commits_in(truth["git_dir"]) == {commit["sha"] for commit in truth["commits"]}
    return truth


def pull_of(truth: dict[str, Any], number: int) -> dict[str, Any]:
    return next(pull for pull in truth["pulls"] if pull["number"] == number)


def test_people(hub: Program) -> None:
    """Everybody is listed with their addresses; people have tokens, the bot and the organisation none."""
    people = {person["login"]: person for person in control(hub.url, "GET", "/people")}
    assert set(people) == {"alice", "bob", "carol", "zoe-l", "mallory", "dependabot[bot]", "fernhill"}
    assert people["fernhill"]["kind"] == "Organization" and people["fernhill"]["token"] is None
    flags = [(email["primary"], email["verified"]) for email in people["alice"]["emails"]]
    assert flags == [(True, True), (False, True), (False, False), (False, True)]
    assert len(people["alice"]["token"]) == 40


def test_push(hub: Program) -> None:
    """A push moves the branch, the time of the last push and the set of commits."""
    before = agreed(hub.url)
    made = change(hub.url, REPO, "push", count=3, author="carol")
    after = agreed(hub.url)
    assert {c["sha"] for c in after["commits"]} - {c["sha"] for c in before["commits"]} == set(
        made["commits"]
    )
    assert after["branches"]["main"] == made["commits"][-1]
    assert after["pushed_at"] > before["pushed_at"]


def test_merge_of_an_old_branch(hub: Program) -> None:
    """Merging an old branch adds commits that are dated long before the newest ones known."""
    before = agreed(hub.url)
    made = change(hub.url, REPO, "merge-old-branch", days_ago=45, count=4)
    after = {commit["sha"]: commit for commit in agreed(hub.url)["commits"]}
    assert set(after) - {c["sha"] for c in before["commits"]} == {*made["commits"], made["merge"]}
    assert all(after[sha]["committer"]["at"] < time.time() - 44 * 86_400 for sha in made["commits"])
    assert after[made["merge"]]["parents"] == [before["branches"]["main"], made["commits"][-1]]
    assert after[made["merge"]]["changed_files"] == 4


def test_force_push(hub: Program) -> None:
    """A force-push leaves the old tip on no branch."""
    made = change(hub.url, REPO, "force-push")
    truth = agreed(hub.url)
    assert truth["branches"][made["branch"]] == made["after"] != made["before"]
    assert made["before"] not in truth["branches"].values()


def test_delete_branch_closes_its_pull_request(hub: Program) -> None:
    """A deleted branch is gone from git, and its open pull request is closed but keeps its head."""
    opened = change(hub.url, REPO, "open-pull", author="carol", draft=True)
    change(hub.url, REPO, "delete-branch", branch=opened["branch"])
    truth = agreed(hub.url)
    assert opened["branch"] not in truth["branches"]
    pull = pull_of(truth, opened["number"])
    assert (pull["state"], pull["merged_at"], pull["head_sha"]) == ("closed", None, opened["head"])


def test_life_of_a_pull_request(hub: Program) -> None:
    """Opened, reviewed, pushed to and merged: sizes, reviewers, events and git follow each step."""
    opened = change(hub.url, REPO, "open-pull", author="carol", count=2, reviewers=["alice"], team=True)
    pull = pull_of(agreed(hub.url), opened["number"])
    assert (pull["commit_count"], pull["changed_files"]) == (2, 2)
    assert (pull["requested_reviewers"], pull["requested_teams"]) == (["alice"], ["tide-crew"])
    change(hub.url, REPO, "review", number=opened["number"], state="APPROVED", author="alice")
    change(hub.url, REPO, "push", branch=opened["branch"], author="carol")
    pull = pull_of(agreed(hub.url), opened["number"])
    assert pull["commit_count"] == 3 and pull["requested_reviewers"] == []
    merged = change(hub.url, REPO, "merge-pull", number=opened["number"], by="alice")
    truth = agreed(hub.url)
    pull = pull_of(truth, opened["number"])
    assert (pull["merge_sha"], pull["merged_by"]) == (merged["merge"], "alice")
    assert [event["kind"] for event in pull["events"]][-2:] == ["merged", "closed"]
    assert truth["branches"]["main"] == merged["merge"] and opened["branch"] not in truth["branches"]


def test_squash_merge(hub: Program) -> None:
    """A squashed pull request is one commit with one parent, as large as the pull request."""
    opened = change(hub.url, REPO, "open-pull", author="bob", count=3)
    merged = change(hub.url, REPO, "merge-pull", number=opened["number"], method="squash")
    truth = agreed(hub.url)
    pull = pull_of(truth, opened["number"])
    commit = next(c for c in truth["commits"] if c["sha"] == merged["merge"])
    assert len(commit["parents"]) == 1 and commit["author"]["name"] == "Bob Okafor"
    assert (commit["additions"], commit["changed_files"]) == (pull["additions"], 3)


def test_issues_and_tags(hub: Program) -> None:
    """Issues open and close; a tag is an annotated tag in git with a release."""
    number = change(hub.url, REPO, "open-issue", title="The crane sleeps")["number"]
    change(hub.url, REPO, "close-issue", number=number)
    made = change(hub.url, REPO, "tag", name="v77.0.0")
    truth = agreed(hub.url)
    issue = next(issue for issue in truth["issues"] if issue["number"] == number)
    assert issue["state"] == "closed" and issue["closed_at"]
    assert listed(hub.url, REPO, token_of(hub.url, "alice"))["refs/tags/v77.0.0"] == made["sha"]
    assert truth["releases"][-1]["tag_name"] == "v77.0.0"


def test_rename_and_access(hub: Program) -> None:
    """After a rename both names lead to the repository; who loses access finds it gone."""
    change(hub.url, "bob/otter-cli", "rename", name="otter")
    alice = token_of(hub.url, "alice")
    assert listed(hub.url, "bob/otter-cli", alice) == listed(hub.url, "bob/otter", alice) != {}
    change(hub.url, "bob/otter", "access", login="alice", permission=None)
    assert truth_of(hub.url, "bob/otter")["readers"] == ["bob"]
    with pytest.raises(AssertionError, match="not found"):
        listed(hub.url, "bob/otter", alice)


def test_nonsense_is_refused(hub: Program) -> None:
    """An unknown kind, a missing repository or a pull request that is not open is a 422 with a sentence."""
    asked: list[tuple[str, dict[str, Any]]] = [
        (REPO, {"kind": "explode"}),
        ("alice/none", {"kind": "push"}),
        (REPO, {"kind": "merge-pull", "number": 1}),
        ("alice/seedling", {"kind": "push"}),
        (REPO, {"kind": "tag"}),
    ]
    for full_name, body in asked:
        with pytest.raises(urllib.error.HTTPError) as refused:
            control(hub.url, "POST", f"/repos/{full_name}/change", body)
        assert refused.value.code == 422 and b"error" in refused.value.read()
        refused.value.close()


@pytest.mark.parametrize("host", ["intranet.example", "169.254.169.254", "localhost.example", "127.0.0.1@x"])
def test_webhooks_stay_on_this_computer(hub: Program, host: str) -> None:
    """A page in somebody's browser cannot have the local GitHub call another computer."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        control(hub.url, "POST", "/webhooks", {"url": f"http://{host}/x", "secret": "s"})
    assert refused.value.code == 422
    refused.value.close()


def test_clock(hub: Program) -> None:
    """The clock can be moved and set back, and changes happen at its time."""
    control(hub.url, "POST", "/clock", {"advance_s": 90_000})
    made = change(hub.url, "alice/almanac", "push")
    assert 89_000 < made["at"] - time.time() < 91_000
    assert control(hub.url, "POST", "/clock", {"at": "2030-01-02T03:04:05Z"})["now"] == pytest.approx(
        1893553445, abs=5
    )
    assert control(hub.url, "POST", "/clock", {"real": True})["now"] == pytest.approx(time.time(), abs=5)


def test_log_can_be_read_and_cleared(hub: Program) -> None:
    """The log counts requests outside the control API, from a number on, and can be emptied."""
    control(hub.url, "DELETE", "/log")
    listed(hub.url, "carol/heron")
    entries = control(hub.url, "GET", "/log")
    assert [entry["path"] for entry in entries] == [
        "/carol/heron.git/info/refs",
        "/carol/heron.git/git-upload-pack",
    ]
    assert control(hub.url, "GET", f"/log?since={entries[0]['n']}") == entries[1:]


def test_latency(hub: Program) -> None:
    """Added latency delays every answer outside the control API."""
    control(hub.url, "POST", "/latency", {"ms": 150})
    started = time.monotonic()
    with urllib.request.urlopen(f"{hub.url}/", timeout=60) as answer:
        assert b"A small GitHub of your own" in answer.read()
    assert time.monotonic() - started >= 0.15
    control(hub.url, "POST", "/latency", {"ms": 0})


def test_tokens_and_apps(hub: Program) -> None:
    """New tokens and apps can be made, and the list says who holds what without showing tokens."""
    made = control(hub.url, "POST", "/tokens", {"login": "bob", "scopes": ["repo", "read:user"]})
    app = control(hub.url, "POST", "/apps", {"callback_url": "http://127.0.0.1/back", "expiring": True})
    assert app["client_id"] and app["client_secret"]
    listing = control(hub.url, "GET", "/tokens")
    assert listing["count"] == len(listing["tokens"]) and made["token"] not in str(listing)
    assert {"login": "bob", "scopes": ["read:user", "repo"]}.items() <= listing["tokens"][-1].items()


def test_links_lead_somewhere(hub: Program) -> None:
    """Addresses that the data contains open a page; a private repository has none for strangers."""
    with urllib.request.urlopen(f"{hub.url}/carol/heron/pull/1", timeout=60) as answer:
        assert b"#1" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{hub.url}/alice/paper-boat", timeout=60)
    assert refused.value.code == 404
    refused.value.close()


def test_ends_on_sigterm_and_comes_back_the_same(tmp_path: Path) -> None:
    """SIGTERM ends it cleanly; the same folder on the same day gives the same world again."""
    first = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path))
    branches = truth_of(first.url, "fernhill/atlas")["branches"]
    assert first.stop() in (0, -signal.SIGTERM)
    second = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path))
    assert truth_of(second.url, "fernhill/atlas")["branches"] == branches
    second.stop()
