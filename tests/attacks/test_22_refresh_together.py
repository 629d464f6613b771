"""Attack 22: fifty processes of one instance refresh the same token at the same moment."""

import asyncio
from itertools import cycle

import pytest
import redis_server
from local_broker import EXPIRING_APP, NOW, serve
from programs import Program
from refreshing import Pair, log_in, refresh
from visitor import Start, Visitor
from witness import Witness

from trackeep.handshake import keys

pytestmark = pytest.mark.anyio

HOME = Start("http://localhost:8080")


async def test_fifty_at_once_are_one_call_to_github(sandbox: Program) -> None:
    """All fifty get the same pair, and GitHub has given out one token."""
    async with serve(sandbox.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        witness = await Witness.of(sandbox.url)
        answers = await asyncio.gather(*(refresh(home, HOME, pair.refresh_token) for _ in range(50)))
        assert len({Pair.of(answer) for answer in answers}) == 1
        assert (await witness.exchanges(), await witness.tokens()) == (1, 1)


async def test_two_replicas_are_one_service(sandbox: Program, redis: redis_server.RedisServer) -> None:
    """Lock and answer are shared: fifty over two replicas are still one call and one pair."""
    ring = keys.make_ring(NOW)
    shared = {"ring": ring, "app": EXPIRING_APP, "redis_url": redis.url}
    async with (
        serve(sandbox.url, **shared) as first,  # type: ignore[arg-type]  # settings and parts in one call
        serve(sandbox.url, **shared) as second,  # type: ignore[arg-type]
        Visitor(first.url) as one,
        Visitor(second.url) as two,
    ):
        pair = await log_in(one, HOME)
        witness = await Witness.of(sandbox.url)
        turns = cycle((one, two))
        answers = await asyncio.gather(*(refresh(next(turns), HOME, pair.refresh_token) for _ in range(50)))
        new = {Pair.of(answer) for answer in answers}
        assert len(new) == 1
        assert (await witness.exchanges(), await witness.tokens()) == (1, 1)
        written = b"".join((*redis.everything(), *redis.everything().values()))
        for secret in (pair.refresh_token, *vars(new.pop()).values()):
            assert secret.encode() not in written


async def test_without_its_memory_a_replica_spends_nothing(
    sandbox: Program, redis: redis_server.RedisServer
) -> None:
    """Redis is away: 503 before GitHub is asked, and the token is good when it is back."""
    async with (
        serve(sandbox.url, app=EXPIRING_APP, redis_url=redis.url) as broker,
        Visitor(broker.url) as home,
    ):
        pair = await log_in(home, HOME)
        witness = await Witness.of(sandbox.url)
        redis.stop()
        try:
            assert (await refresh(home, HOME, pair.refresh_token)).status == 503
        finally:
            redis.start()
        assert await witness.calls() == []
        assert (await refresh(home, HOME, pair.refresh_token)).status == 200
