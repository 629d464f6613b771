"""One request to GitHub is done well: asked again, kept from strangers, counted, its errors told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from programs import Program
from sandbox_control import Sandbox

from trackeep.environment import GitHubAddresses
from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubRateLimited,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github.transport import GitHub, fingerprint
from trackeep.model import Budget

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def serve(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> tuple[web.AppRunner, str]:
    """A server of the test's own, for what a truthful GitHub would never do."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}"


def github_at(http: aiohttp.ClientSession, url: str, token: str = "t", **more: object) -> GitHub:
    return GitHub(http, GitHubAddresses(url, f"{url}/api/v3", url), token, **more)  # type: ignore[arg-type]  # options


async def test_it_says_who_asks_and_how(http: aiohttp.ClientSession) -> None:
    """Token, media type, API version and a name of our own go with every request."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({})

    runner, url = await serve(answer)
    await github_at(http, url, "secret").get("/user")
    await runner.cleanup()
    headers = seen[0].headers
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["User-Agent"].startswith("trackeep/")


async def test_token_never_follows_a_redirect_to_another_host(http: aiohttp.ClientSession) -> None:
    """A redirect, or a next page, to another host is refused and the other host hears nothing."""
    heard: list[str] = []

    async def mallory(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Authorization", ""))
        return web.json_response([])

    trap, elsewhere = await serve(mallory)

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/moved"):
            raise web.HTTPMovedPermanently(f"{elsewhere}/moved")
        return web.json_response([], headers={"Link": f'<{elsewhere}/next>; rel="next"'})

    runner, url = await serve(answer)
    github = github_at(http, url)
    with pytest.raises(GitHubError, match="another host"):
        await github.get("/moved")
    page = await github.get("/list")
    with pytest.raises(GitHubError, match="another host"):
        await github.get(str(page.next_url))
    assert heard == []
    await runner.cleanup()
    await trap.cleanup()


async def test_renames_are_followed_on_the_same_host(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """GitHub's 301 for a renamed repository leads to it."""
    control = Sandbox(sandbox.url)
    renamed = next(each for each in control.repositories() if each["former_names"])
    owner = renamed["full_name"].split("/")[0]
    github = GitHub(http, control.addresses, control.token())
    answer = await github.get(f"/repos/{owner}/{renamed['former_names'][0]}")
    assert renamed["full_name"].encode() in answer.body


async def test_validator_saves_quota(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """An ETag that is kept for this URL makes the answer 304, which is counted as such."""
    control = Sandbox(sandbox.url)
    kept: dict[str, str] = {}
    github = GitHub(http, control.addresses, control.token("carol"), validators=kept)
    first = await github.get("/user/repos", {"per_page": 100}, conditional=True)
    kept[first.url] = first.etag
    second = await github.get("/user/repos", {"per_page": 100}, conditional=True)
    assert second.not_modified
    assert (github.costs.rest_requests, github.costs.not_modified) == (2, 1)


async def test_budgets_are_taken_from_every_answer(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """The caller hears of the bucket after each answer."""
    control, seen = Sandbox(sandbox.url), list[Budget]()
    github = GitHub(http, control.addresses, control.token("carol"), on_budget=seen.append)
    await github.get("/user")
    await github.post_graphql(b'{"query": "{ viewer { login } }"}')
    assert [each.resource for each in seen] == ["core", "graphql"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 401}, GitHubTokenDead),
        ({"kind": "status", "status": 404}, GitHubNoAccess),
        ({"kind": "status", "status": 451}, GitHubNoAccess),
        ({"kind": "status", "status": 403}, GitHubNoAccess),
        ({"kind": "status", "status": 500, "times": 9}, GitHubUnavailable),
        ({"kind": "html", "status": 502, "times": 9}, GitHubUnavailable),
        ({"kind": "cut", "times": 9}, GitHubUnavailable),
        ({"kind": "secondary", "status": 429, "retry_after": 7}, GitHubRateLimited),
        ({"kind": "status", "status": 422}, GitHubError),
    ],
)
async def test_errors_are_told_apart(
    fresh_quiet: Sandbox, http: aiohttp.ClientSession, fault: dict[str, object], error: type[GitHubError]
) -> None:
    """Each answer that is no success becomes the one error that says what to do about it."""
    fresh_quiet.ask("/faults", {"match": "GET /api/v3/rate_limit", "times": 1, **fault})
    github = GitHub(http, fresh_quiet.addresses, fresh_quiet.token("carol"))
    with pytest.raises(error) as raised:
        await github.get("/rate_limit")
    assert type(raised.value) is error
    assert "ghp_" not in str(raised.value)
    fresh_quiet.ask("/faults", method="DELETE")


@pytest.fixture(scope="module")
def fresh_quiet(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One sandbox for all the faults of this file."""
    from programs import start

    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("faulty")))
    yield Sandbox(program.url)
    program.stop()


async def test_a_stumble_is_not_noticed(fresh_quiet: Sandbox, http: aiohttp.ClientSession) -> None:
    """Two failures in a row are asked again, and the answer is whole."""
    fresh_quiet.fault("GET /api/v3/user$", "html", status=503)
    fresh_quiet.fault("GET /api/v3/user$", "cut")
    github = GitHub(http, fresh_quiet.addresses, fresh_quiet.token("carol"))
    assert b'"carol"' in (await github.get("/user")).body
    assert github.costs.rest_requests >= 2


async def test_nothing_goes_out_before_the_allowed_time(
    fresh_quiet: Sandbox, http: aiohttp.ClientSession
) -> None:
    """After a secondary limit neither REST nor GraphQL is asked until its time has come."""
    now = [1_700_000_000.0]
    github = GitHub(http, fresh_quiet.addresses, fresh_quiet.token("bob"), clock=lambda: now[0])
    fresh_quiet.fault("GET /api/v3/user$", "secondary", status=403, retry_after=30)
    with pytest.raises(GitHubRateLimited):
        await github.get("/user")
    mark = fresh_quiet.mark()
    now[0] += 29
    for ask in (github.get("/user"), github.post_graphql(b"{}")):
        with pytest.raises(GitHubRateLimited):
            await ask
    assert fresh_quiet.log(mark) == []
    now[0] += 2
    assert (await github.get("/user")).status == 200


def test_fingerprint_tells_nothing() -> None:
    """The same token has the same short name, and the token cannot be read from it."""
    assert fingerprint("ghp_a") == fingerprint("ghp_a") != fingerprint("ghp_b")
    assert "ghp" not in fingerprint("ghp_a")
