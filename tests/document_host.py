"""A host that publishes a metadata document, and a service that finds it on this computer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import https_server
from https_server import Authority, Server
from joserfc.jwk import ECKey

from trackeep.broker.documents import Documents

HOST = "home.example"
BASE_URL = f"https://{HOST}/trackeep"
URL = f"{BASE_URL}/.well-known/oauth-client"
KEY = ECKey.generate_key("P-256")
AUTHORITY = Authority()


def content(**changes: Any) -> dict[str, Any]:
    """What an instance publishes; a change to None takes a member out."""
    members = {
        "client_id": URL,
        "client_name": "Trackeep",
        "redirect_uris": [f"{BASE_URL}/auth/callback"],
        "token_endpoint_auth_method": "none",
        "jwks": {"keys": [KEY.as_dict(private=False)]},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def body(**changes: Any) -> bytes:
    return json.dumps(content(**changes)).encode()


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Scene:
    """A host that everybody finds at 127.0.0.1, and a service that may connect there."""

    server: Server
    documents: Documents
    clock: Clock


@asynccontextmanager
async def scene(
    answer: https_server.Answer, *names: str, believes: Authority = AUTHORITY
) -> AsyncIterator[Scene]:
    """`answer` is served under `names` (HOST if none are given) to a service that trusts `believes`."""

    async def resolve(_name: str) -> list[str]:
        return ["127.0.0.1"]

    async with https_server.serve(AUTHORITY, *(names or (HOST,)), answer=answer) as server:
        clock = Clock()
        documents = Documents(
            resolve=resolve,
            port=server.port,
            tls=believes.client_tls(),
            may_connect=lambda address: True,
            clock=clock,
        )
        yield Scene(server, documents, clock)
