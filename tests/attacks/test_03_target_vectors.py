"""Attack 3, every vector: what the parser refuses never begins a login at any door of the real service."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import quote, urlencode

import pytest
from programs import Program
from registered import register
from target_vectors import vectors
from visitor import Answer, Visitor

from trackeep.broker.targets import parse

pytestmark = pytest.mark.anyio

CODE = urlencode({"code_challenge": "c" * 43, "code_challenge_method": "S256"})


class Crowd(Visitor):
    """Many people, none of whom asks often enough to be told to wait."""

    addresses = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), repeat=3))

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def open(self, query: str, door: str = "/auth/github") -> Answer:
        self.cookies.clear()
        url = f"{self.broker_url}{door}?{query}"
        return await self.get(url, x_forwarded_for=next(self.addresses))

    async def register(self, address: str) -> int:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": next(self.addresses)}
        body = json.dumps({"redirect_uris": [address]})
        async with self._http.post(f"{self.broker_url}/register", data=body, headers=headers) as answer:
            assert ("client_id" in await answer.json()) is (answer.status == 201)
            return answer.status


@pytest.fixture
async def crowd(broker: Program) -> AsyncIterator[Crowd]:
    async with Crowd(broker.url) as people:
        yield people


@pytest.mark.parametrize("mode", ["code", "token"])
async def test_a_refused_address_begins_nothing(crowd: Crowd, mode: str) -> None:
    """400 with a hint, no redirect, no cookie, no word to GitHub: whatever the trick."""
    refused = [each.address for each in vectors() if not (each.code if mode == "code" else each.token)]
    for address in refused:
        answer = await crowd.open(f"redirect_uri={quote(address, safe='')}&{CODE if mode == 'code' else ''}")
        assert (answer.status, answer.location, answer.set_cookies) == (400, "", []), ascii(address)
        assert "What to do" in answer.text


async def test_an_accepted_address_is_named_on_the_page(crowd: Crowd) -> None:
    """The page says the very origin that will get the login, and still nothing has begun."""
    for address in (each.address for each in vectors() if each.code):
        answer = await crowd.open(f"redirect_uri={quote(address, safe='')}&{CODE}")
        assert (answer.status, answer.location) == (200, ""), ascii(address)
        assert parse(address).authority in answer.text
        assert not answer.starts_a_login


async def test_a_refused_address_cannot_be_registered(crowd: Crowd) -> None:
    """What a program may register is decided by the same parser, in the words of RFC 7591."""
    wrong = []
    for each in vectors():
        status = await crowd.register(each.address)
        if status != (201 if each.exact else 400):
            wrong.append((each, status))
    assert not wrong


async def test_what_is_not_registered_gets_not_even_an_error(crowd: Crowd) -> None:
    """Wrong in two ways: whoever names another address is told so here, not there."""
    program = await register(crowd.broker_url, redirect_uri="https://registered.example/cb?a=b")
    wrong = []
    for address in (each.address for each in vectors()):
        asked = urlencode(program.question(redirect_uri=address, response_type="token"))
        answer = await crowd.open(asked, "/authorize")
        if (answer.status, answer.location) != (400, ""):
            wrong.append((address, answer.status, answer.location))
    assert not wrong
    right = await crowd.open(urlencode(program.question(response_type="token")), "/authorize")
    assert right.location.startswith("https://registered.example/cb?a=b&error=unsupported_response_type&")
