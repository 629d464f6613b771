"""Failures on demand: each kind happens as asked, as often as asked, and then no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from programs import Program, start

pytestmark = pytest.mark.anyio

ALICE = {"Authorization": "Bearer ghp_sandboxalice000000000000000000000000"}


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sandbox for this file, to be broken."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("faults")))
    yield program
    program.stop()


@pytest.fixture
async def http(github: Program) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{github.url}/", headers=ALICE) as session:
        yield session
        async with session.delete("_sandbox/faults") as answer:
            assert answer.status == 200


async def broken(http: aiohttp.ClientSession, kind: str, **more: Any) -> int:
    """Asks for a fault on /user and returns the control API's status."""
    asked = {"match": "GET /api/v3/user$", "kind": kind, **more}
    async with http.post("_sandbox/faults", json=asked) as answer:
        return answer.status


async def get(http: aiohttp.ClientSession, path: str = "api/v3/user") -> tuple[aiohttp.ClientResponse, str]:
    async with http.get(path) as answer:
        return answer, await answer.text()


async def test_it_strikes_as_often_as_asked(http: aiohttp.ClientSession) -> None:
    """Two times means two; other addresses are spared; the counter tells."""
    await broken(http, "json", times=2)
    assert (await get(http, "api/v3/user/emails"))[0].status == 200
    assert [(await get(http))[0].status for _ in range(3)] == [502, 502, 200]
    async with http.get("_sandbox/faults") as answer:
        assert [fault["used"] for fault in await answer.json()] == [2]


async def test_server_errors_as_json_and_as_html(http: aiohttp.ClientSession) -> None:
    """A 5xx may be a JSON body or GitHub's HTML page, with the status asked for."""
    await broken(http, "json", status=503)
    answer, _ = await get(http)
    assert (answer.status, answer.content_type) == (503, "application/json")
    await broken(http, "html")
    answer, text = await get(http)
    assert (answer.status, answer.content_type) == (502, "text/html") and "Unicorn" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "Bad credentials"),
        (404, "Not Found"),
        (410, "Issues are disabled"),
        (451, '"reason": "dmca"'),
    ],
)
async def test_refusals_in_githubs_words(http: aiohttp.ClientSession, status: int, words: str) -> None:
    """Any refusal can be provoked with the body GitHub gives it."""
    await broken(http, "status", status=status)
    answer, text = await get(http)
    assert answer.status == status and words in text and "documentation_url" in text


@pytest.mark.parametrize(("status", "retry_after"), [(403, 3), (403, None), (429, 7), (429, None)])
async def test_secondary_limits(http: aiohttp.ClientSession, status: int, retry_after: int | None) -> None:
    """403 or 429, with and without Retry-After, in GitHub's words."""
    await broken(http, "secondary", status=status, retry_after=retry_after)
    answer, text = await get(http)
    expected = None if retry_after is None else str(retry_after)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, expected)
    assert "You have exceeded a secondary rate limit" in text


async def test_a_cut_body(http: aiohttp.ClientSession) -> None:
    """The answer announces more than it sends, and the connection ends."""
    await broken(http, "cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(http)
    assert (await get(http))[0].status == 200


async def test_a_slow_page(http: aiohttp.ClientSession) -> None:
    """The right answer comes, but late."""
    await broken(http, "slow", delay_s=0.4)
    begun = time.monotonic()
    answer, text = await get(http)
    assert time.monotonic() - begun >= 0.4
    assert answer.status == 200 and '"login":"alice"' in text


async def test_a_time_out(http: aiohttp.ClientSession) -> None:
    """Silence until the client gives up, or a 504 page when the time asked for is over."""
    await broken(http, "timeout")
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.3):
            await get(http)
    await broken(http, "timeout", delay_s=0.1)
    assert (await get(http))[0].status == 504


async def test_graphql_errors_inside_a_200(http: aiohttp.ClientSession) -> None:
    """A 200 whose body says that the query failed, with the type asked for."""
    asked = {"match": "POST /api/graphql", "kind": "graphql-errors", "error_type": "RATE_LIMITED"}
    async with http.post("_sandbox/faults", json=asked) as answer:
        assert answer.status == 200
    async with http.post("api/graphql", json={"query": "{ viewer { login } }"}) as answer:
        body = await answer.json()
    assert answer.status == 200 and body["data"] is None
    assert body["errors"][0]["type"] == "RATE_LIMITED"


async def test_nonsense_is_refused(http: aiohttp.ClientSession) -> None:
    """An unknown kind, field or pattern is an error of the control API."""
    assert await broken(http, "explode") == 422
    assert await broken(http, "json", colour="red") == 422
    assert await broken(http, "json", match="(") == 422
