"""Each question to GitHub's REST and GraphQL APIs gets the answer the sandbox knows to be true."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from programs import Program
from sandbox.real_schema import validate
from sandbox_control import Sandbox

from trackeep.github import graphql, rest
from trackeep.github.graphql import DETAIL_PAGE, LIST_PAGE, WantedCommit, WantedPage, WantedPull
from trackeep.github.transport import GitHub

pytestmark = pytest.mark.anyio


@pytest.fixture
def control(sandbox: Program) -> Sandbox:
    return Sandbox(sandbox.url)


@pytest.fixture
async def github(control: Sandbox) -> AsyncIterator[GitHub]:
    async with aiohttp.ClientSession() as http:
        yield GitHub(http, control.addresses, control.token())


async def test_viewer_is_the_owner_of_the_token(github: GitHub, control: Sandbox) -> None:
    """Number, login, every address with its state, and the token's scopes."""
    viewer = await rest.viewer(github)
    alice = next(each for each in control.ask("/people") if each["login"] == "alice")
    assert (viewer.person.id, viewer.person.login, viewer.person.name) == (1001, "alice", alice["name"])
    assert {(each.address, each.verified) for each in viewer.emails} == {
        (each["address"], each["verified"]) for each in alice["emails"]
    }
    assert viewer.scopes is not None and "repo" in viewer.scopes


async def test_viewer_without_mail_scope(control: Sandbox) -> None:
    """A token that may not read addresses still says whose it is."""
    async with aiohttp.ClientSession() as http:
        token = control.new_token("bob", "repo")
        viewer = await rest.viewer(GitHub(http, control.addresses, token))
    assert (viewer.person.login, viewer.emails, viewer.scopes) == ("bob", (), ("repo",))


@pytest.mark.parametrize("teams", [True, False])
def test_assembled_queries_are_valid(teams: bool) -> None:
    """GitHub's published schema accepts the queries that are put together at run time."""
    pages = [WantedPage("a", 40), WantedPage("b", 9, "cursor")]
    pulls = [WantedPull("a", 1), WantedPull("b", 2), WantedPull("a", 3)]
    for text, _ in (graphql.pages_query(pages, teams=teams), graphql.numbers_query(pulls, teams=teams)):
        assert validate(text) == []
        assert ("Team" in text) == teams


async def test_prices(github: GitHub, control: Sandbox) -> None:
    """A full page of the list, a full set of details and a pulse each cost one point."""
    node_id = str(control.repository("fernhill/atlas")["node_id"])
    numbers = [each["number"] for each in control.repository("fernhill/atlas")["pulls"]]
    await graphql.pull_pages(github, [WantedPage(node_id, LIST_PAGE)], teams=True)
    assert github.costs.graphql_points == 1
    await graphql.pulls_by_number(github, [WantedPull(node_id, n) for n in numbers[:DETAIL_PAGE]], teams=True)
    assert github.costs.graphql_points == 2
    await graphql.pulse(github, [node_id])
    assert github.costs.graphql_points == 3


async def test_who_signed(github: GitHub, control: Sandbox) -> None:
    """Author and committer as accounts; a commit GitHub does not know, or cannot show, is missing."""
    atlas = control.repository("fernhill/atlas")
    made = control.ask("/people")
    tip = WantedCommit(atlas["node_id"], atlas["branches"][atlas["default_branch"]])
    unknown = WantedCommit(atlas["node_id"], "0" * 40)
    elsewhere = WantedCommit("R_kwDOAAAAAAAAAAAA", tip.sha)
    found = await graphql.signers(github, [tip, unknown, elsewhere])
    assert set(found) == {tip}
    signed = [each for each in (found[tip].author, found[tip].committer) if each]
    assert signed and {(each.id, each.login) for each in signed} <= {(p["id"], p["login"]) for p in made}


async def test_team_names_need_a_scope(control: Sandbox) -> None:
    """Without read:org the query leaves teams out and still succeeds."""
    async with aiohttp.ClientSession() as http:
        github = GitHub(http, control.addresses, control.new_token("alice", "repo"))
        node_id = str(control.repository("fernhill/atlas")["node_id"])
        page = (await graphql.pull_pages(github, [WantedPage(node_id, LIST_PAGE)], teams=False))[0]
    assert len(page.pulls) == LIST_PAGE


async def test_unknown_numbers_are_partial_success(github: GitHub, control: Sandbox) -> None:
    """A pull request or repository that is gone is missing from the answer; the others are there."""
    atlas = control.repository("fernhill/atlas")
    known = WantedPull(atlas["node_id"], atlas["pulls"][0]["number"])
    found = await graphql.pulls_by_number(github, [known, WantedPull(atlas["node_id"], 99_999)], teams=True)
    assert set(found) == {known}
    pages = await graphql.pull_pages(
        github, [WantedPage("R_kwDOAAAAAAAAAAAA", 5), WantedPage(atlas["node_id"], 5)], teams=True
    )
    assert [each.node_id for each in pages] == [atlas["node_id"]]


@pytest.mark.parametrize("fault", [{"kind": "html", "status": 502}, {"kind": "graphql-errors"}])
async def test_a_page_that_takes_too_long_is_halved(fresh_sandbox: Program, fault: dict[str, object]) -> None:
    """502, 504 and an error without a type: the same repository is asked for half as much."""
    control = Sandbox(fresh_sandbox.url)
    control.ask("/faults", {"match": "POST /api/graphql", "times": 2, **fault})
    node_id = str(control.repository("fernhill/atlas")["node_id"])
    async with aiohttp.ClientSession() as http:
        github = GitHub(http, control.addresses, control.token())
        page = (await graphql.pull_pages(github, [WantedPage(node_id, 48)], teams=True))[0]
    assert (page.first, len(page.pulls), page.after is not None) == (12, 12, True)
