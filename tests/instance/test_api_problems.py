"""Whatever goes wrong below /api/v1 is a problem document that tells the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from small_world import enter
from sqlalchemy import text

from trackeep.instance.api.problem_types import TYPES

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with small_api(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture(scope="module")
async def alice(api: Api) -> str:
    return await api.token()


@pytest.mark.parametrize(
    ("method", "path", "status", "problem"),
    [
        ("GET", "", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/a%0Ab", 404, "not_found"),
        ("GET", "/repos/fern%0Ahill/atlas", 422, "invalid"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/repos/", 404, "not_found"),
        ("GET", "/repos/fernhill/nothing", 404, "not_found"),
        ("GET", "/repos/bob/secret-plan", 404, "not_found"),
        ("GET", "/repos/bob/secret-plan/commits", 404, "not_found"),
        ("GET", "/repos/bob/secret-plan/pulls", 404, "not_found"),
        ("GET", "/repos/bob/secret-plan/branches", 404, "not_found"),
        ("DELETE", "/repos/bob/secret-plan", 404, "not_found"),
        ("PUT", "/repos", 405, "method_not_allowed"),
        ("OPTIONS", "/me", 405, "method_not_allowed"),
        ("GET", "/commits?limit=0", 422, "invalid"),
        ("GET", "/commits?limit=501", 422, "invalid"),
        ("GET", "/commits?limit=9999999999999999999999", 422, "invalid"),
        ("GET", "/commits?sinse=2026-11-01", 422, "invalid"),
        ("GET", "/commits?since=0001-01-01", 422, "invalid"),
        ("GET", "/commits?until=9999-12-31", 422, "invalid"),
        ("GET", "/commits?since=2026-02-30", 422, "invalid"),
        ("GET", "/commits?repository=atlas", 422, "invalid"),
        ("GET", "/pulls?state=lost", 422, "invalid"),
        ("GET", "/search", 422, "invalid"),
        ("GET", "/search?q=", 422, "invalid"),
        ("GET", "/stats/summary?period=1d", 422, "invalid"),
        ("GET", "/stats/calendar?year=99999", 422, "invalid"),
        ("GET", "/repos/fern hill/atlas", 422, "invalid"),
        ("GET", "/commits?q=%00", 400, "bad_request"),
        ("GET", "/repos/%00/atlas", 400, "bad_request"),
        ("GET", "/commits?cursor=x", 400, "bad_request"),
    ],
)
async def test_each_has_its_type_and_status(
    api: Api, alice: str, method: str, path: str, status: int, problem: str
) -> None:
    """The true status, a type that the documentation explains, and nothing to keep."""
    reply = await api.ask(method, path, alice)
    assert (reply.status, reply.problem) == (status, problem)
    assert problem in TYPES
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_wrong_method_is_told_the_right_ones(api: Api, alice: str) -> None:
    """Of all routes at the address, HEAD with GET."""
    assert (await api.ask("PUT", "/repos", alice)).headers["Allow"] == "GET, HEAD, POST"
    assert (await api.ask("POST", "/repos/a/b", alice)).headers["Allow"] == "DELETE, GET, HEAD"


async def test_every_mistake_is_named_and_never_repeated(api: Api, alice: str) -> None:
    """Which parameter and why; not what was sent, which may be a secret in a wrong place."""
    reply = await api.ask("GET", "/commits?limit=tk_mysecret&year=1", alice)
    assert [one["where"] for one in reply.json["errors"]] == ["query.limit", "query.year"]
    assert "mysecret" not in reply.text


@pytest.mark.parametrize(
    "body", [None, {}, [], "x", 1, {"repository": "atlas"}, {"repository": None}, {"repository": "a/b\0"}]
)
async def test_a_body_that_is_not_as_described(api: Api, alice: str, body: object) -> None:
    """Whatever it is instead, it is the body that is wrong."""
    reply = await api.ask("POST", "/repos", alice, body=body)
    assert (reply.status, reply.problem) == (422, "invalid")
    assert all(one["where"].startswith("body") for one in reply.json["errors"])


async def test_a_body_that_is_no_json(api: Api, alice: str) -> None:
    """Half a text, no text at all, another kind, and more depth than anybody needs."""
    url, sent = f"{api.instance.url}/api/v1/repos", {"Authorization": f"Bearer {alice}"}
    for kind, body in (
        ("application/json", b"{"),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"[" * 60_000),
        ("application/x-www-form-urlencoded", b"repository=alice/heron"),
        ("text/plain", b'{"repository": "alice/heron"}'),
    ):
        async with api.http.post(url, data=body, headers={**sent, "Content-Type": kind}) as reply:
            assert reply.status in (400, 422), (kind, body[:20])
            assert reply.headers["Content-Type"] == "application/problem+json"


async def test_a_body_without_end_is_refused(api: Api, alice: str) -> None:
    """Too long, whether it says so or not, and nothing was done; the answer is as all others."""
    url, sent = f"{api.instance.url}/api/v1/repos", {"Authorization": f"Bearer {alice}"}

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    for path, data in (("", b" " * 70_000), ("", drip()), ("/fernhill/atlas/sync", b" " * 70_000)):
        kind = {**sent, "Content-Type": "application/json"}
        async with api.http.post(url + path, data=data, headers=kind) as reply:
            assert reply.status == 413
            assert (await reply.json(content_type=None))["type"].endswith("#too_large")
    assert (await api.get("/sync", alice))["due_at"] is None


async def test_our_own_fault_says_nothing_of_itself(tmp_path: Path) -> None:
    """Without a table the answer has the request id, and not a word about where the database is."""
    async with small_api(tmp_path) as broken:
        alice = await broken.token()
        async with broken.instance.site.db.write() as conn:
            await conn.execute(text("drop table pull_request"))
        reply = await broken.ask("GET", "/pulls", alice)
        assert (reply.status, reply.problem) in ((500, "error"), (503, "unavailable"))
        assert "pull_request" not in reply.text and "sqlite" not in reply.text


async def test_a_session_asks_too(api: Api) -> None:
    """A browser that is signed in needs no token, for reading and from its own pages for more."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        me = await browser.open("/api/v1/me", accept="application/json")
        assert me.status == 200 and '"kind":"session"' in me.text
        sync = await browser.send("/api/v1/repos/fernhill/atlas/sync", {})
        assert sync.status == 202


async def test_types_lead_to_their_explanation(tmp_path: Path) -> None:
    """Below a path, too, the type of a problem is an address of the documentation page."""
    async with small_api(tmp_path, path="/t") as below, Guest(below.instance.url, "") as browser:
        await enter(below.instance, browser)
        reply = await below.ask("GET", "/nothing", await below.token())
        assert reply.json["type"] == f"{below.instance.url}/api/docs#not_found"
        page = await browser.open("/api/docs")
        for code in TYPES:
            assert f'<tr id="{code}">' in page.text
