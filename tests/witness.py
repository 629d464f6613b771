"""What the local GitHub saw: the calls that were made to it and the tokens that it gave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

EXCHANGE = "/login/oauth/access_token"


@dataclass
class Witness:
    """Sees everything from the moment it is made."""

    url: str
    since: int = 0
    tokens_before: int = 0

    @classmethod
    async def of(cls, sandbox_url: str) -> Witness:
        witness = cls(sandbox_url)
        log = await witness._get("/_sandbox/log")
        witness.since = max((entry["n"] for entry in log), default=0)
        witness.tokens_before = (await witness._get("/_sandbox/tokens"))["count"]
        return witness

    async def calls(self) -> list[str]:
        """Method and path of every call since then, in order."""
        log = await self._get(f"/_sandbox/log?since={self.since}")
        return [f"{entry['method']} {entry['path']}" for entry in log if entry["n"] > self.since]

    async def exchanges(self) -> int:
        """How often a code was offered for a token."""
        return sum(call.endswith(EXCHANGE) for call in await self.calls())

    async def tokens(self) -> int:
        """How many tokens were given out."""
        return int((await self._get("/_sandbox/tokens"))["count"]) - self.tokens_before

    async def _get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as answer:
            assert answer.status == 200
            return await answer.json()
