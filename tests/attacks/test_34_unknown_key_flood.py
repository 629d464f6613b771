"""Attack 34: mallory makes an instance look for the keys of her tokens, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from local_instance import Guest, LocalInstance, link_to, serve
from mallorys_broker import MallorysBroker
from mallorys_broker import serve as serve_mallory
from programs import Program

from trackeep.handshake import keys, token

pytestmark = pytest.mark.anyio

FLOOD = 1_000


@pytest.fixture
async def flooded(sandbox: Program, tmp_path: Path) -> AsyncIterator[tuple[LocalInstance, MallorysBroker]]:
    """An instance whose service signs every token with a key that nobody has heard of."""
    stranger = keys.make_ring(int(time.time())).signing[0]
    async with (
        serve_mallory("gho_none", 1) as mallory,
        serve(tmp_path, sandbox.url, mallory.url) as instance,
    ):
        mallory.audience = instance.url
        mallory.forge = lambda claims: token.sign(claims, stranger)
        yield instance, mallory


async def knock(visitor: Guest, mallory: MallorysBroker, times: int) -> None:
    """Begins one login and comes back from it again and again, each time with a cookie that still counts."""
    page = await visitor.open("/signin")
    there = (await visitor.get(link_to("/auth/login", page))).location
    state = parse_qs(urlsplit(there).query)["state"][0]
    back = f"/auth/callback?{urlencode({'code': 'x', 'state': state, 'iss': mallory.url})}"
    kept = dict(visitor.cookies["localhost"])
    for _ in range(times):
        visitor.cookies["localhost"] = dict(kept)
        assert (await visitor.open(back)).status == 400


async def test_a_thousand_callbacks_with_unknown_keys(
    flooded: tuple[LocalInstance, MallorysBroker],
) -> None:
    """A thousand answers in a minute, twenty at a time: the key set is fetched once."""
    instance, mallory = flooded
    async with Guest(instance.url, mallory.url) as owner:
        await owner.set_up(await instance.code())

        async def one_visitor() -> None:
            async with Guest(instance.url, mallory.url) as visitor:
                visitor.cookies["localhost"] = dict(owner.cookies["localhost"])
                await knock(visitor, mallory, FLOOD // 20)

        await asyncio.gather(*(one_visitor() for _ in range(20)))
        assert mallory.key_requests == 1
        # A key that is new by then is found a minute later, and no sooner again.
        instance.clock.ahead_s += 60
        await knock(owner, mallory, 5)
        assert mallory.key_requests == 2
