"""What GraphQL answers, compared with what really is so in the sandbox."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from programs import Program
from sandbox.graphql_client import Client, token_of
from sandbox.real_schema import validate

pytestmark = pytest.mark.anyio

PULLS = """query($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    databaseId isPrivate isFork isArchived isEmpty pushedAt updatedAt
    pullRequests(first: 49, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes {
        number title state isDraft createdAt updatedAt mergedAt closedAt additions deletions changedFiles
        fullDatabaseId headRefOid author { login __typename }
        labels(first: 20) { nodes { name } }
        reviews(first: 100) { nodes { fullDatabaseId state submittedAt author { login } } }
        reviewRequests(first: 20) { nodes { requestedReviewer { __typename ... on User { login } } } }
      }
    }
  }
}"""
HISTORY = """query($id: ID!, $after: String) { node(id: $id) { ... on Repository { defaultBranchRef { target {
  ... on Commit { history(first: 100, after: $after) { totalCount pageInfo { hasNextPage endCursor }
  nodes { oid message authoredDate additions deletions parents(first: 3) { nodes { oid } }
  author { name email date user { login } } } } } } } } } }"""


@pytest.fixture
async def alice(sandbox: Program) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(http, sandbox.url)


async def pages(alice: Client, query: str, path: tuple[str, ...], **variables: Any) -> list[dict[str, Any]]:
    """All nodes of a connection; the total GitHub states must be what came."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page: Any = (await alice.ask(query, after=after, **variables)).data
        for name in path:
            page = page[name]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        after = page["pageInfo"]["endCursor"]


