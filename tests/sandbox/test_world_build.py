"""The invented world: the same from the same seed, believable, and in agreement with its git."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest
from git_over_http import commits_in, run_git

from trackeep.sandbox.build import build
from trackeep.sandbox.truth import truth
from trackeep.sandbox.world import PullRequest, Repository, World

NOW = 1_795_000_000
DAY = 86_400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(1, NOW, "small", tmp_path_factory.mktemp("world"))


def numstat(git_dir: Path, *args: str) -> tuple[int, int, int]:
    lines = run_git("--git-dir", git_dir, "diff", "--no-renames", "--numstat", *args).stdout.splitlines()
    counts = [line.split("\t") for line in lines]
    return sum(int(c[0]) for c in counts), sum(int(c[1]) for c in counts), len(counts)


def pulls(world: World) -> list[tuple[Repository, PullRequest]]:
    return [(r, pull) for r in world.repositories.values() for pull in r.pulls.values()]


def test_same_seed_same_world(world: World, tmp_path: Path) -> None:
    """The same seed and end give the same people, pull requests and commit ids; another seed gives others."""
    again, other = (build(seed, NOW, "small", tmp_path / str(seed)) for seed in (1, 2))

    def without_paths(world: World) -> list[dict[str, object]]:
        return [{**r, "git_dir": ""} for r in truth(world, with_commits=True)["repositories"]]

    assert without_paths(again) == without_paths(world)
    atlas, others_atlas = world.repositories[70_001], other.repositories[70_001]
    assert not set(atlas.commits) & set(others_atlas.commits)


def test_cast_and_repositories(world: World) -> None:
    """Twelve repositories: private, archived, empty, renamed and forked ones, read by whom they should be."""
    by_name = {r.full_name: r for r in world.repositories.values()}
    assert len(by_name) == 12
    assert by_name["alice/tide-tables"].archived and not by_name["alice/seedling"].commits
    assert world.repository("Alice", "beacon") is by_name["alice/lighthouse"]
    assert by_name["alice/heron"].parent_id == by_name["carol/heron"].id
    assert {r.full_name for r in world.readable_by("mallory")} == {
        n for n, r in by_name.items() if not r.private
    }
    assert not world.may_read("bob", by_name["fernhill/harbor"])
    assert world.permission("alice", by_name["bob/otter-cli"]) == "push"
    assert world.permission("alice", by_name["carol/heron"]) == "pull"
    assert world.people["zoe-l"].name == "Zoë Łukasiewicz"


def test_commits_are_those_of_git(world: World) -> None:
    """The world's commits, branches and tags are exactly what git holds, with nothing in the future."""
    for repository in world.repositories.values():
        assert set(repository.commits) == commits_in(repository.git_dir, "--all"), repository.full_name
        refs = run_git("--git-dir", repository.git_dir, "show-ref").stdout.splitlines()
        known = {ref: sha for sha, ref in (line.split() for line in refs)}
        heads = {f"refs/heads/{name}": sha for name, sha in repository.branches.items()}
        tags = {f"refs/tags/{tag.name}": tag.sha for tag in repository.tags.values()}
        hidden = {ref: sha for ref, sha in known.items() if ref.startswith("refs/pull/")}
        assert known == heads | tags | hidden
        assert all(commit.committer.at <= NOW for commit in repository.commits.values())
        assert run_git("--git-dir", repository.git_dir, "fsck").returncode == 0


def test_commit_fields_agree_with_git(world: World) -> None:
    """Authors, both dates with their offsets, parents, trees and messages are as the world has them."""
    repository = world.repositories[70_002]
    form = "%H%x00%T%x00%P%x00%an <%ae> %ad%x00%cn <%ce> %cd%x00%B%x01"
    said = run_git("--git-dir", repository.git_dir, "log", "--all", "--date=raw", f"--format={form}").stdout
    for record in filter(None, (part.strip("\n") for part in said.split("\x01"))):
        sha, tree, parents, author, committer, message = record.split("\x00")
        commit = repository.commits[sha]
        assert (tree, tuple(parents.split())) == (commit.tree_sha, commit.parents)
        for line, signed in ((author, commit.author), (committer, commit.committer)):
            sign, minutes = "-" if signed.offset_min < 0 else "+", abs(signed.offset_min)
            zone = f"{sign}{minutes // 60:02}{minutes % 60:02}"
            assert line == f"{signed.name} <{signed.email}> {signed.at} {zone}"
        assert message.strip() == commit.message


def test_line_counts_of_commits(world: World) -> None:
    """Additions, deletions and changed files of every commit equal git's count against its first parent."""
    for number in (70_002, 70_011):
        repository = world.repositories[number]
        options = ("--all", "--diff-merges=first-parent", "--no-renames", "--numstat", "--format=%H")
        counted: dict[str, list[int]] = {}
        for line in run_git("--git-dir", repository.git_dir, "log", *options).stdout.splitlines():
            fields = line.split("\t")
            if len(fields) == 1 and line:
                sums = counted.setdefault(line, [0, 0, 0])
            elif line:
                sums[:] = [sums[0] + int(fields[0]), sums[1] + int(fields[1]), sums[2] + 1]
        commits = repository.commits.values()
        assert counted == {c.sha: [c.additions, c.deletions, c.changed_files] for c in commits}


