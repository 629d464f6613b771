"""What the service remembers for a minute: counts, locks and kept answers, in this process or in Redis."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol, TypeVar

from trackeep.errors import TrackeepError

T = TypeVar("T")

# Sixteen bytes of key and a small number each: some 10 MB when full. Each kind has a shelf of its
# own, so that a flood of counts cannot push out a lock, a spent proof or an answer.
MOST_ENTRIES = 50_000
# Answers are whole documents of 2 to 4 kB, made only for refresh tokens that GitHub took.
MOST_KEPT = 5_000


class Count(NamedTuple):
    """How many there were in this window, this one included, and how long it still lasts."""

    number: int
    ends_in_s: float


class MemoryAway(TrackeepError):
    """What the replicas share cannot be reached, and going on without it could do harm."""

    status = 503
    code = "temporarily_unavailable"


class Memory(Protocol):
    """`key` may name a person, a target or an address: it is never stored, only its keyed hash."""

    async def count(self, key: str, window_s: int, add: int = 1) -> Count:
        """Adds to the count of `key`, whose window begins with the first; never raises."""
        ...

    async def seen(self, key: str, keep_s: int) -> bool:
        """True when `key` was seen within `keep_s` before; it is from now on. Raises MemoryAway."""
        ...

    def lock(self, key: str, hold_s: int) -> AbstractAsyncContextManager[None]:
        """Held by one at a time among all replicas, for `hold_s` at most; others wait. Raises MemoryAway."""
        ...

    async def keep(self, key: str, value: bytes, keep_s: int) -> None:
        """Keeps `value` (encrypted by the caller, when it is a secret). Raises MemoryAway."""
        ...

    async def kept(self, key: str) -> bytes | None:
        """What was kept for `key`, None when there is nothing any more. Raises MemoryAway."""
        ...

    async def aclose(self) -> None:
        """Gives connections back."""
        ...


class Names:
    """Keyed hashes, so that nobody who reads the memory learns an address, a person or a target."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"trackeep memory 1", "sha256")

    def of(self, kind: str, key: str) -> bytes:
        """16 bytes; `kind` keeps a count and a lock of one name apart."""
        text = f"{kind} {key}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._key).digest()


class InProcess:
    """The memory of a service that runs as one process; it ends with it."""

    def __init__(self, names: Names, clock: Callable[[], float]) -> None:
        self._names = names
        self._clock = clock
        self._counts: _Shelf[int] = _Shelf(MOST_ENTRIES, clock)
        self._seen: _Shelf[bool] = _Shelf(MOST_ENTRIES, clock)
        self._kept: _Shelf[bytes] = _Shelf(MOST_KEPT, clock)
        self._locks: dict[bytes, tuple[asyncio.Lock, int]] = {}

    async def count(self, key: str, window_s: int, add: int = 1) -> Count:
        name = self._names.of("count", key)
        now, found = self._clock(), self._counts.get(name)
        if found is None or found[1] <= now:
            self._counts.put(name, add, window_s)
            return Count(add, window_s)
        number, ends_at = found
        self._counts[name] = (number + add, ends_at)
        return Count(number + add, ends_at - now)

    async def seen(self, key: str, keep_s: int) -> bool:
        name = self._names.of("seen", key)
        if self._seen.find(name):
            return True
        self._seen.put(name, True, keep_s)
        return False

    @asynccontextmanager
    async def lock(self, key: str, hold_s: int) -> AsyncIterator[None]:
        # `hold_s` is for holders that die without letting go; in one process nobody outlives the lock.
        name = self._names.of("lock", key)
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)

    async def keep(self, key: str, value: bytes, keep_s: int) -> None:
        self._kept.put(self._names.of("kept", key), value, keep_s)

    async def kept(self, key: str) -> bytes | None:
        found = self._kept.find(self._names.of("kept", key))
        return found[0] if found else None

    async def aclose(self) -> None:
        """Nothing to give back."""


class _Shelf(dict[bytes, tuple[T, float]]):
    """Values with an end; when it is full, what has ended goes first, then what came first."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self._most = most
        self._clock = clock
        self._swept_at = 0.0

    def find(self, name: bytes) -> tuple[T, float] | None:
        """The value and the seconds it has left."""
        found = self.get(name)
        left_s = found[1] - self._clock() if found else 0.0
        if found is None or left_s <= 0:
            return None
        return found[0], left_s

    def put(self, name: bytes, value: T, keep_s: float) -> None:
        if len(self) >= self._most and name not in self:
            self._make_room()
        self[name] = (value, self._clock() + keep_s)

    def _make_room(self) -> None:
        now = self._clock()
        # At most once a second: under a flood nothing has ended, and looking at all of it costs 5 ms.
        if abs(now - self._swept_at) >= 1:
            self._swept_at = now
            for name in [name for name, (_, ends_at) in self.items() if ends_at <= now]:
                del self[name]
        while len(self) >= self._most:
            del self[next(iter(self))]
