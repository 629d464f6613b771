"""An instance with the small world in it, and programs that ask it over its JSON API."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import leaks
from local_instance import LocalInstance, serve
from multidict import CIMultiDictProxy
from small_world import ALICE, NOW, fill

from trackeep.store import api_tokens
from trackeep.store.api_tokens import SCOPES
from trackeep.store.token_text import SECRET_BYTES, token_of

NOWHERE = "http://localhost:1"


@dataclass(frozen=True)
class Reply:
    """What came back, already read."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The last word of the type of a problem document, which this must be."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        body = self.json
        assert body["status"] == self.status
        assert body["request_id"] == self.headers["X-Request-Id"]
        assert {"type", "title", "detail", "instance"} <= set(body)
        return str(body["type"].rpartition("#")[2])


@dataclass(frozen=True)
class Api:
    """The JSON API of one instance; paths are below /api/v1."""

    instance: LocalInstance
    http: aiohttp.ClientSession

    async def token(
        self, account_id: int = ALICE, scopes: tuple[str, ...] = tuple(SCOPES), days: int | None = 90
    ) -> str:
        """A new token, as the settings would make it."""
        text, now = token_of(secrets.token_bytes(SECRET_BYTES)), self.instance.site.now()
        leaks.issued.add(text)
        async with self.instance.site.db.write() as conn:
            new = api_tokens.wanted("Test", scopes, days, now)
            await api_tokens.create(conn, account_id, text, new, now)
        return text

    async def ask(
        self, method: str, path: str, token: str = "", *, body: Any = None, **headers: str
    ) -> Reply:
        """One request; `headers` with underscores for dashes, an empty one is left out."""
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = f"{self.instance.url}/api/v1{path}"
        async with self.http.request(method, url, headers=sent, json=body, allow_redirects=False) as answer:
            return Reply(answer.status, answer.headers, await answer.text())

    async def get(self, path: str, token: str) -> Any:
        """The body of a GET, which must succeed."""
        reply = await self.ask("GET", path, token)
        assert reply.status == 200, reply.text
        return reply.json

    async def every(self, path: str, token: str, limit: int) -> list[Any]:
        """All items of a list, page by page."""
        items, cursor = [], ""
        while True:
            mark = "&" if "?" in path else "?"
            page = await self.get(f"{path}{mark}limit={limit}&cursor={cursor}", token)
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = page["next"]


@asynccontextmanager
async def small_api(folder: Path, *, path: str = "", **settings: str) -> AsyncIterator[Api]:
    """The small world behind an instance whose clock stands at its NOW."""
    async with serve(folder, NOWHERE, path=path, **settings) as instance:
        instance.clock.ahead_s = NOW - time.time()
        await fill(instance.site.db)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Api(instance, http)
