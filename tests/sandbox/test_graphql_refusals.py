"""How GraphQL refuses: GitHub's error types, partial success, scopes, budgets and failures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from programs import Program, start
from sandbox.graphql_client import Client, token_of

pytestmark = pytest.mark.anyio

TEAM = """{ repository(owner: "fernhill", name: "atlas") { pullRequests(first: 1) { nodes {
    reviewRequests(first: 1) { nodes { requestedReviewer { ... on Team { slug } } } } } } } }"""


@pytest.fixture(scope="module")
def github() -> Iterator[Program]:
    """One sandbox for this file; whoever spends a budget to its end does it as somebody else."""
    program = start("sandbox", "serve", "--port", "0")
    yield program
    program.stop()


@pytest.fixture
async def alice(github: Program) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(http, github.url)


def in_atlas(selection: str) -> str:
    return f'{{ repository(owner: "fernhill", name: "atlas") {{ {selection} }} }}'


async def test_wrong_bounds_are_errors_of_the_field(alice: Client) -> None:
    """Without bounds, beyond 100, and a broken cursor: each with GitHub's type, its path, and status 200."""
    cases = {
        "pullRequests { nodes { id } }": "MISSING_PAGINATION_BOUNDARIES",
        "pullRequests(first: 101) { nodes { id } }": "EXCESSIVE_PAGINATION",
        'pullRequests(first: 1, after: "x") { nodes { id } }': "INVALID_CURSOR_ARGUMENTS",
    }
    for selection, expected in cases.items():
        answer = await alice.ask(in_atlas(selection))
        assert (answer.status, answer.error_types) == (200, [expected])
        assert answer.body["errors"][0]["path"] == ["repository", "pullRequests"]
        assert answer.body["data"] == {"repository": None}
    assert (await alice.ask(in_atlas("pullRequests { totalCount }"))).data["repository"]


async def test_unknown_things_are_partial_success(alice: Client) -> None:
    """One alias that does not exist is null with an error of its own; the others keep their data."""
    found = "found: issueOrPullRequest(number: 1) { __typename }"
    answer = await alice.ask(in_atlas(f"{found} gone: issue(number: 99999) {{ id }}"))
    assert answer.status == 200
    assert answer.body["data"]["repository"]["found"]
    assert answer.body["data"]["repository"]["gone"] is None
    [error] = answer.body["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository", "gone"])
    assert error["message"] == "Could not resolve to an Issue with the number of 99999."


async def test_at_most_100_ids(alice: Client) -> None:
    """`nodes` takes 100 ids, not 101."""
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert set((await alice.ask(query, ids=["x"] * 100)).error_types) == {"NOT_FOUND"}
    refused = await alice.ask(query, ids=["x"] * 101)
    assert refused.error_types == ["ARGUMENT_LIMIT"]


async def test_too_many_nodes_are_refused_before_anything_is_read(alice: Client) -> None:
    """100 x 100 x 100 nodes are beyond 500,000."""
    commit = "commit { parents(first: 100) { nodes { oid } } }"
    reviews = f"reviews(first: 100) {{ nodes {{ id {commit} }} }}"
    refused = await alice.ask(in_atlas(f"pullRequests(first: 100) {{ nodes {{ {reviews} }} }}"))
    assert refused.error_types == ["MAX_NODE_LIMIT_EXCEEDED"]
    assert "1,010,100" in refused.body["errors"][0]["message"]
    assert "data" not in refused.body


async def test_a_query_that_is_not_valid(alice: Client) -> None:
    """Unknown fields carry GitHub's code; broken syntax, no query and wrong variables are 200 as well."""
    unknown = await alice.ask("{ viewer { nope } }")
    assert unknown.status == 200
    expected = {"code": "undefinedField", "typeName": "User", "fieldName": "nope"}
    assert unknown.body["errors"][0]["extensions"] == expected
    for body in ({"query": "{ viewer {"}, {}, {"query": "query($n: String!) { user(login: $n) { id } }"}):
        answer = await alice.post(body)
        assert (answer.status, "data" in answer.body, len(answer.body["errors"])) == (200, False, 1)
    assert (await alice.post([])).status == 400


