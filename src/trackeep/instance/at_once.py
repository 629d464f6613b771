"""How much of something one account may have at the same time, so that enough is left for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from trackeep.errors import TooManyRequests


class AtOnce:
    """At most `most` an account, in this process; `what` names them in the sentence for who wants more."""

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self._what = what
        self._now: Counter[int] = Counter()

    def begin(self, account_id: int) -> None:
        """One more. Raises TooManyRequests where there are as many as may be."""
        if self._now[account_id] >= self.most:
            raise TooManyRequests(f"{self.most} {self._what} already.", "Wait until one of them has ended.")
        self._now[account_id] += 1

    def end(self, account_id: int) -> None:
        """One less."""
        self._now[account_id] -= 1
        if not self._now[account_id]:
            del self._now[account_id]

    @contextmanager
    def one(self, account_id: int) -> Iterator[None]:
        """One of them, from here to its end. Raises TooManyRequests."""
        self.begin(account_id)
        try:
            yield
        finally:
            self.end(account_id)

    def __len__(self) -> int:
        return self._now.total()


class Ending(StreamingResponse):
    """An answer that counts until its way ends, however that is; then its file is closed, too."""

    def counted(self, at_once: AtOnce, account_id: int, *, file: IO[bytes] | None = None) -> Ending:
        """This, as one of `at_once`, which was begun already."""
        self._at_once, self._account_id, self._file = at_once, account_id, file
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_once.end(self._account_id)
            if self._file is not None:
                self._file.close()
