"""GitHub's answers: too slow, cut without a word, refused in part, redirected; and how GitHub is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.github import graphql, rest
from trackeep.github.graphql import WantedPage, WantedPull
from trackeep.github.transport import GitHub
from trackeep.model import Repository
from trackeep.store.schedule import Cursor
from trackeep.store.tables_fetched import pull_request, review_request
from trackeep.store.tables_sync import cursor
from trackeep.sync import plan
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

ATLAS = "fernhill/atlas"
QUERY = "POST /api/graphql"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")


@pytest.fixture
async def asking(github: Sandbox) -> AsyncIterator[GitHub]:
    async with aiohttp.ClientSession() as http:
        yield GitHub(http, github.addresses, github.token())


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), names, clock=github.now)


def pulls_of(github: Sandbox, name: str, count: int) -> list[WantedPull]:
    real = github.repository(name)
    return [WantedPull(real["node_id"], each["number"]) for each in real["pulls"][:count]]


async def test_a_size_is_remembered_and_grows(github: Sandbox, asking: GitHub) -> None:
    """After a 502 half is asked at once, the next time too, until GitHub manages more again."""
    wanted = pulls_of(github, ATLAS, 16)
    questions = []
    github.fault(QUERY, "html", status=502)
    for _ in range(4):
        mark = github.mark()
        assert len(await graphql.pulls_by_number(asking, wanted, teams=True)) == 16
        questions.append(len(github.log(mark)))
    assert questions == [3, 2, 2, 2]
    for _ in range(8):
        await graphql.pulls_by_number(asking, wanted, teams=True)
    mark = github.mark()
    await graphql.pulls_by_number(asking, wanted, teams=True)
    assert len(github.log(mark)) == 1


@pytest.mark.parametrize("fault", [{"kind": "html", "status": 504}, {"kind": "graphql-errors"}])
async def test_the_size_outlives_the_run(db: Database, github: Sandbox, fault: dict[str, Any]) -> None:
    """It is kept per query and repository with the account's cursors."""
    await sync(db, github, ATLAS)
    github.change(ATLAS, "open-pull")
    github.change(ATLAS, "open-pull")
    github.ask("/faults", {"match": QUERY, **fault})
    assert (await sync(db, github, ATLAS)).error is None
    async with db.read() as conn:
        kept = (await conn.execute(select(cursor.c.position).where(cursor.c.stream == "sizes"))).scalar_one()
    node_id = github.repository(ATLAS)["node_id"]
    assert [limits.keys() for limits in json.loads(kept).values()] == [{node_id}]
    assert await differences(db, github, [ATLAS]) == {}


@pytest.mark.parametrize("most_nodes", [3, 40])
async def test_answers_cut_without_a_word_are_noticed(db: Database, github: Sandbox, most_nodes: int) -> None:
    """GitHub leaves out whatever is too wide, in every answer: with less at once nothing is missing."""
    github.fault(QUERY, "short", times=10_000, most_nodes=most_nodes)
    assert not (await sync(db, github, ATLAS)).failures
    assert await differences(db, github, [ATLAS]) == {}
    github.change(ATLAS, "review")
    await sync(db, github, ATLAS)
    assert await differences(db, github, [ATLAS]) == {}
    github.ask("/faults", method="DELETE")
    whole = await Database.open(db.url.replace("trackeep.db", "whole.db"))
    await sync(whole, github, ATLAS)
    assert await around_pulls(db) == await around_pulls(whole)
    await whole.close()


async def around_pulls(db: Database) -> list[Any]:
    """The labels of every pull request and who is asked for a review."""
    pull, asked = pull_request.c, review_request.c
    async with db.read() as conn:
        labels = await conn.execute(select(pull.number, pull.labels))
        requests = await conn.execute(select(asked.number, asked.reviewer_id, asked.team))
        labelled = [(row.number, sorted(map(str, json.loads(row.labels or "[]")))) for row in labels]
        return [sorted(labelled), sorted(map(str, requests))]


async def test_a_cut_page_is_asked_for_again(github: Sandbox, asking: GitHub) -> None:
    """A page of the list, one by number and one of the heartbeat: each is whole in the end."""
    real = github.repository(ATLAS)
    github.fault(QUERY, "short", most_nodes=5)
    page = (await graphql.pull_pages(asking, [WantedPage(real["node_id"], 20)], teams=True))[0]
    assert (len(page.pulls), page.first, page.total) == (10, 10, len(real["pulls"]))
    github.fault(QUERY, "short", most_nodes=5)
    found = await graphql.pulls_by_number(asking, pulls_of(github, ATLAS, 8), teams=True)
    assert len(found) == 8
    reviews = {each["number"]: len(each["reviews"]) for each in real["pulls"]}
    assert {key.number: len(each.pull.reviews) for key, each in found.items()} == {
        key.number: reviews[key.number] for key in found
    }
    nodes = [each["node_id"] for each in github.repositories()]
    github.fault(QUERY, "short", most_nodes=2)
    assert {key: each.pulls for key, each in (await graphql.pulse(asking, nodes)).items()} == {
        each["node_id"]: len(each["pulls"]) for each in github.repositories()
    }


