"""Commits come exactly as git gives them also where git is refused, and where GraphQL is refused too."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from copies import Copy
from gitrepo import GitRepo
from sandbox_control import Sandbox

from trackeep.database import Database
from trackeep.errors import GitHubNoAccess, GitHubTokenDead, GitHubUnavailable
from trackeep.store import history
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio
ATLAS = "fernhill/atlas"
FOREVER = 10**6


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/clock", {"real": True})


def switch_off(github: Sandbox, *ways: str) -> None:
    """Refuse git, and GraphQL, for good."""
    if "git" in ways:
        github.fault("POST .*/git-upload-pack", "status", status=403, times=FOREVER)
    if "graphql" in ways:
        github.fault("POST /api/graphql", "status", status=403, times=FOREVER)


def pages_answered(github: Sandbox, since: int) -> Counter[str]:
    """How often each page of commits was answered; by GraphQL the list of refs counts as a page too."""
    asked: Counter[str] = Counter()
    for each in github.log(since):
        if each["resource"] == "graphql" and each["status"] == 200:
            asked[each["digest"]] += 1
        if each["path"].endswith("/commits"):
            asked[each["query"]] += 1
    return asked


def after(pages: int) -> Callable[[], bool]:
    """Time is up when it was asked for the time that often; before the first page nobody asks."""
    asked = itertools.count()
    return lambda: next(asked) >= pages


async def equals_git(copy: Copy, *, offsets: bool) -> bool:
    """Whether the copy's commits, refs and flags are what a fresh fetch by git would store."""
    git = GitRepo(Path(copy.github.repository(copy.name)["git_dir"]))
    head = git.git("symbolic-ref", "--short", "HEAD")
    refs = {row["name"]: row["sha"] for row in (await copy.rows())["ref"] if row["name"] != "HEAD"}
    listed = {name: sha for sha, name in (line.split() for line in git.git("show-ref").splitlines())}
    return (
        await copy.shas(commit.c.reachable) == git.all_shas()
        and await copy.shas(commit.c.on_default) == git.all_shas(head)
        and refs == {name: sha for name, sha in listed.items() if not name.startswith("refs/pull/")}
        and not await copy.marked()
        and (offsets or not await copy.shas(commit.c.author_offset_minutes != 0))
    )


WITHOUT = pytest.mark.parametrize("without", [("git",), ("git", "graphql")], ids=["graphql", "rest"])


@WITHOUT
async def test_the_same_rows_as_gits(
    db: Database, tmp_path: Path, github: Sandbox, without: tuple[str, ...]
) -> None:
    """Every column of every row equals git's; only REST loses the writer's time zone, stored as UTC."""
    by_git = Copy(await Database.open(f"sqlite:///{tmp_path / 'git.db'}"), github, ATLAS)
    await by_git.sync()
    switch_off(github, *without)
    by_api = Copy(db, github, ATLAS)
    work = await by_api.sync()
    wanted, found = await by_git.rows(), await by_api.rows()
    await by_git.db.close()
    if "graphql" in without:
        for each in wanted["commit"]:
            each["author_offset_minutes"] = each["committer_offset_minutes"] = 0
        wanted["commit"].sort(key=repr)
    assert found == wanted and found["walked"] == []
    assert work.found.commits == len(found["commit"]) and (await by_api.position())["complete"]


