"""The four endpoints of the published integration guide come page after page, and unchanged they are free."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gitrepo import GitRepo
from sandbox_control import Sandbox

from trackeep.github import rest
from trackeep.github.transport import GitHub

pytestmark = pytest.mark.anyio

ATLAS = "fernhill/atlas"
# More than a page holds of everything that a repository has.
MORE = 110

Ask = Callable[..., Awaitable[rest.Page[Any]]]


@dataclass
class Client:
    """alice's way to GitHub, and the validators it keeps."""

    github: GitHub
    validators: dict[str, str] = field(default_factory=dict)

    def asks(self) -> dict[str, Ask]:
        return {
            "/user/repos": lambda at=None, **how: rest.repositories(self.github, at, **how),
            "/commits": lambda at=None, **how: rest.commits(self.github, ATLAS, "", at, **how),
            "/pulls": lambda at=None, **how: rest.pulls(self.github, ATLAS, at, **how),
            "/branches": lambda at=None, **how: rest.branches(self.github, ATLAS, at, **how),
        }

    async def everything(self, ask: Ask) -> list[Any]:
        """Every item of a list, from its first page to its last."""
        page = await ask()
        found = list(page.items)
        while page.next_url:
            page = await ask(page.next_url)
            assert page.items
            found += page.items
        return found


@pytest.fixture(scope="module")
def busy(changing: Sandbox) -> Sandbox:
    """A repository with more than a hundred pull requests and branches."""
    truth = changing.repository(ATLAS)
    for number in range(MORE - len(truth["branches"])):
        changing.change(ATLAS, "push", branch=f"side/{number:03}")
    for number in range(MORE - len(truth["pulls"])):
        changing.change(ATLAS, "open-pull", branch=f"side/{number:03}")
    return changing


@pytest.fixture
async def client(busy: Sandbox) -> AsyncIterator[Client]:
    validators: dict[str, str] = {}
    async with aiohttp.ClientSession() as http:
        github = GitHub(http, busy.addresses, busy.token(), validators=validators)
        yield Client(github, validators)


async def test_lists_are_complete_and_nothing_comes_twice(client: Client, busy: Sandbox) -> None:
    """Every repository, commit, pull request and branch, though no page holds more than a hundred."""
    truth = busy.repository(ATLAS)
    found = {name: await client.everything(ask) for name, ask in client.asks().items()}
    listed = [each.repository.full_name for each in found["/user/repos"]]
    assert len(listed) == len(set(listed)) and {ATLAS, "alice/almanac"} <= set(listed)
    numbers = sorted(each.number for each in found["/pulls"])
    assert numbers == sorted(each["number"] for each in truth["pulls"])
    branches = [(each.name, each.sha) for each in found["/branches"]]
    assert sorted(branches) == sorted((f"refs/heads/{name}", sha) for name, sha in truth["branches"].items())
    reached = GitRepo(Path(truth["git_dir"])).git("rev-list", truth["default_branch"]).split()
    assert sorted(each.sha for each in found["/commits"]) == sorted(reached)
    assert min(len(numbers), len(branches), len(reached)) > rest.PER_PAGE


async def test_unchanged_lists_cost_nothing(client: Client, busy: Sandbox) -> None:
    """Asked again with its validator, each list answers 304, is empty, and leaves the quota as it was."""
    for ask in client.asks().values():
        page = await ask(conditional=True)
        assert page.items and not page.not_modified
        client.validators[page.url] = page.etag
    used = busy.quota("core")["used"]
    for ask in client.asks().values():
        page = await ask(conditional=True)
        assert page.not_modified and page.items == ()
    assert busy.quota("core")["used"] == used
    assert client.github.costs.not_modified == len(client.asks())


async def test_a_change_is_answered_in_full(client: Client, busy: Sandbox) -> None:
    """A new branch with a pull request changes the three lists it is in, and the list of repositories."""
    for ask in client.asks().values():
        page = await ask(conditional=True)
        client.validators[page.url] = page.etag
    opened = busy.change(ATLAS, "open-pull", branch="a-first-branch")
    busy.change(ATLAS, "push")
    fresh = {name: await ask(conditional=True) for name, ask in client.asks().items()}
    assert not any(page.not_modified for page in fresh.values())
    assert opened["number"] in [each.number for each in fresh["/pulls"].items]
    assert "refs/heads/a-first-branch" in [each.name for each in fresh["/branches"].items]
    assert fresh["/user/repos"].items[0].repository.full_name == ATLAS


async def test_a_validator_belongs_to_the_token(client: Client, busy: Sandbox) -> None:
    """What one token was told is unchanged is news to another."""
    page = await rest.pulls(client.github, ATLAS, conditional=True)
    async with aiohttp.ClientSession() as http:
        token = busy.new_token("alice", "repo")
        other = GitHub(http, busy.addresses, token, validators={page.url: page.etag})
        assert not (await rest.pulls(other, ATLAS, conditional=True)).not_modified
