"""Repositories made on demand: git takes them, and the API answers about every odd thing in them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from git_over_http import commits_in
from programs import start
from sandbox_control import Sandbox

RELICS = "alice/relics"
QUERY = """{ repository(owner: "alice", name: "relics") {
  heads: refs(refPrefix: "refs/heads/", first: 50) { nodes { name target { oid } } }
  tags: refs(refPrefix: "refs/tags/", first: 50) { nodes {
    name target { oid ... on Tag { target { oid } } } } }
  defaultBranchRef { target { ... on Commit { history(first: 100) { totalCount nodes {
    oid message messageHeadline authoredDate committedDate parents(first: 10) { nodes { oid } }
    author { name email date user { login } } committer { name email date } } } } } } } }"""


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with one hostile repository."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    sandbox = Sandbox(program.url)
    sandbox.make(RELICS, "hostile")
    yield sandbox
    program.stop()


def ask(github: Sandbox, path: str, body: Any = None) -> Any:
    """An answer of the API, which must be JSON in UTF-8."""
    request = urllib.request.Request(
        f"{github.url}/api{path}",
        json.dumps(body).encode() if body else None,
        {"Authorization": f"Bearer {github.token()}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read().decode())


def test_rest_answers_about_hostile_commits(github: Sandbox) -> None:
    """Lists and single answers come for every branch, tag and commit, with dates of four-digit years."""
    base = f"/v3/repos/{RELICS}"
    listed = ask(github, f"{base}/commits?per_page=100")
    for commit in listed:
        datetime.strptime(commit["commit"]["author"]["date"], "%Y-%m-%dT%H:%M:%SZ")
        assert ask(github, f"{base}/commits/{commit['sha']}")["sha"] == commit["sha"]
    for path in ("", "/tags", "/contributors?anon=1", "/languages"):
        ask(github, base + path)
    names = [each["name"] for each in ask(github, f"{base}/branches?per_page=100")]
    assert len(names) == 7 and max(len(name.encode()) for name in names) == 255
    for name in names:
        assert ask(github, f"{base}/branches/{quote(name, safe='')}")["name"] == name


def test_graphql_answers_about_hostile_commits(github: Sandbox) -> None:
    """One query for everything gives no error, and tags of tags lead to a commit."""
    found = ask(github, "/graphql", {"query": QUERY})
    assert "errors" not in found
    repository = found["data"]["repository"]
    history = repository["defaultBranchRef"]["target"]["history"]
    assert history["totalCount"] == len(history["nodes"]) > 70
    assert {each["name"] for each in repository["tags"]["nodes"]} == {"once", "twice", "thrice", "twin"}


def test_the_truth_is_what_git_says(github: Sandbox) -> None:
    """The commits of the truth are those that branches and tags reach, in every kind of repository."""
    for kind, count in (("hostile", 83), ("many-refs", 260), ("heavy", 2), ("empty", 0)):
        github.make(f"bob/{kind}", kind, **({"commits": 2, "bytes": 1_000} if kind == "heavy" else {}))
        everything = github.ask("/truth?commits=1")["repositories"]
        truth = next(each for each in everything if each["full_name"] == f"bob/{kind}")
        shas = {commit["sha"] for commit in truth["commits"]}
        assert shas == commits_in(Path(truth["git_dir"])) and len(shas) == count


def test_what_cannot_be_made_is_refused(github: Sandbox) -> None:
    """An unknown kind or owner and a name that is taken change nothing."""
    for name, kind in (("alice/x", "no-such"), ("nobody/x", "empty"), (RELICS, "empty")):
        with pytest.raises(urllib.error.HTTPError, match="422"):
            github.make(name, kind)
