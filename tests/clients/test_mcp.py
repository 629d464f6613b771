"""The client of the MCP SDK, which is told nothing but the address of a resource, signs people in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from programs import Program
from pydantic import AnyUrl
from registered import REDIRECT_URI, allow
from served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from visitor import Visitor

from trackeep import web

pytestmark = pytest.mark.anyio


class Kept(TokenStorage):
    """What the SDK asks of its user: a place for a token and a registration."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Goes where the SDK sends them, and brings back the answer; keeps what was asked."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self.asked: dict[str, list[str]] = {}
        self._back: dict[str, str] = {}

    async def go(self, url: str) -> None:
        self.asked = parse_qs(urlsplit(url).query)
        self._back = dict(parse_qsl(urlsplit((await allow(self._visitor, url)).location).query))

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**self._back)


def provider(url: str, alice: Person, kept: Kept) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(
        redirect_uris=[AnyUrl(REDIRECT_URI)], client_name="Notes", token_endpoint_auth_method="none"
    )
    return OAuthClientProvider(url, metadata, kept, alice.go, alice.come_back)


async def test_who_am_i_is_found_by_its_challenge_alone(broker: Program) -> None:
    """401, its document, ours, registration, challenge and verifier, token: then the resource answers."""
    url, kept = f"{broker.url}/api/v1/user/me", Kept()
    async with Visitor(broker.url) as visitor:
        alice = Person(visitor)
        async with httpx2.AsyncClient(auth=provider(url, alice, kept)) as http:
            answer = await http.get(url)
            assert answer.status_code == 200, answer.text
            assert answer.json()["user"]["username"] == "alice"
            assert (await http.get(url)).status_code == 200
    assert alice.asked["resource"] == [url]
    assert alice.asked["scope"] == ["openid profile email"]
    assert kept.client is not None and kept.client.client_secret is None
    assert kept.tokens is not None and kept.tokens.scope == "openid profile email"


async def test_somebody_elses_resource_asks_for_githubs_token(broker: Program, sandbox: Program) -> None:
    """A server that knows nobody itself names this service and `github`, and looks people up at GitHub."""
    kept = Kept()
    async with resource(broker.url, sandbox.url) as url, Visitor(broker.url) as visitor:
        alice = Person(visitor)
        async with httpx2.AsyncClient(auth=provider(url, alice, kept)) as http:
            answer = await http.get(url)
    assert answer.json() == {"hello": "alice"}
    assert kept.tokens is not None and kept.tokens.scope == "github read:user"


@asynccontextmanager
async def resource(broker_url: str, github_url: str) -> AsyncIterator[str]:
    """A server of somebody else's, whose people sign in through the service."""
    listener = web.bind("127.0.0.1", 0)
    base = f"http://localhost:{listener.getsockname()[1]}"

    async def hello(request: Request) -> Response:
        headers = {"Authorization": request.headers.get("authorization", "Bearer none")}
        url = f"{github_url}/api/v3/user"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            user = await answer.json()
        if answer.status == 200:
            return JSONResponse({"hello": user["login"]})
        named = f'Bearer resource_metadata="{base}/.well-known/oauth-protected-resource/notes"'
        return Response(status_code=401, headers={"www-authenticate": named})

    async def document(_: Request) -> Response:
        named = {"resource": f"{base}/notes", "authorization_servers": [broker_url]}
        return JSONResponse({**named, "scopes_supported": ["github", "read:user"]})

    routes = [Route("/notes", hello), Route("/.well-known/oauth-protected-resource/notes", document)]
    async with served(Starlette(routes=routes), listener):
        yield f"{base}/notes"
