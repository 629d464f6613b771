"""Attack 3, every vector: what the parser refuses never begins a login at any door of the real service."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Self
from urllib.parse import quote, urlencode

import pytest
from local_broker import broker_environment
from programs import Program, start
from target_vectors import vectors
from visitor import Answer, Visitor

from trackeep.broker.targets import parse

pytestmark = pytest.mark.anyio

CODE = urlencode({"code_challenge": "c" * 43, "code_challenge_method": "S256"})


@pytest.fixture(scope="module")
def proxied(sandbox: Program) -> Iterator[Program]:
    """A service that believes its proxy, so that each request comes from somebody else."""
    proxies = {"TRACKEEP_BROKER_TRUSTED_PROXIES": "127.0.0.0/8,::1"}
    program = start("broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url, **proxies))
    yield program
    program.stop()


class Crowd(Visitor):
    """Many people, none of whom asks often enough to be told to wait."""

    addresses = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), repeat=3))

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def open(self, query: str) -> Answer:
        self.cookies.clear()
        url = f"{self.broker_url}/auth/github?{query}"
        return await self.get(url, x_forwarded_for=next(self.addresses))

    async def register(self, address: str) -> int:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": next(self.addresses)}
        body = json.dumps({"redirect_uris": [address]})
        async with self._http.post(f"{self.broker_url}/register", data=body, headers=headers) as answer:
            assert ("client_id" in await answer.json()) is (answer.status == 201)
            return answer.status


@pytest.fixture
async def crowd(proxied: Program) -> AsyncIterator[Crowd]:
    async with Crowd(proxied.url) as people:
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