@WITHOUT
async def test_every_kind_of_change(lite: Database, github: Sandbox, without: tuple[str, ...]) -> None:
    """An old branch merged, a force-push, a branch that goes, a default branch renamed: exact each time."""
    name, copy = "fernhill/reedbed", Copy(lite, github, "fernhill/reedbed")
    switch_off(github, *without)
    await copy.sync()
    assert await equals_git(copy, offsets="graphql" not in without)
    merged = github.change(name, "merge-old-branch", count=4, days_ago=200)
    assert (await copy.sync()).found.commits == 5
    assert await copy.shas(commit.c.on_default) >= {*merged["commits"], merged["merge"]}
    forced = github.change(name, "force-push")
    assert (await copy.sync()).found.commits == 1
    assert await copy.shas(~commit.c.reachable) == {forced["before"]}
    github.change(name, "push", branch="bob/short", count=2)
    await copy.sync()
    github.change(name, "delete-branch", branch="bob/short")
    github.change(name, "tag", name=f"v-{len(without)}")
    assert (await copy.sync()).found.refs == 2
    renamed = github.change(name, "rename-branch", name=f"trunk-{len(without)}")
    assert (await copy.sync()).found.commits == 0
    assert await equals_git(copy, offsets="graphql" not in without)
    seen = {
        (row["name"].removeprefix("refs/heads/"), row["kind"]) for row in (await copy.rows())["ref_change"]
    }
    wanted = {(renamed["before"], "deleted"), (renamed["after"], "created"), (forced["branch"], "forced")}
    assert seen >= wanted


@WITHOUT
async def test_stopped_between_pages(lite: Database, github: Sandbox, without: tuple[str, ...]) -> None:
    """Stopped after each page it goes on behind it; no finished page is asked for again."""
    switch_off(github, *without)
    copy, mark = Copy(lite, github, ATLAS), github.mark()
    for _ in range(100):
        if (await copy.sync(is_time_up=after(1))).leaves_more:
            assert "walk" in await copy.position() and await copy.marked()
            assert not await copy.shas(commit.c.reachable)
            continue
        break
    assert await equals_git(copy, offsets="graphql" not in without)
    counts = sorted(pages_answered(github, mark).values())
    assert len(counts) >= 5 and set(counts[:-1]) == {1}
    assert (counts[-1] == 1) is ("graphql" in without)


@WITHOUT
async def test_git_comes_back_in_the_middle(
    lite: Database, github: Sandbox, without: tuple[str, ...]
) -> None:
    """Git is told of no commit whose ancestors are missing, and completes what the walk has begun."""
    switch_off(github, *without)
    copy = Copy(lite, github, ATLAS)
    await copy.sync(is_time_up=after(2))
    async with lite.read() as conn:
        haves = await history.commits_to_have(conn, await copy.id(), await copy.shas())
    assert haves == ([], [])
    github.ask("/faults", method="DELETE")
    await copy.sync(urgent=True)
    assert await equals_git(copy, offsets="graphql" not in without or True)
    assert "walk" not in await copy.position()


async def test_git_comes_back_in_the_middle_of_a_later_walk(lite: Database, github: Sandbox) -> None:
    """What was complete before stays known: git sends only what is new, and completes what was begun."""
    copy = Copy(lite, github, "alice/almanac")
    await copy.sync()
    github.change(copy.name, "push", branch="long", count=12)
    switch_off(github, "git")
    await copy.sync(page=5, is_time_up=after(1))
    assert len(await copy.marked()) == 5
    github.ask("/faults", method="DELETE")
    work = await copy.sync(urgent=True)
    assert (work.found.commits, work.git_posts) == (12, 2) and work.git_bytes < 20_000
    assert await equals_git(copy, offsets=True)


async def test_graphql_is_refused_in_the_middle(lite: Database, github: Sandbox) -> None:
    """REST goes on at the commits that GraphQL has left open, with what was stored kept."""
    switch_off(github, "git")
    copy = Copy(lite, github, "alice/almanac")
    first = await copy.sync(is_time_up=after(2))
    switch_off(github, "graphql")
    second = await copy.sync()
    assert first.found.commits == 200 and second.found.commits == len(await copy.shas()) - 200
    assert await equals_git(copy, offsets=True) and (await copy.position())["source"] == "rest"


