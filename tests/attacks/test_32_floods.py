"""Attack 32: mallory floods the service, from her address or at one target, to keep everybody else out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
import redis_server
from local_broker import NOW, LocalBroker, serve
from programs import Program
from visitor import Start, Visitor
from witness import Witness

from trackeep.broker import limits, memory_choice
from trackeep.handshake import keys

pytestmark = pytest.mark.anyio
MALLORY = "203.0.113.66"


@pytest.fixture(params=["one process", "two replicas"])
async def services(request: pytest.FixtureRequest, sandbox: Program) -> AsyncIterator[list[LocalBroker]]:
    """The service once, or twice with one Redis between them."""
    async with AsyncExitStack() as stack:
        if request.param == "one process":
            yield [await stack.enter_async_context(serve(sandbox.url))]
            return
        redis: redis_server.RedisServer = request.getfixturevalue("redis")
        redis.forget()
        ring = keys.make_ring(NOW)
        yield [
            await stack.enter_async_context(serve(sandbox.url, ring, redis_url=redis.url)) for _ in range(2)
        ]


async def test_a_flood_from_one_address_stops_that_address_only(services: list[LocalBroker]) -> None:
    """After its minute's share mallory hears 429 on every replica; alice signs in as ever."""
    urls = [broker.url + "/auth/github" for broker in services]
    answered = await flood(urls, limits.STARTS.most + 60, lambda n: {"X-Forwarded-For": MALLORY})
    assert (answered.count(400), answered.count(429)) == (limits.STARTS.most, 60)
    for broker in services:
        async with Visitor(broker.url, MALLORY) as mallory, Visitor(broker.url) as alice:
            assert (await mallory.begin(Start())).status == 429
            assert "code=" in (await alice.log_in(Start())).location


async def test_forged_forwarded_headers_do_not_help(services: list[LocalBroker]) -> None:
    """What mallory writes stands left of what the trusted proxy adds, and the other headers are not read."""

    def forged(n: int) -> dict[str, str]:
        fake = f"192.0.2.{n % 250}"
        return {
            "X-Forwarded-For": f"{fake}, 10.0.0.{n % 250}, {MALLORY}",
            "Forwarded": f"for={fake}",
            "X-Real-IP": fake,
            "X-Client-IP": fake,
            "CF-Connecting-IP": fake,
        }

    urls = [broker.url + "/auth/github" for broker in services]
    answered = await flood(urls, limits.STARTS.most + 60, forged)
    assert answered.count(429) == 60


async def test_without_a_trusted_proxy_no_header_counts(sandbox: Program) -> None:
    """A thousand invented addresses are one: the connection's own."""
    async with serve(sandbox.url, trusted_proxies="192.0.2.1/32") as broker:
        answered = await flood(
            [broker.url + "/auth/github"],
            limits.STARTS.most + 60,
            lambda n: {"X-Forwarded-For": f"198.51.100.{n % 250}"},
        )
        assert answered.count(429) == 60


async def test_a_whole_ipv6_network_is_one_address(services: list[LocalBroker]) -> None:
    """Mallory's /64 has 2^64 addresses and one share; her neighbour in the next /64 has another."""
    urls = [broker.url + "/auth/github" for broker in services]
    flooding = flood(
        urls, limits.STARTS.most + 60, lambda n: {"X-Forwarded-For": f"2001:db8:66:1::{n + 1:x}"}
    )
    assert (await flooding).count(429) == 60
    async with Visitor(services[0].url, "2001:db8:66:2::1") as neighbour:
        assert (await neighbour.begin(Start())).status == 200


async def test_one_noisy_target_does_not_stop_the_others(services: list[LocalBroker]) -> None:
    """Its share is used up for this address; other targets from there, and others to it, go on."""
    noisy, quiet = Start("https://noisy.example"), Start("https://quiet.example")
    urls = [noisy.url(broker.url) for broker in services]
    most = limits.TARGET_FROM_ADDRESS.most
    # So many more that the address itself would be stopped, if what is refused counted for it.
    answered = await flood(urls, most + limits.STARTS.most, lambda n: {"X-Forwarded-For": MALLORY})
    assert answered.count(200) == most
    assert answered.count(429) == limits.STARTS.most
    for broker in services:
        async with Visitor(broker.url, MALLORY) as same, Visitor(broker.url) as other:
            assert (await same.begin(noisy)).status == 429
            assert (await same.begin(quiet)).status == 200
            assert (await other.begin(noisy)).status == 200


