"""An OAuth service in mallory's hands: it answers every code with whatever login token she likes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trackeep import web
from trackeep.handshake import keys, token

Forge = Callable[[token.SignedClaims], str]


@dataclass
class MallorysBroker:
    """`forge` turns the right claims into the token that is handed out."""

    url: str
    github_token: str
    github_id: int
    ring: keys.KeyRing = field(default_factory=lambda: keys.make_ring(int(time.time())))
    forge: Forge = field(init=False)
    audience: str = ""
    nonce: str = ""
    jti: str = "one"
    key_requests: int = 0

    def __post_init__(self) -> None:
        self.forge = self.honest

    def honest(self, claims: token.SignedClaims) -> str:
        return token.sign(claims, self.ring.signing_key(time.time()))

    def claims(self) -> token.SignedClaims:
        """What an honest service would say about this login."""
        now = int(time.time())
        return token.SignedClaims(
            user_id=self.github_id,
            github_id=self.github_id,
            username="alice",
            email="",
            access_token=self.github_token,
            token_type="bearer",
            expires_at=now + token.LIFETIME_S,
            exp=now + token.LIFETIME_S,
            iat=now,
            name="Alice",
            avatar_url="",
            iss=self.url,
            aud=self.audience,
            sub=str(self.github_id),
            jti=self.jti,
            nonce=self.nonce,
        )

    async def token(self, request: Request) -> Response:
        user = {"id": self.github_id, "github_id": self.github_id, "username": "alice"}
        answer = {"access_token": self.github_token, "token": self.forge(self.claims()), "user": user}
        return JSONResponse({**answer, "token_type": "bearer", "scope": "repo"})

    async def jwks(self, request: Request) -> Response:
        self.key_requests += 1
        return JSONResponse(self.ring.jwks(time.time()))

    async def revoke(self, request: Request) -> Response:
        return Response(status_code=200)

    def public_key(self) -> bytes:
        """The public half as text, which is all that anybody has."""
        return json.dumps(self.ring.jwks(time.time())["keys"][0]).encode()


@asynccontextmanager
async def serve(github_token: str, github_id: int) -> AsyncIterator[MallorysBroker]:
    listener = web.bind("127.0.0.1", 0)
    mallory = MallorysBroker(f"http://localhost:{listener.getsockname()[1]}", github_token, github_id)
    app = Starlette(
        routes=[
            Route("/token", mallory.token, methods=["POST"]),
            Route("/.well-known/jwks.json", mallory.jwks),
            Route("/revoke", mallory.revoke, methods=["POST"]),
        ]
    )
    async with served(app, listener):
        yield mallory
