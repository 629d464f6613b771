"""The memory that several replicas of the service share, in Redis (or Valkey, which speaks the same)."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import LockError, RedisError

from trackeep.broker.memory import Count, InProcess, MemoryAway, Names

log = structlog.get_logger()
T = TypeVar("T")

PREFIX = b"trackeep:"
TIMEOUT_S = 1.0
# Longer than a moment, so that a Redis that swallows connections does not slow every login down.
AVOIDED_S = 5.0
WARNED_EVERY_S = 60.0
LOCK_ASKED_EVERY_S = 0.02

# One round trip: add, and give the window its end when it has none.
# (https://redis.io/docs/latest/commands/incrby/, .../pttl/: -1 means "no end".)
COUNT = """
local number = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {number, left}
"""


class Redis:
    """Counts fall back to this process while Redis is away; locks and answers raise MemoryAway."""

    def __init__(self, url: str, names: Names, own: InProcess) -> None:
        # One immediate new try: a connection that Redis closed while it was idle is no failure.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._client = Client.from_pool(pool)
        self._count = self._client.register_script(COUNT)
        self._names = names
        self._own = own
        self._avoided_until = 0.0
        self._warned_at = -math.inf

    async def count(self, key: str, window_s: int, add: int = 1) -> Count:
        if time.monotonic() >= self._avoided_until:
            try:
                args = [add, window_s * 1000]
                number, left_ms = await self._count(keys=[self._name("count", key)], args=args)
                return Count(int(number), int(left_ms) / 1000)
            except (RedisError, OSError) as error:
                self._note(error)
                self._avoided_until = time.monotonic() + AVOIDED_S
        # Not open and not closed: each replica counts for itself until Redis is back.
        return await self._own.count(key, window_s, add)

    async def seen(self, key: str, keep_s: int) -> bool:
        name = self._name("seen", key)
        return not await self._needed(self._client.set(name, b"1", ex=keep_s, nx=True))

    @asynccontextmanager
    async def lock(self, key: str, hold_s: int) -> AsyncIterator[None]:
        lock = self._client.lock(
            self._name("lock", key),
            timeout=hold_s,
            sleep=LOCK_ASKED_EVERY_S,
            blocking_timeout=hold_s + TIMEOUT_S,
            # The time ran out while it was held: the work is done, and there is nothing to let go.
            raise_on_release_error=False,
        )
        async with AsyncExitStack() as stack:
            # First among ourselves, so that one replica asks Redis once however many wait in it.
            await stack.enter_async_context(self._own.lock(key, hold_s))
            if not await self._needed(lock.acquire()):
                raise MemoryAway("Another request held this for too long.", "Try again in a minute.")
            try:
                yield
            finally:
                await self._let_go(lock)

    async def keep(self, key: str, value: bytes, keep_s: int) -> None:
        await self._needed(self._client.set(self._name("kept", key), value, ex=keep_s))

    async def kept(self, key: str) -> bytes | None:
        found = await self._needed(self._client.get(self._name("kept", key)))
        return found.encode() if isinstance(found, str) else found

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    def _name(self, kind: str, key: str) -> bytes:
        return PREFIX + self._names.of(kind, key).hex().encode()

    async def _let_go(self, lock: Any) -> None:
        try:
            await lock.release()
        except (RedisError, OSError) as error:
            # It ends by itself; the work that it guarded is done.
            self._note(error)

    async def _needed(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except LockError:
            raise MemoryAway("Another request held this for too long.", "Try again in a minute.") from None
        except (RedisError, OSError) as error:
            self._note(error)
            raise MemoryAway("A part of this service is away.", "Try again in a minute.") from None

    def _note(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned_at >= WARNED_EVERY_S:
            self._warned_at = now
            # The kind only: an error of the client may hold the address with its password.
            log.warning("redis is away", kind=type(error).__name__)