async def test_a_last_page_that_comes_short_is_no_last_page(github: Sandbox, asking: GitHub) -> None:
    """Without a next page, what must still be there is known from the total and what came before."""
    real = github.repository(ATLAS)
    total = len(real["pulls"])
    first = (await graphql.pull_pages(asking, [WantedPage(real["node_id"], 10)], teams=True))[0]
    github.fault(QUERY, "short", most_nodes=3)
    wanted = WantedPage(real["node_id"], 49, first.after, total - 10)
    page = (await graphql.pull_pages(asking, [wanted], teams=True))[0]
    assert (len(page.pulls), page.first) == (24, 24)


async def test_refusals_by_alias_are_partial_success() -> None:
    """NOT_FOUND and FORBIDDEN take away the repository they are about, and no other."""
    page = {"totalCount": 0, "pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}
    errors = [
        {"type": "NOT_FOUND", "path": ["r0"], "message": "Could not resolve to a node"},
        {"type": "FORBIDDEN", "path": ["r2"], "message": "Resource protected by organization SAML"},
    ]
    data = {"r0": None, "r1": {"id": "R1", "pullRequests": page}, "r2": None}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"data": data, "errors": errors})

    async with served(answer) as asking:
        wanted = [WantedPage(f"R{n}", 5) for n in range(3)]
        pages = await graphql.pull_pages(asking, wanted, teams=True)
    assert [each.node_id for each in pages] == ["R1"]


async def test_since_is_never_before_github(github: Sandbox, asking: GitHub) -> None:
    """`since=1970-01-01` is answered by an empty list; what is asked from the start comes nevertheless."""
    mark = github.mark()
    everything = await rest.changed_issues(asking, 0)
    assert everything.items
    assert "since=2008-01-01T00:00:00Z" in github.log(mark)[0]["query"]


async def test_since_is_inclusive(github: Sandbox, asking: GitHub) -> None:
    """What changed in the very second of the cursor is listed again, so that its neighbours are not lost."""
    newest = max((await rest.changed_issues(asking, 0)).items, key=lambda each: each.updated_at)
    again = await rest.changed_issues(asking, newest.updated_at)
    assert newest.number in [each.number for each in again.items]


async def test_every_request_says_who_asks(db: Database, github: Sandbox) -> None:
    """Name, media type and version of the API go with all that a sync asks; git names itself too."""
    mark = github.mark()
    await sync(db, github, ATLAS)
    for each in github.log(mark):
        said = each["said"]
        assert "trackeep/" in said["user-agent"]
        if each["resource"] != "git":
            assert said["accept"] == "application/vnd.github+json"
            assert said["x-github-api-version"] == "2022-11-28"


async def test_github_hears_nobody_without_a_name(github: Sandbox) -> None:
    """The local GitHub refuses as the real one does, so that a forgotten User-Agent cannot pass unseen."""
    headers = {"Authorization": f"Bearer {github.token()}"}
    async with aiohttp.ClientSession(skip_auto_headers=["User-Agent"], headers=headers) as http:
        for method, path in (("GET", "/api/v3/user"), ("POST", "/api/graphql")):
            async with http.request(method, github.url + path, data=b"{}") as answer:
                assert answer.status == 403


async def test_the_next_page_is_the_one_that_is_given() -> None:
    """Whatever address GitHub writes into `Link` is asked, to the letter, with nothing added."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        following = f"{request.url.origin()}/api/v3/repositories/7/branches?after=a%3D%3D&x=1"
        headers = {"Link": f'<{following}>; rel="next"'} if len(asked) == 1 else {}
        return web.json_response([], headers=headers)

    async with served(answer) as asking:
        page = await rest.branches(asking, "alice/almanac")
        await rest.branches(asking, "alice/almanac", page.next_url)
    assert asked[1] == "/api/v3/repositories/7/branches?after=a%3D%3D&x=1"


async def test_words_of_a_refusal_give_nothing_away() -> None:
    """A proxy that sends the request back puts neither the token nor control characters into our errors."""

    async def answer(request: web.Request) -> web.Response:
        said = request.headers["Authorization"] + "\x1b[31m\nand more" + "x" * 500
        return web.json_response({"message": said}, status=404)

    async with served(answer, token="ghp_secretsecretsecretsecret") as asking:
        with pytest.raises(Exception, match=r"\[token\]") as raised:
            await asking.get("/user")
    text = str(raised.value)
    assert "ghp_" not in text and "\x1b" not in text and "\n" not in text and len(text) < 300


class served:
    """A client of a server of the test's own, for what a truthful GitHub would never do."""

    def __init__(self, handle: Any, token: str = "t") -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handle)
        self._runner = web.AppRunner(app)
        self._token = token

    async def __aenter__(self) -> GitHub:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._http = aiohttp.ClientSession()
        return GitHub(self._http, GitHubAddresses(url, f"{url}/api/v3", url), self._token)

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()


def test_a_page_knows_what_must_be_left() -> None:
    """Of a hundred pull requests forty came: sixty must follow; of more than a hundred nobody can say."""
    repository = Repository(7, "R", "alice", "almanac")
    for came, left in ((40, 60), (100, 0), (130, 0)):
        at = Cursor({"total": 100, "read": came, "after": "x"}, items=came)
        assert plan.next_page(repository, at).left == left
