"""A program registered at the OAuth service as any other would be, and the person who signs in to it."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from visitor import Answer, Visitor

from trackeep.handshake import messages

REDIRECT_URI = "http://localhost:8765/oauth/callback"
JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Registered:
    """What POST /register answered; `secret` is "" for a public program."""

    broker_url: str
    id: str
    secret: str
    redirect_uri: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def question(self, **changes: str) -> dict[str, str]:
        """The parameters of its request; a change to "" leaves one out."""
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": messages.code_challenge(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in asked.items() if value}

    def url(self, **changes: str) -> str:
        return f"{self.broker_url}/authorize?{urlencode(self.question(**changes))}"

    def redemption(self, code: str, **changes: str) -> dict[str, str]:
        """The form that its server sends for a code, with the secret in it."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": self.verifier,
            "redirect_uri": self.redirect_uri,
            "client_id": self.id,
            "client_secret": self.secret,
            **changes,
        }
        return {name: value for name, value in form.items() if value}


async def register(
    broker_url: str, *, redirect_uri: str = REDIRECT_URI, is_public: bool = False, **metadata: Any
) -> Registered:
    """A new program; `metadata` is added to what it says about itself."""
    method = {"token_endpoint_auth_method": "none"} if is_public else {}
    body = {"redirect_uris": [redirect_uri], "client_name": "Reading list", **method, **metadata}
    async with aiohttp.ClientSession() as http, http.post(f"{broker_url}/register", json=body) as answer:
        known = await answer.json()
        assert answer.status == 201, known
    return Registered(broker_url, known["client_id"], known.get("client_secret", ""), redirect_uri)


async def allow(alice: Visitor, url: str, login: str = "alice") -> Answer:
    """Everything a person does after a program sent them to `url`; the answer that leads back to it."""
    page = await alice.get(url)
    assert page.status == 200, page.text
    onward = (await alice.agree(page)).onward
    return await alice.get(await alice.sign_in_at_github(onward, login))


async def post(alice: Visitor, path: str, form: dict[str, str], **headers: str) -> tuple[int, dict[str, Any]]:
    """What the program's server gets for a form: status and JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await alice.ask("POST", f"{alice.broker_url}{path}", {**JSON, **named}, form)
    return answer.status, json.loads(answer.text) if answer.text else {}


async def tokens_of(alice: Visitor, program: Registered, **asked: str) -> dict[str, Any]:
    """The whole login: what the program's server has in the end."""
    back = await allow(alice, program.url(**asked))
    changes = {"code_verifier": ""} if asked.get("code_challenge") == "" else {}
    status, body = await post(alice, "/token", program.redemption(back.query["code"], **changes))
    assert status == 200, body
    return body
