"""The sandbox's clock, budgets and secondary limits, and GitHub's headers about them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from programs import Program, start

from trackeep.sandbox.quota import Clock, Quota, SecondaryLimits

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sandbox for this file, whose budgets and clock are changed."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("quota")))
    yield program
    program.stop()


@pytest.fixture
async def http(github: Program) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{github.url}/") as session:
        yield session
        for resource in ("points_per_minute", "concurrent"):
            await control(session, "quota", {"login": "alice", "resource": resource})
        await control(session, "latency", {"ms": 0})


async def control(http: aiohttp.ClientSession, what: str, body: dict[str, Any]) -> Any:
    async with http.post(f"_sandbox/{what}", json=body) as answer:
        assert answer.status == 200
        return await answer.json()


async def get(
    http: aiohttp.ClientSession, path: str = "user", login: str | None = "alice", **headers: str
) -> aiohttp.ClientResponse:
    if login is not None:
        headers["Authorization"] = "Bearer " + f"ghp_sandbox{login}".ljust(40, "0")
    async with http.get(f"api/v3/{path}", headers=headers) as answer:
        await answer.read()
        return answer


def remaining(answer: aiohttp.ClientResponse) -> int:
    return int(answer.headers["X-RateLimit-Remaining"])


def test_the_clock_runs_on_after_it_was_moved() -> None:
    """Set, advanced or real: it never stands still and never loses the real time."""
    clock = Clock()
    clock.set(1_000_000)
    clock.advance(500)
    assert 1_000_500 <= clock.now() < 1_000_510
    clock.real()
    assert abs(clock.now() - time.time()) < 1


def test_a_window_starts_with_its_first_request() -> None:
    """Used points come back one hour after the first request, not before."""
    clock = Clock()
    quota = Quota(clock)
    clock.set(1_000_000)
    quota.charge("alice", "core", 3)
    clock.advance(3_000)
    assert quota.look("alice", "core").used == 3
    clock.advance(700)
    assert quota.look("alice", "core").used == 0


def test_secondary_limits_count_points_in_any_minute() -> None:
    """The minute slides: room comes back when the oldest request is sixty seconds old."""
    clock = Clock()
    clock.set(1_000_000)
    limits = SecondaryLimits(clock)
    limits.points_per_minute = 2
    assert limits.enter("alice", 1) is None and limits.enter("alice", 1) is None
    wait_s = limits.enter("alice", 1)
    assert wait_s is not None and limits.enter("bob", 1) is None
    clock.advance(wait_s)
    assert limits.enter("alice", 1) is None


async def test_every_answer_carries_the_budget(http: aiohttp.ClientSession) -> None:
    """Each request costs one, whatever it answers, and all tokens of a person share the budget."""
    first = await get(http)
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Resource"]) == ("5000", "core")
    missing = await get(http, "repos/alice/nothing")
    assert missing.status == 404 and remaining(missing) == remaining(first) - 1
    token = (await control(http, "tokens", {"login": "alice", "scopes": []}))["token"]
    other = await get(http, login=None, Authorization=f"token {token}")
    assert remaining(other) == remaining(first) - 2
    used, limit = other.headers["X-RateLimit-Used"], other.headers["X-RateLimit-Limit"]
    assert int(used) + remaining(other) == int(limit)


async def test_an_unchanged_answer_is_free(http: aiohttp.ClientSession) -> None:
    """If-None-Match with the token's own validator gives 304, no body and no cost."""
    first = await get(http, "user/repos")
    again = await get(http, "user/repos", **{"If-None-Match": first.headers["ETag"]})
    assert again.status == 304 and not again.content_length
    assert remaining(again) == remaining(first) and again.headers["ETag"] == first.headers["ETag"]
    async with http.get("_sandbox/log") as answer:
        last = (await answer.json())[-1]
    assert (last["status"], last["cost"], last["conditional"]) == (304, 0, True)