def moment(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def readable(alice: Client) -> list[dict[str, Any]]:
    repositories = (await alice.control("truth"))["repositories"]
    return [r for r in repositories if "alice" in r["readers"]]


async def test_pull_requests_and_reviews_are_the_sandbox_own(alice: Client) -> None:
    """Paged through, every repository gives exactly its pull requests and their reviews, newest first."""
    assert validate(PULLS) == []
    for repository in await readable(alice):
        owner, name = repository["full_name"].split("/")
        found = await pages(alice, PULLS, ("repository", "pullRequests"), owner=owner, name=name)
        assert sorted(map(shown_pull, found)) == sorted(map(true_pull, repository["pulls"]))
        assert [p["updatedAt"] for p in found] == sorted((p["updatedAt"] for p in found), reverse=True)


def shown_pull(pull: dict[str, Any]) -> list[Any]:
    reviews = [
        [int(r["fullDatabaseId"]), r["state"], r["submittedAt"], r["author"]["login"]]
        for r in pull["reviews"]["nodes"]
    ]
    asked = [r["requestedReviewer"] for r in pull["reviewRequests"]["nodes"]]
    return [
        pull["number"],
        pull["title"],
        pull["state"],
        pull["isDraft"],
        pull["createdAt"],
        pull["updatedAt"],
        str(pull["mergedAt"]),
        pull["additions"],
        pull["headRefOid"],
        pull["author"]["login"],
        sorted(label["name"] for label in pull["labels"]["nodes"]),
        sorted(reviews),
        sorted(r["login"] for r in asked if r["__typename"] == "User"),
        sum(r["__typename"] == "Team" for r in asked),
    ]


def true_pull(pull: dict[str, Any]) -> list[Any]:
    return [
        pull["number"],
        pull["title"],
        "MERGED" if pull["merged_at"] else pull["state"].upper(),
        pull["draft"],
        moment(pull["created_at"]),
        moment(pull["updated_at"]),
        str(moment(pull["merged_at"])),
        pull["additions"],
        pull["head_sha"],
        pull["author"],
        sorted(pull["labels"]),
        sorted([r["id"], r["state"], moment(r["submitted_at"]), r["author"]] for r in pull["reviews"]),
        sorted(pull["requested_reviewers"]),
        len(pull["requested_teams"]),
    ]


async def test_history_is_what_git_says(alice: Client) -> None:
    """The default branch's commits, parents, authors, offsets and line counts are those of `git log`."""
    assert validate(HISTORY) == []
    repository = next(r for r in await readable(alice) if r["full_name"] == "alice/almanac")
    path = ("node", "defaultBranchRef", "target", "history")
    found = await pages(alice, HISTORY, path, id=repository["node_id"])
    log = ["log", "--format=%H|%P|%an|%ae|%aI", repository["default_branch"]]
    lines = git(repository["git_dir"], *log).splitlines()
    shown = [
        "|".join(
            [
                c["oid"],
                " ".join(p["oid"] for p in c["parents"]["nodes"]),
                c["author"]["name"],
                c["author"]["email"],
                c["author"]["date"],
            ]
        )
        for c in found
    ]
    assert sorted(shown) == sorted(line.replace("+00:00", "Z") for line in lines)
    newest = git(repository["git_dir"], "show", "--numstat", "--first-parent", "--format=", found[0]["oid"])
    counts = [line.split("\t")[:2] for line in newest.splitlines() if line]
    assert found[0]["additions"] == sum(int(added) for added, _ in counts)
    assert found[0]["deletions"] == sum(int(deleted) for _, deleted in counts)


def git(folder: str, *args: str) -> str:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", *args], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_commits_of_a_pull_request_are_base_to_head(alice: Client) -> None:
    """`commits` is `git rev-list base..head`, and its total is known without asking for the nodes."""
    repository = next(r for r in await readable(alice) if r["full_name"] == "fernhill/atlas")
    query = """query($id: ID!) { node(id: $id) { ... on PullRequest {
        commits(first: 100) { totalCount nodes { commit { oid } } } } } }"""
    for pull in repository["pulls"][:40]:
        commits = (await alice.ask(query, id=pull["node_id"])).data["node"]["commits"]
        expected = git(repository["git_dir"], "rev-list", f"{pull['base_sha']}..{pull['head_sha']}").split()
        assert {c["commit"]["oid"] for c in commits["nodes"]} == set(expected), pull["number"]
        assert commits["totalCount"] == len(expected), pull["number"]


async def test_branches_and_tags(alice: Client) -> None:
    """Refs carry their names without the prefix; an annotated tag leads to its commit."""
    repository = next(r for r in await readable(alice) if r["tags"])
    query = """query($id: ID!, $prefix: String!) { node(id: $id) { ... on Repository {
        refs(first: 100, refPrefix: $prefix) {
          nodes { name target { oid ... on Tag { target { oid } } } } } } } }"""

    async def named(prefix: str) -> dict[str, Any]:
        found = (await alice.ask(query, id=repository["node_id"], prefix=prefix)).data["node"]["refs"]
        return {ref["name"]: ref["target"] for ref in found["nodes"]}

    branches = await named("refs/heads/")
    assert {name: target["oid"] for name, target in branches.items()} == repository["branches"]
    tags = await named("refs/tags/")
    assert {n: t["target"]["oid"] for n, t in tags.items()} == {
        name: tag["commit"] for name, tag in repository["tags"].items()
    }


async def test_pages_do_not_slip_when_something_moves(fresh_sandbox: Program) -> None:
    """A cursor states a place in the order, so a pull request that jumps to the top repeats no other."""
    query = """query($after: String) { repository(owner: "fernhill", name: "atlas") {
        pullRequests(first: 10, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
          pageInfo { endCursor } nodes { number state } } } }"""
    async with aiohttp.ClientSession() as http:
        alice = Client(http, fresh_sandbox.url)

        async def page(after: str | None) -> Any:
            return (await alice.ask(query, after=after)).data["repository"]["pullRequests"]

        first = await page(None)
        second = await page(first["pageInfo"]["endCursor"])
        moved = next(p for p in first["nodes"] if p["state"] == "OPEN")["number"]
        await alice.control("repos/fernhill/atlas/change", kind="review", number=moved, author="bob")
        assert (await page(first["pageInfo"]["endCursor"]))["nodes"] == second["nodes"]
        assert (await page(None))["nodes"][0]["number"] == moved


async def test_paging_backwards(alice: Client) -> None:
    """`last` and `before` walk the same list from its end."""
    query = """query($last: Int, $first: Int, $before: String) {
        repository(owner: "fernhill", name: "atlas") {
        issues(last: $last, first: $first, before: $before) {
          pageInfo { startCursor hasPreviousPage hasNextPage } nodes { number } } } }"""
    everything = (await alice.ask(query, first=100)).data["repository"]["issues"]["nodes"]
    end = (await alice.ask(query, last=7)).data["repository"]["issues"]
    assert end["nodes"] == everything[-7:]
    assert (end["pageInfo"]["hasPreviousPage"], end["pageInfo"]["hasNextPage"]) == (True, False)
    before = (await alice.ask(query, last=7, before=end["pageInfo"]["startCursor"])).data
    assert before["repository"]["issues"]["nodes"] == everything[-14:-7]
    assert before["repository"]["issues"]["pageInfo"]["hasNextPage"] is True


async def test_a_renamed_repository_is_followed(alice: Client) -> None:
    """The former name leads to the repository unless `followRenames` is false."""
    repository = next(r for r in await readable(alice) if r["former_names"])
    query = """query($owner: String!, $name: String!, $follow: Boolean!) {
        repository(owner: $owner, name: $name, followRenames: $follow) { databaseId nameWithOwner } }"""
    owner = repository["full_name"].split("/")[0]
    asked = {"owner": owner, "name": repository["former_names"][0]}
    found = (await alice.ask(query, **asked, follow=True)).data["repository"]
    assert found == {"databaseId": repository["id"], "nameWithOwner": repository["full_name"]}
    refused = await alice.ask(query, **asked, follow=False)
    assert refused.error_types == ["NOT_FOUND"]


async def test_mallory_sees_no_private_repository(alice: Client) -> None:
    """A stranger gets NOT_FOUND for the repository and its parts by id, and none of it in lists."""
    mallory = alice.with_token(token_of("mallory"))
    private = next(r for r in await readable(alice) if r["private"] and r["pulls"])
    owner, name = private["full_name"].split("/")
    query = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }"
    refused = await mallory.ask(query, owner=owner, name=name)
    assert refused.body["data"] == {"repository": None}
    message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
    assert [e["message"] for e in refused.body["errors"]] == [message]
    ids = [private["node_id"], private["pulls"][0]["node_id"]]
    hidden = await mallory.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert hidden.body["data"] == {"nodes": [None, None]}
    assert [e["path"] for e in hidden.body["errors"]] == [["nodes", 0], ["nodes", 1]]


async def test_search_finds_what_waits_for_a_review(alice: Client) -> None:
    """`review-requested:` and `is:` narrow a search to exactly those pull requests."""
    query = """{ search(type: ISSUE, first: 100, query: "is:pr is:open review-requested:alice") {
        issueCount nodes { ... on PullRequest { number repository { nameWithOwner } } } } }"""
    found = (await alice.ask(query)).data["search"]
    expected = [
        (repository["full_name"], pull["number"])
        for repository in await readable(alice)
        for pull in repository["pulls"]
        if pull["state"] == "open" and "alice" in pull["requested_reviewers"]
    ]
    shown = [(node["repository"]["nameWithOwner"], node["number"]) for node in found["nodes"]]
    assert sorted(shown) == sorted(expected)
    assert found["issueCount"] == len(expected) > 0