def test_pull_requests_are_in_git(world: World) -> None:
    """Heads, bases and merges of pull requests exist in git; their sizes are those of the real diff."""
    assert len(pulls(world)) >= 300
    for repository, pull in pulls(world)[::7]:
        head = run_git("--git-dir", repository.git_dir, "rev-parse", f"refs/pull/{pull.number}/head").stdout
        assert head.strip() == pull.head_sha
        sizes = numstat(repository.git_dir, f"{pull.base_sha}...{pull.head_sha}")
        assert sizes == (pull.additions, pull.deletions, pull.changed_files)
        assert (pull.merge_sha is None) == (pull.merged_at is None)
        if pull.merge_sha:
            main = repository.branches[repository.default_branch]
            ancestry = ("merge-base", "--is-ancestor", pull.merge_sha, main)
            assert run_git("--git-dir", repository.git_dir, *ancestry).returncode == 0


def test_pull_requests_have_lives(world: World) -> None:
    """Drafts, rounds of review, team requests, reopenings: every kind of event and review occurs in order."""
    kinds, states, teams = Counter[str](), Counter[str](), 0
    for _, pull in pulls(world):
        times = [event.at for event in pull.events]
        assert times == sorted(times) and pull.created_at <= pull.updated_at <= NOW
        kinds.update(event.kind for event in pull.events)
        states.update(review.state for review in pull.reviews)
        teams += bool(pull.requested_teams)
    wanted = "review_requested ready_for_review converted_to_draft merged closed reopened labeled"
    assert set(wanted.split()) <= set(kinds)
    assert set(states) == {"APPROVED", "CHANGES_REQUESTED", "COMMENTED"} and teams
    assert len({review.id for _, pull in pulls(world) for review in pull.reviews}) == sum(states.values())


def test_alice_has_something_in_every_section(world: World) -> None:
    """Alice finds reviews to give, work returned, ready, waiting, and drafts."""
    found = Counter[str]()
    for _, pull in pulls(world):
        if pull.state != "open":
            continue
        last = pull.reviews[-1].state if pull.reviews else "none"
        mine = "mine " if pull.author == "alice" else "theirs "
        asked = "alice" in pull.requested_reviewers or bool(pull.requested_teams)
        found[mine + ("draft" if pull.draft else last)] += 1
        found["asked of alice"] += pull.author != "alice" and asked
    assert found["asked of alice"] >= 4
    for section in ("mine draft", "mine CHANGES_REQUESTED", "mine APPROVED", "mine none"):
        assert found[section], section


def test_rhythm_of_work(world: World) -> None:
    """Weekends are calmer, people keep their own offsets through summer and winter, alice has a streak."""
    weekdays, offsets, streak = Counter[int](), set(), set()
    for repository in world.repositories.values():
        for commit in repository.commits.values():
            person = world.person_by_email(commit.author.email)
            if person is None or person.kind == "Bot":
                continue
            offsets.add((person.login, commit.author.offset_min))
            weekdays[datetime.fromtimestamp(commit.author.at, UTC).weekday()] += 1
            if person.login == "alice":
                streak.add((NOW + 2 * 3_600) // DAY - (commit.author.at + 2 * 3_600) // DAY)
    assert max(weekdays[5], weekdays[6]) * 2 < min(weekdays[day] for day in range(5))
    assert {("alice", 60), ("alice", 120), ("bob", -300), ("bob", -240), ("carol", 330)} <= offsets
    assert len(list(takewhile(lambda pair: pair[0] == pair[1], enumerate(sorted(streak))))) >= 10


def test_attribution_by_address(world: World) -> None:
    """Verified and noreply addresses name their person; alice's unverified one names nobody."""
    people = world.people
    assert world.person_by_email("Alice.Moreau@home.example") is people["alice"]
    assert world.person_by_email("1001+alice@users.noreply.github.com") is people["alice"]
    assert world.person_by_email("amoreau@old-college.example") is None
    used = {commit.author.email for r in world.repositories.values() for commit in r.commits.values()}
    assert {email.address for email in people["alice"].emails} <= used


def test_old_branches_are_merged_late(world: World) -> None:
    """Some merges bring commits that are months older than what was merged before them."""
    repository = world.repositories[70_001]
    late = 0
    for _, pull in pulls(world):
        commit = repository.commits.get(pull.merge_sha or "")
        if commit and len(commit.parents) == 2:
            branch, trunk = repository.commits[commit.parents[1]], repository.commits[commit.parents[0]]
            late += trunk.committer.at - branch.committer.at > 60 * DAY
    assert late >= 2


def test_full_size_builds_in_seconds(tmp_path: Path) -> None:
    """The full world has a repository of 20,000 commits on 200 branches, and is there in seconds."""
    # Of the processor, ours and git's: a busy machine is no slower builder.
    before = sum(os.times()[:4])
    world = build(1, NOW, "full", tmp_path)
    took_s = sum(os.times()[:4]) - before
    atlas = world.repositories[70_001]
    assert len(atlas.branches) >= 200
    assert len(commits_in(atlas.git_dir)) >= 20_000
    assert len(pulls(world)) >= 500
    assert took_s < 45, f"{took_s:.1f} s"