async def test_a_validator_belongs_to_token_and_url(http: aiohttp.ClientSession) -> None:
    """Another person, another token or another query does not match."""
    first = await get(http, "repos/fernhill/atlas")
    known = {"If-None-Match": first.headers["ETag"]}
    token = (await control(http, "tokens", {"login": "alice", "scopes": ["repo", "user"]}))["token"]
    assert (await get(http, "repos/fernhill/atlas", login="bob", **known)).status == 200
    other = await get(http, "repos/fernhill/atlas", login=None, Authorization=f"token {token}", **known)
    assert other.status == 200
    assert (await get(http, "repos/fernhill/atlas?x=1", **known)).status == 200
    assert (await get(http, "repos/fernhill/atlas", **known)).status == 304


async def test_last_modified_is_a_validator_too(http: aiohttp.ClientSession) -> None:
    """Where GitHub gives Last-Modified, If-Modified-Since gives 304 for free."""
    first = await get(http, "repos/fernhill/atlas")
    again = await get(http, "repos/fernhill/atlas", **{"If-Modified-Since": first.headers["Last-Modified"]})
    assert again.status == 304 and remaining(again) == remaining(first)


async def test_nothing_left(http: aiohttp.ClientSession) -> None:
    """An empty budget answers 403 with GitHub's words until the hour is over; others go on."""
    await control(http, "quota", {"login": "carol", "resource": "core", "limit": 10, "used": 9})
    last = await get(http, login="carol")
    assert (last.status, remaining(last)) == (200, 0)
    refused = await get(http, login="carol")
    assert (refused.status, remaining(refused)) == (403, 0)
    assert (await refused.json())["message"].startswith("API rate limit exceeded for user ID ")
    assert (await get(http)).status == 200
    wait_s = int(refused.headers["X-RateLimit-Reset"]) - time.time()
    await control(http, "clock", {"advance_s": wait_s + 1})
    assert (await get(http, login="carol")).status == 200
    await control(http, "clock", {"real": True})


async def test_asking_for_the_budget_is_free(http: aiohttp.ClientSession) -> None:
    """/rate_limit shows every resource, costs nothing and answers when nothing is left."""
    await control(http, "quota", {"login": "mallory", "resource": "core", "limit": 5, "used": 5})
    for _ in range(2):
        answer = await get(http, "rate_limit", login="mallory")
        body = await answer.json()
        assert answer.status == 200 and body["rate"]["remaining"] == 0
        assert body["resources"]["graphql"]["limit"] == 5000


async def test_search_and_strangers_have_budgets_of_their_own(http: aiohttp.ClientSession) -> None:
    """Search counts by the minute; a request without a token has 60 an hour."""
    found = await get(http, "search/issues?q=tide")
    assert found.headers["X-RateLimit-Resource"] == "search" and found.headers["X-RateLimit-Limit"] == "30"
    assert (await get(http, "users/alice", login=None)).headers["X-RateLimit-Limit"] == "60"


async def test_points_per_minute(http: aiohttp.ClientSession) -> None:
    """The optional limit per minute answers 403 with Retry-After and GitHub's words."""
    await control(http, "quota", {"login": "bob", "resource": "points_per_minute", "limit": 2})
    answers = [await get(http, login="zoe-l".replace("-", "")) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 403]
    assert int(answers[2].headers["Retry-After"]) > 0 and remaining(answers[2]) > 0
    assert (await answers[2].json())["message"].startswith("You have exceeded a secondary rate limit.")


async def test_too_many_at_once(http: aiohttp.ClientSession) -> None:
    """The optional limit on concurrency refuses what is beyond it."""
    await control(http, "quota", {"login": "bob", "resource": "concurrent", "limit": 0})
    assert (await get(http, login="bob")).status == 403
    await control(http, "quota", {"login": "bob", "resource": "concurrent", "limit": 50})
    answers = await asyncio.gather(*(get(http, login="bob") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
