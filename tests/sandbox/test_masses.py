"""A generated world: the same from the same seed, in agreement with its git, and served like any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from copy_of_github import differences
from git_over_http import commits_in, run_git
from programs import Program, github_environment, run, start
from sandbox_control import Sandbox

from trackeep.database import Database
from trackeep.sandbox.masses import Masses, build_masses
from trackeep.sandbox.truth import truth
from trackeep.sandbox.world import Repository, World

pytestmark = pytest.mark.anyio
NOW = 1_795_000_000
SIZE = Masses(100, 5_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_masses(1, NOW, SIZE, tmp_path_factory.mktemp("masses"))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("serving")
    size = ("--repositories", "30", "--commits", "1500")
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(folder), *size)
    yield program
    program.stop()


def largest(world: World) -> Repository:
    return max(world.repositories.values(), key=lambda each: len(each.commits))


def test_same_seed_same_masses(world: World, tmp_path: Path) -> None:
    """The same seed and end give the same people, pull requests and commit ids; another seed gives others."""
    again, other = (build_masses(seed, NOW, SIZE, tmp_path / str(seed)) for seed in (1, 2))

    def without_paths(world: World) -> list[dict[str, object]]:
        return [{**each, "git_dir": ""} for each in truth(world, with_commits=True)["repositories"]]

    assert without_paths(again) == without_paths(world)
    assert [asdict(person) for person in again.people.values()] == [
        asdict(person) for person in world.people.values()
    ]
    assert not set(largest(other).commits) & set(largest(world).commits)


def test_masses_are_as_many_as_asked_for(world: World) -> None:
    """Repositories, commits, pull requests and issues add up; few hold most, alice reads all."""
    repositories = world.repositories.values()
    assert len(world.readable_by("alice")) == len(repositories) == 100
    assert sum(len(each.commits) for each in repositories) == 5_000
    assert sum(len(each.pulls) for each in repositories) == 500
    assert sum(len(each.issues) for each in repositories) == 250
    assert len(largest(world).commits) > 200 and len({each.full_name for each in repositories}) == 100
    assert any(each.private for each in repositories) and any(not each.private for each in repositories)
    assert sum(each.owner == "alice" for each in repositories) == 12


def test_commits_of_masses_are_those_of_git(world: World) -> None:
    """Every commit lies on a branch or tag, packs pass git's own check, and both read the same."""
    repository = largest(world)
    assert run_git("--git-dir", repository.git_dir, "fsck", "--full", "--strict").returncode == 0
    for each in world.repositories.values():
        assert set(each.commits) == commits_in(each.git_dir, "--branches", "--tags"), each.full_name
    form = "%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B%x1e"
    printed = run_git("--git-dir", repository.git_dir, "log", "--all", f"--format={form}").stdout
    rows = [row.lstrip("\n").split("\x1f") for row in printed.split("\x1e") if row.strip()]
    assert len(rows) == len(repository.commits)
    for sha, tree, parents, name, email, at, by, by_email, by_at, message in rows:
        read = repository.commits[sha]
        assert (read.sha, read.tree_sha, " ".join(read.parents)) == (sha, tree, parents)
        assert (read.author.name, read.author.email, str(read.author.at)) == (name, email, at)
        assert (read.committer.name, read.committer.email, str(read.committer.at)) == (by, by_email, by_at)
        assert read.message == message.rstrip("\n")
        assert read.author.at <= read.committer.at <= NOW
    assert "0" * 40 not in repository.commits and "main" not in repository.commits


def test_alice_has_a_believable_part(world: World) -> None:
    """Most of her own repositories, a little of the others; pull requests name commits that exist."""
    hers = {email.address for email in world.people["alice"].emails}
    for each in world.repositories.values():
        authors = Counter(commit.author.email in hers for commit in each.commits.values())
        if len(each.commits) > 100:
            assert (authors[True] > authors[False]) == (each.owner == "alice"), each.full_name
        for pull in each.pulls.values():
            assert {pull.base_sha, pull.head_sha} <= set(each.commits)
            assert pull.created_at <= pull.updated_at <= NOW
            assert (pull.merge_sha is not None) == (pull.merged_at is not None)


def test_truth_of_masses_in_numbers_and_for_one(serving: Program) -> None:
    """The control API counts everything, and tells of one repository alone, with its commits."""
    ask = Sandbox(serving.url)
    numbers = ask.ask("/truth?numbers=1")
    assert (numbers["repositories"], numbers["commits"], numbers["pulls"]) == (30, 1_500, 150)
    name = ask.ask("/truth")["repositories"][0]["full_name"]
    alone = ask.ask(f"/truth?repository={name}&commits=1")["repositories"]
    assert [each["full_name"] for each in alone] == [name]
    ids = {commit["sha"] for commit in alone[0]["commits"]}
    assert ids == commits_in(Path(alone[0]["git_dir"]), "--branches", "--tags")


async def test_a_sync_of_masses_stores_all_of_them(serving: Program, tmp_path: Path) -> None:
    """The real program copies a generated world, and a push into it is one more commit."""
    ask = Sandbox(serving.url)
    env = {**github_environment(serving.url), "GITHUB_TOKEN": ask.token(), "TRACKEEP_DATA_DIR": str(tmp_path)}
    names = [each["full_name"] for each in ask.repositories()]
    for _ in range(2):
        assert run("sync", "-q", env=env).returncode == 0
        db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
        found = await differences(db, ask, names)
        await db.close()
        assert found == {}
        ask.change(names[0], "merge-old-branch")