async def test_a_target_has_an_end_from_everywhere_together(
    sandbox: Program, redis: redis_server.RedisServer
) -> None:
    """With addresses enough for that, only this one target is closed, and only for a minute."""
    redis.forget()
    async with serve(sandbox.url, redis_url=redis.url) as broker, Visitor(broker.url) as alice:
        await count_elsewhere(broker, f"{limits.TARGET.group} https://noisy.example", limits.TARGET.most)
        refused = await alice.begin(Start("https://noisy.example"))
        assert refused.status == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert (await alice.begin(Start("https://quiet.example"))).status == 200


@pytest.mark.parametrize("with_code", [True, False])
async def test_a_person_has_an_end_and_no_token_is_left_over(
    sandbox: Program, redis: redis_server.RedisServer, with_code: bool
) -> None:
    """Alice signs in far too often: 429, and the token that was just made is ended; bob is let in."""
    redis.forget()
    async with serve(sandbox.url, redis_url=redis.url) as broker, Visitor(broker.url) as alice:
        witness = await Witness.of(sandbox.url)
        alice_id = await github_id(sandbox, "alice")
        await count_elsewhere(broker, f"{limits.PERSON.group} {alice_id}", limits.PERSON.most)
        login = Start(with_code=with_code)
        refused = await alice.log_in(login)
        if with_code:
            refused = await alice.redeem(login, refused.query["code"])
        assert refused.status == 429
        assert await witness.tokens() == 1
        assert any(call.startswith("DELETE /api/v3/applications/") for call in await witness.calls())
        async with Visitor(broker.url) as bob:
            login = Start()
            code = (await bob.log_in(login, "bob")).query["code"]
            assert (await bob.redeem(login, code)).status == 200


async def test_honest_people_are_not_stopped(services: list[LocalBroker]) -> None:
    """Eleven logins in a row, and an office of fifty behind one address that all begin at once."""
    first, last = services[0], services[-1]
    async with Visitor(first.url, "198.51.100.1") as alice:
        for _ in range(11):
            login = Start()
            code = (await alice.log_in(login)).query["code"]
            assert (await alice.redeem(login, code)).status == 200

    async def colleague(n: int) -> int:
        async with Visitor((first, last)[n % 2].url, "198.51.100.2") as person:
            return (await person.agree(await person.begin(Start("https://office.example")))).status

    assert await asyncio.gather(*(colleague(n) for n in range(50))) == [200] * 50


async def test_without_redis_replicas_still_stop_a_flood(sandbox: Program) -> None:
    """Each counts for itself, and people still sign in: a limit is no reason to be closed."""
    async with serve(sandbox.url, redis_url="redis://127.0.0.1:1/0") as broker:
        answered = await flood(
            [broker.url + "/auth/github"], limits.STARTS.most + 60, lambda n: {"X-Forwarded-For": MALLORY}
        )
        assert answered.count(429) == 60
        async with Visitor(broker.url) as alice:
            login = Start()
            code = (await alice.log_in(login)).query["code"]
            assert (await alice.redeem(login, code)).status == 200


async def flood(urls: list[str], count: int, headers: Callable[[int], dict[str, str]]) -> list[int]:
    """The status of each of `count` requests, spread over the replicas, fifty at a time."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def ask(n: int) -> int:
            async with http.get(urls[n % len(urls)], headers=headers(n), allow_redirects=False) as answer:
                return answer.status

        statuses: list[int] = []
        for first in range(0, count, 50):
            numbers = range(first, min(first + 50, count))
            statuses += await asyncio.gather(*(ask(n) for n in numbers))
        return statuses


async def count_elsewhere(broker: LocalBroker, key: str, count: int) -> None:
    """What other replicas have counted within this minute."""
    elsewhere = memory_choice.choose(broker.settings, broker.clock)
    await elsewhere.count(key, limits.WINDOW_S, count)
    await elsewhere.aclose()


async def github_id(sandbox: Program, login: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/people") as answer:
        return next(int(each["id"]) for each in await answer.json() if each["login"] == login)
