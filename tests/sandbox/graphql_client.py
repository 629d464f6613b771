"""A GraphQL client of a few lines for the tests of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        assert "errors" not in self.body, self.body["errors"]
        found: dict[str, Any] = self.body["data"]
        return found

    @property
    def error_types(self) -> list[str | None]:
        return [error.get("type") for error in self.body.get("errors", [])]


def token_of(login: str) -> str:
    """The ready-made personal token of one of the sandbox's people."""
    return f"ghp_sandbox{login}".ljust(40, "0")


@dataclass(frozen=True)
class Client:
    """Asks one sandbox as one person."""

    http: aiohttp.ClientSession
    url: str
    token: str | None = token_of("alice")

    async def ask(self, query: str, **variables: Any) -> Answer:
        return await self.post({"query": query, "variables": variables})

    async def post(self, body: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.http.post(f"{self.url}/api/graphql", json=body, headers=headers) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, named, await answer.json())

    async def control(self, path: str, **body: Any) -> Any:
        """GET without a body, else POST, at the sandbox's own `/_sandbox/` addresses."""
        method = "POST" if body else "GET"
        async with self.http.request(method, f"{self.url}/_sandbox/{path}", json=body or None) as answer:
            return await answer.json()

    def with_token(self, token: str | None) -> Client:
        return Client(self.http, self.url, token)

    async def with_scopes(self, *scopes: str, login: str = "alice") -> Client:
        return self.with_token((await self.control("tokens", login=login, scopes=scopes))["token"])