async def test_two_accounts_walk_one_repository(db: Database, github: Sandbox) -> None:
    """One walks over GraphQL, one over REST, one uses git: each may finish first, and nothing is missing."""
    alice, bob = Copy(db, github, ATLAS), Copy(db, github, ATLAS, "bob")
    switch_off(github, "git")
    await alice.sync(is_time_up=after(2))
    switch_off(github, "graphql")
    await bob.sync(is_time_up=after(1))
    github.ask("/faults", method="DELETE")
    switch_off(github, "git")
    await bob.sync()
    assert await equals_git(bob, offsets=False) or await equals_git(bob, offsets=True)
    await alice.sync()
    assert await equals_git(alice, offsets=True)


@pytest.mark.parametrize(
    "refusal",
    [
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 404},
        {"kind": "html", "status": 200},
        {"kind": "html", "status": 407},
    ],
    ids=str,
)
async def test_what_counts_as_a_refusal(lite: Database, github: Sandbox, refusal: dict[str, Any]) -> None:
    """A no of git's alone, and a proxy's page, lead to GitHub's API; git is tried again the next day."""
    github.fault("POST .*/git-upload-pack", times=FOREVER, **refusal)
    copy = Copy(lite, github, "fernhill/kelp-ui")
    await copy.sync()
    assert await equals_git(copy, offsets=True) and (await copy.position())["source"] == "graphql"
    github.change(copy.name, "push")
    assert (await copy.sync()).git_posts == 0
    github.ask("/faults", method="DELETE")
    github.advance(86_400)
    github.change(copy.name, "push")
    assert (await copy.sync()).git_posts == 2
    assert "source" not in await copy.position() and await equals_git(copy, offsets=True)


async def test_what_is_no_refusal(lite: Database, github: Sandbox) -> None:
    """A failing git server is waited for; a dead token and a repository without access are said at once."""
    copy = Copy(lite, github, "fernhill/kelp-ui")
    github.fault("POST .*/git-upload-pack", "status", status=502)
    with pytest.raises(GitHubUnavailable):
        await copy.sync()
    github.fault("POST .*/git-upload-pack", "cut")
    with pytest.raises(GitHubUnavailable):
        await copy.sync()
    for status, error in ((401, GitHubTokenDead), (404, GitHubNoAccess)):
        mark = github.mark()
        github.fault("POST .*/git-upload-pack", "status", status=status)
        github.fault("GET /api/v3/repos/fernhill/kelp-ui", "status", status=status)
        with pytest.raises(error):
            await copy.sync(is_known=True)
        assert not [each for each in github.log(mark) if each["resource"] == "graphql"]
    assert not await copy.shas()


@WITHOUT
async def test_hostile_history(lite: Database, github: Sandbox, without: tuple[str, ...]) -> None:
    """Octopus merges, roots, parents named twice and odd dates: the graph is git's."""
    name = f"alice/relic-{len(without)}"
    github.ask("/repositories", {"owner": "alice", "name": name.split("/")[1], "kind": "hostile"})
    switch_off(github, *without)
    copy = Copy(lite, github, name)
    await copy.sync()
    git = GitRepo(Path(github.repository(name)["git_dir"]))
    lines = [
        line.split(" ") for line in git.git("rev-list", "--parents", "--branches", "--tags").splitlines()
    ]
    stored = {row["sha"]: row["parents"] for row in (await copy.rows())["commit"]}
    assert stored == {sha: " ".join(parents) for sha, *parents in lines}
    assert await copy.shas(commit.c.reachable) == set(stored) and not await copy.marked()


@WITHOUT
async def test_an_empty_repository(lite: Database, github: Sandbox, without: tuple[str, ...]) -> None:
    """A repository without a commit is complete at once."""
    name = f"empty-{len(without)}"
    github.ask("/repositories", {"owner": "alice", "name": name, "kind": "empty"})
    switch_off(github, *without)
    copy = Copy(lite, github, f"alice/{name}")
    await copy.sync()
    assert (await copy.position())["complete"] and not await copy.shas()
