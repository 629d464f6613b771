"""The limits themselves: which address is counted, what counts how much, and how a refusal reads."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from local_broker import serve
from programs import Program
from visitor import Start, Visitor

from trackeep.broker import limits
from trackeep.broker.app import ROUTES

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:49152", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002/64"),
        ("2001:db8:1:2::1", "20010db800010002/64"),
        ("[2001:db8:1:2::1]:443", "20010db800010002/64"),
        ("2001:db8:1:3::1", "20010db800010003/64"),
        ("fe80::1%eth0", "fe80000000000000/64"),
        ("unknown", "unknown"),
        ("::not an address", "::not an address"),
        ("", ""),
    ],
)
def test_one_household_is_one_address(address: str, counted: str) -> None:
    """IPv6 by /64, mapped addresses as IPv4, never a port; nothing fails."""
    assert limits.household(address) == counted


def test_every_rule_is_for_an_address_that_exists() -> None:
    """The table names no door that is not there, and every door that writes has a rule of its own."""
    doors = {(method, route.path) for route in ROUTES for method in route.methods or ()}
    assert set(limits.BY_ADDRESS) <= doors
    assert {("GET", path) for path in limits.UNLIMITED} <= doors
    posts = {door for door in doors if door[0] == "POST" and door[1] != "/userinfo"}
    assert posts <= set(limits.BY_ADDRESS)


async def test_a_refusal_says_when_to_come_back(sandbox: Program) -> None:
    """A page for people, JSON for programs, `Retry-After` for both; a minute later it is over."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as mallory:
        await exhaust(mallory, f"{broker.url}/auth/github", limits.STARTS.most)
        page = await mallory.begin(Start())
        assert page.status == 429
        assert page.headers["Retry-After"] == "60"
        assert "too many requests from your network" in page.text
        assert "Try again in 60 seconds" in page.text
        assert page.headers["Content-Security-Policy"]
        said = await mallory.get(Start().url(broker.url), accept="application/json")
        assert json.loads(said.text)["error"] == "rate_limited"
        broker.clock.now += 61
        assert (await mallory.begin(Start())).status == 200


async def test_one_door_does_not_close_another(sandbox: Program) -> None:
    """Whoever asked too often at the start may still redeem, read the keys, and be looked after."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        await exhaust(alice, f"{broker.url}/auth/github", limits.STARTS.most - 1)
        assert (await alice.begin(Start())).status == 429
        assert (await alice.redeem(login, code)).status == 200
        for path in ("/.well-known/jwks.json", "/", "/healthz", "/readyz"):
            assert (await alice.get(f"{broker.url}{path}")).status == 200


async def test_what_is_looked_after_is_never_limited(sandbox: Program) -> None:
    """Health is asked by machines, and most of all while somebody makes noise."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as visitor:
        await exhaust(visitor, f"{broker.url}/nothing-here", limits.READING.most)
        assert (await visitor.get(f"{broker.url}/")).status == 429
        assert (await visitor.get(f"{broker.url}/healthz")).status == 200


async def test_a_wrong_code_counts_more_than_a_right_one(sandbox: Program) -> None:
    """400 wrong codes in a minute are the end of it for this address, and for no other."""
    wrong = limits.REDEMPTIONS.most // limits.REDEMPTIONS.refused_costs
    async with serve(sandbox.url) as broker, Visitor(broker.url) as mallory, Visitor(broker.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        form = {"grant_type": "authorization_code", "code": "k.c29tZXRoaW5n", "code_verifier": "v" * 43}
        form |= {"redirect_uri": login.base_url, "client_id": login.base_url}
        for _ in range(wrong // 40):
            tries = (mallory.ask("POST", f"{broker.url}/token", {}, form) for _ in range(40))
            assert {answer.status for answer in await asyncio.gather(*tries)} == {400}
        last = await mallory.ask("POST", f"{broker.url}/token", {}, form)
        assert last.status == 429
        assert json.loads(last.text)["error"] == "rate_limited"
        assert (await alice.redeem(login, code)).status == 200


async def test_an_unknown_peer_is_counted_too(sandbox: Program) -> None:
    """What a proxy writes that is no address is a bucket like any other, not a way around."""
    async with serve(sandbox.url) as broker, Visitor(broker.url, "not-an-address") as mallory:
        await exhaust(mallory, f"{broker.url}/auth/github", limits.STARTS.most)
        assert (await mallory.begin(Start())).status == 429


async def exhaust(visitor: Visitor, url: str, count: int) -> None:
    """`count` requests at full speed, each of which is still answered."""
    async with aiohttp.ClientSession(headers={"X-Forwarded-For": visitor.address}) as http:

        async def ask() -> int:
            async with http.get(url) as answer:
                return answer.status

        for first in range(0, count, 100):
            batch = min(100, count - first)
            statuses = await asyncio.gather(*(ask() for _ in range(batch)))
            assert 429 not in statuses
