"""Third-party GitHub clients read the sandbox without complaint and see what is true."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import aiohttp
import gidgethub
import gidgethub.aiohttp
import github
import pytest
from github.Repository import Repository
from programs import Program

pytestmark = pytest.mark.anyio

TOKEN = "ghp_sandboxalice000000000000000000000000"
Truth = dict[str, dict[str, Any]]


@pytest.fixture
def truth(sandbox: Program) -> Truth:
    """What really is so, by full name of the repository, as far as alice may see it."""
    with urllib.request.urlopen(f"{sandbox.url}/_sandbox/truth") as answer:
        repositories = json.load(answer)["repositories"]
    return {r["full_name"]: r for r in repositories if "alice" in r["readers"]}


def pygithub(sandbox: Program) -> github.Github:
    return github.Github(
        auth=github.Auth.Token(TOKEN),
        base_url=f"{sandbox.url}/api/v3",
        per_page=100,
        seconds_between_requests=None,
        retry=None,
    )


def numbers(things: list[dict[str, Any]]) -> set[int]:
    return {thing["number"] for thing in things}


def test_pygithub_reads_the_person(sandbox: Program) -> None:
    """User, addresses and organisations arrive as PyGithub's objects."""
    with pygithub(sandbox) as client:
        user = client.get_user()
        assert (user.login, user.name, user.type) == ("alice", "Alice Moreau", "User")
        addresses = {(email.email, email.primary, email.verified) for email in user.get_emails()}
        assert ("alice@fernhill.example", True, True) in addresses and len(addresses) == 4
        assert [organization.login for organization in user.get_orgs()] == ["fernhill"]
        assert client.get_user("zoe-l").name == "Zoë Łukasiewicz"


def test_pygithub_reads_every_repository(sandbox: Program, truth: Truth) -> None:
    """Repositories, branches, tags, languages and counts agree with the truth."""
    with pygithub(sandbox) as client:
        found = {repository.full_name: repository for repository in client.get_user().get_repos()}
        assert set(found) <= set(truth) and "fernhill/harbor" in found
        for name, repository in found.items():
            facts = truth[name]
            assert (repository.private, repository.archived) == (facts["private"], facts["archived"])
            assert {b.name: b.commit.sha for b in repository.get_branches()} == facts["branches"]
            tags = {tag.name: tag.commit.sha for tag in repository.get_tags()}
            assert tags == {name: tag["commit"] for name, tag in facts["tags"].items()}
            # PyGithub adds the address it read to whatever it reads.
            assert facts["languages"].items() <= repository.get_languages().items()
            assert len(list(repository.get_releases())) == len(facts["releases"])


def test_pygithub_reads_pulls_reviews_and_issues(sandbox: Program, truth: Truth) -> None:
    """Every pull request, review and issue of a repository is there exactly once."""
    with pygithub(sandbox) as client:
        repository = client.get_repo("fernhill/harbor")
        facts = truth["fernhill/harbor"]
        pulls = list(repository.get_pulls(state="all"))
        assert len(pulls) == len(facts["pulls"]) and {p.number for p in pulls} == numbers(facts["pulls"])
        issues = [issue for issue in repository.get_issues(state="all") if issue.pull_request is None]
        assert sorted(issue.number for issue in issues) == sorted(numbers(facts["issues"]))
        told = {pull["number"]: pull for pull in facts["pulls"]}
        for pull in pulls[:15]:
            reviews = {(review.id, review.state, review.user.login) for review in pull.get_reviews()}
            assert reviews == {(r["id"], r["state"], r["author"]) for r in told[pull.number]["reviews"]}
            full = repository.get_pull(pull.number)
            assert (
                full.additions == told[pull.number]["additions"] and full.draft == told[pull.number]["draft"]
            )
            assert full.merged == (told[pull.number]["merged_at"] is not None)


def test_pygithub_follows_a_rename(sandbox: Program) -> None:
    """The former name leads to the repository by its id."""
    with pygithub(sandbox) as client:
        repository: Repository = client.get_repo("alice/beacon")
        assert repository.full_name == "alice/lighthouse"
        assert repository.get_commits()[0].commit.author.name


def test_pygithub_raises_its_own_errors(sandbox: Program) -> None:
    """A foreign private repository, a dead token and an empty repository are the errors it knows."""
    with pygithub(sandbox) as client:
        with pytest.raises(github.UnknownObjectException):
            client.get_repo("alice/no-such-thing")
        with pytest.raises(github.GithubException) as empty:
            list(client.get_repo("alice/seedling").get_commits())
        assert empty.value.status == 409
    dead = github.Github(auth=github.Auth.Token("ghp_dead"), base_url=f"{sandbox.url}/api/v3", retry=None)
    with dead, pytest.raises(github.BadCredentialsException):
        dead.get_user().login  # noqa: B018


async def test_gidgethub_reads_pages(sandbox: Program, truth: Truth) -> None:
    """gidgethub follows the Link headers through commits, pull requests and issues and reads the budget."""
    async with aiohttp.ClientSession() as http:
        client = gidgethub.aiohttp.GitHubAPI(
            http, "trackeep-tests", oauth_token=TOKEN, base_url=f"{sandbox.url}/api/v3"
        )
        assert (await client.getitem("/user"))["login"] == "alice"
        address = "/repos/alice/almanac"
        facts = truth["alice/almanac"]
        commits = [commit["sha"] async for commit in client.getiter(f"{address}/commits")]
        assert len(commits) == len(set(commits)) > 30
        assert commits[0] == facts["branches"][facts["default_branch"]]
        pulls = [pull["number"] async for pull in client.getiter(f"{address}/pulls?state=all&per_page=7")]
        assert sorted(pulls) == sorted(numbers(facts["pulls"]))
        issues = [issue["number"] async for issue in client.getiter(f"{address}/issues?state=all&per_page=9")]
        assert sorted(issues) == sorted(numbers(facts["issues"]) | numbers(facts["pulls"]))
        assert client.rate_limit is not None and client.rate_limit.limit == 5000
        with pytest.raises(gidgethub.BadRequest) as missing:
            await client.getitem("/repos/alice/no-such-thing")
        assert missing.value.status_code == 404