async def test_nobody_may_ask_without_a_token(alice: Client) -> None:
    """401 without a token and with a dead one, as a plain message."""
    for token, message in (
        (None, "This endpoint requires you to be authenticated."),
        ("ghp_unknown", "Bad credentials"),
    ):
        answer = await alice.with_token(token).ask("{ viewer { login } }")
        assert (answer.status, answer.body["message"]) == (401, message)


async def test_teams_need_read_org(alice: Client) -> None:
    """A team's field refuses the whole query unless the token has `read:org`; `__typename` does not."""
    narrow = await alice.with_scopes("repo")
    refused = await narrow.ask(TEAM)
    assert (refused.error_types, "data" in refused.body) == (["INSUFFICIENT_SCOPES"], False)
    assert "['read:org', 'read:discussion']" in refused.body["errors"][0]["message"]
    assert refused.headers["x-oauth-scopes"] == "repo"
    assert (await narrow.ask(TEAM.replace("slug", "__typename"))).data
    wide = await alice.with_scopes("repo", "read:org")
    assert (await wide.ask(TEAM)).data


async def test_private_repositories_need_the_repo_scope(alice: Client) -> None:
    """A token without `repo` sees the public ones only, even of its own person."""
    query = "{ viewer { repositories(first: 100) { nodes { isPrivate } } } }"
    everything = (await alice.ask(query)).data["viewer"]["repositories"]["nodes"]
    assert any(r["isPrivate"] for r in everything)
    narrow = await alice.with_scopes("read:user")
    public = (await narrow.ask(query)).data["viewer"]["repositories"]["nodes"]
    assert public == [r for r in everything if not r["isPrivate"]]


async def test_points_are_charged_and_shown(alice: Client) -> None:
    """Cost, remaining and used agree in the answer, its headers, the request log and the next answer."""
    inner = "labels(first: 1) { nodes { id } } reviews(first: 1) { nodes { id } }"
    atlas = in_atlas(f"pullRequests(first: 100) {{ nodes {{ {inner} }} }}")
    query = f"{atlas[:-1]} rateLimit {{ cost limit remaining used nodeCount resetAt }} }}"
    bob = alice.with_token(token_of("bob"))
    first = await bob.ask(query)
    limit = first.data["rateLimit"]
    assert (limit["cost"], limit["nodeCount"], limit["limit"]) == (2, 300, 5000)
    assert (limit["used"], limit["remaining"]) == (2, 4998)
    shown = {name: first.headers[f"x-ratelimit-{name}"] for name in ("used", "remaining", "resource")}
    assert shown == {"used": "2", "remaining": "4998", "resource": "graphql"}
    assert (await bob.ask(query)).data["rateLimit"]["used"] == 4
    log = [e for e in await alice.control("log") if e["login"] == "bob"]
    assert [(e["resource"], e["cost"]) for e in log] == [("graphql", 2)] * 2


async def test_a_spent_budget(alice: Client) -> None:
    """Nothing remaining: status 200 and RATE_LIMITED; when the window is over it works again."""
    carol = alice.with_token(token_of("carol"))
    await alice.control("quota", login="carol", resource="graphql", limit=10, used=9)
    assert (await carol.ask("{ viewer { login } }")).data
    limited = await carol.ask("{ viewer { login } }")
    assert (limited.status, limited.error_types) == (200, ["RATE_LIMITED"])
    assert limited.headers["x-ratelimit-remaining"] == "0"
    await alice.control("clock", advance_s=3601)
    assert (await carol.ask("{ viewer { login } }")).data


async def test_failures_on_demand(alice: Client) -> None:
    """502 as JSON and as HTML, and errors inside 200, each for as many requests as asked for."""
    await alice.control("faults", match="POST /api/graphql", kind="status", status=502)
    assert (await alice.ask("{ viewer { login } }")).status == 502
    await alice.control("faults", match="POST /api/graphql", kind="graphql-errors", error_type="FORBIDDEN")
    broken = await alice.ask("{ viewer { login } }")
    assert (broken.status, broken.error_types) == (200, ["FORBIDDEN"])
    assert (await alice.ask("{ viewer { login } }")).data
