"""Git over HTTP as real git uses it: clones, filters, tokens, renamed and private repositories."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from git_over_http import address, commits_in, control, listed, run_git, token_of, truth_of
from programs import Program


def test_clone_equals_the_truth(sandbox: Program, tmp_path: Path) -> None:
    """A clone of a private repository has exactly the commits, branches and tags of the truth."""
    alice = token_of(sandbox.url, "alice")
    truth = truth_of(sandbox.url, "fernhill/harbor", commits=True)
    done = run_git("clone", "--bare", address(sandbox.url, "fernhill/harbor", alice), tmp_path / "harbor")
    assert done.returncode == 0, done.stderr
    assert commits_in(tmp_path / "harbor") == {commit["sha"] for commit in truth["commits"]}
    heads = run_git("--git-dir", tmp_path / "harbor", "show-ref", "--heads").stdout.splitlines()
    assert {line.split()[1].removeprefix("refs/heads/") for line in heads} == set(truth["branches"])


def test_treeless_clone(sandbox: Program, tmp_path: Path) -> None:
    """`--filter=tree:0` brings every commit and no tree."""
    truth = truth_of(sandbox.url, "carol/heron")
    done = run_git(
        "clone", "--bare", "--filter=tree:0", address(sandbox.url, "carol/heron"), tmp_path / "heron"
    )
    assert done.returncode == 0, done.stderr
    assert commits_in(tmp_path / "heron") == commits_in(truth["git_dir"])
    counted = run_git(
        "--git-dir", tmp_path / "heron", "cat-file", "--batch-check", "--batch-all-objects"
    ).stdout
    assert {line.split()[1] for line in counted.splitlines()} == {"commit", "tag"}


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_refs_in_every_protocol_version(sandbox: Program, version: str) -> None:
    """Refs are the truth's in protocol 0, 1 and 2, heads of pull requests included."""
    truth = truth_of(sandbox.url, "fernhill/reedbed")
    refs = listed(sandbox.url, "fernhill/reedbed", None, "-c", f"protocol.version={version}")
    heads = {
        ref.removeprefix("refs/heads/"): sha for ref, sha in refs.items() if ref.startswith("refs/heads/")
    }
    assert heads == truth["branches"]
    assert refs["HEAD"] == truth["branches"]["main"]
    for pull in truth["pulls"]:
        assert refs[f"refs/pull/{pull['number']}/head"] == pull["head_sha"]


def test_empty_repository(sandbox: Program) -> None:
    """An empty repository lists no refs and is no error."""
    assert listed(sandbox.url, "alice/seedling") == {}


def test_private_repository_does_not_exist_for_others(sandbox: Program) -> None:
    """Bob's token gets 404 for a private repository he may not read; without a token git is asked for one."""
    bob = run_git("ls-remote", address(sandbox.url, "fernhill/harbor", token_of(sandbox.url, "bob")))
    assert bob.returncode and "not found" in bob.stderr.lower()
    nobody = run_git("ls-remote", address(sandbox.url, "fernhill/harbor"))
    assert nobody.returncode and "could not read Username" in nobody.stderr
    dead = run_git("ls-remote", address(sandbox.url, "fernhill/harbor", "ghp_dead"))
    assert dead.returncode and "Authentication failed" in dead.stderr


def test_scope_decides_about_private_repositories(sandbox: Program) -> None:
    """A token without the scope `repo` reads public repositories only, even its owner's."""
    made = control(sandbox.url, "POST", "/tokens", {"login": "alice", "scopes": ["public_repo"]})
    assert listed(sandbox.url, "alice/almanac", made["token"])
    refused = run_git("ls-remote", address(sandbox.url, "alice/paper-boat", made["token"]))
    assert refused.returncode and "not found" in refused.stderr.lower()


def test_renamed_repository_redirects(sandbox: Program, tmp_path: Path) -> None:
    """The old name answers 301, and git follows it through the whole clone."""
    done = run_git("clone", "--bare", address(sandbox.url, "alice/beacon"), tmp_path / "beacon")
    assert done.returncode == 0, done.stderr
    assert "redirecting to" in done.stderr
    assert commits_in(tmp_path / "beacon") == commits_in(truth_of(sandbox.url, "alice/lighthouse")["git_dir"])


def test_push_is_refused(sandbox: Program, tmp_path: Path) -> None:
    """Nobody can push, whatever the token."""
    where = address(sandbox.url, "alice/almanac", token_of(sandbox.url, "alice"))
    assert run_git("clone", "--bare", where, tmp_path / "almanac").returncode == 0
    pushed = run_git("--git-dir", tmp_path / "almanac", "push", where, "main:other")
    assert pushed.returncode and "403" in pushed.stderr


def test_compressed_request(sandbox: Program) -> None:
    """A compressed request body is understood; a broken one is a 400 and not a crash."""
    url = f"{sandbox.url}/carol/heron.git/git-upload-pack"
    headers = {"Git-Protocol": "version=2", "Content-Encoding": "gzip"}
    asked = gzip.compress(b"0014command=ls-refs\n00010000")
    with urllib.request.urlopen(urllib.request.Request(url, asked, headers), timeout=60) as answer:
        assert b"refs/heads/main" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as broken:
        urllib.request.urlopen(urllib.request.Request(url, b"not gzip at all", headers), timeout=60)
    assert broken.value.code == 400
    broken.value.close()


def test_fetch_any_commit_by_its_id(sandbox: Program, tmp_path: Path) -> None:
    """A commit that only an id names can be fetched, as from GitHub."""
    pulls = truth_of(sandbox.url, "carol/heron")["pulls"]
    wanted = next(p["head_sha"] for p in pulls if p["head_repository_id"] and p["state"] == "open")
    run_git("init", "-q", "--bare", tmp_path / "some")
    done = run_git("--git-dir", tmp_path / "some", "fetch", "-q", address(sandbox.url, "carol/heron"), wanted)
    assert done.returncode == 0, done.stderr
    assert wanted in commits_in(tmp_path / "some", "FETCH_HEAD")


def test_git_requests_are_logged(sandbox: Program) -> None:
    """The log tells who asked git for what, and never the token."""
    token = token_of(sandbox.url, "carol")
    listed(sandbox.url, "fernhill/harbor", token)
    mine = [
        e for e in control(sandbox.url, "GET", "/log") if e["login"] == "carol" and e["resource"] == "git"
    ]
    assert {(e["method"], e["status"]) for e in mine} >= {("GET", 200), ("POST", 200)}
    assert all(e["token"] and token not in str(e) for e in mine)
