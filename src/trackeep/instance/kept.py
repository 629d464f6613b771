"""Answers kept for a few minutes, so that those who look often cost no more than those who look once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `most` answers, each for `for_s` seconds; one is made at a time."""

    def __init__(self, most: int, for_s: int) -> None:
        self._most = most
        self.for_s = for_s
        self._found: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(self, key: str, now: float, make: Callable[[], Awaitable[T]]) -> T:
        """The answer of `key`, made now (unix seconds) unless one is young enough."""
        if (known := self._young(key, now)) is not None:
            return known
        async with self._turn:
            # Whoever waited may find that it was made meanwhile.
            if (known := self._young(key, now)) is not None:
                return known
            made = await make()
            self._found[key] = (now, made)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
            return made

    def _young(self, key: str, now: float) -> T | None:
        at, made = self._found.get(key, (0.0, None))
        return made if at <= now < at + self.for_s else None
