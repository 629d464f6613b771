"""Attack 35: documents that claim more than their host may say, brought to every door of the service."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import local_broker
import pytest
from document_host import BASE_URL, HOST, KEY, URL, body, scene
from https_server import page
from joserfc.jwk import ECKey
from programs import Program
from visitor import Visitor

from trackeep.handshake import dpop

pytestmark = pytest.mark.anyio

CALLBACK = f"{BASE_URL}/auth/callback"
PKCE = {"code_challenge": "a" * 43, "code_challenge_method": "S256"}
START = {"client_id": URL, "redirect_uri": BASE_URL, **PKCE}
EXACT = {"client_id": URL, "redirect_uri": CALLBACK, "response_type": "code", **PKCE}
JSON = {"Accept": "application/json"}

FALSE: dict[str, dict[str, Any]] = {
    "about another host": {"client_id": "https://alice.example/.well-known/oauth-client"},
    "about another path": {"client_id": f"https://{HOST}/.well-known/oauth-client"},
    "about nobody": {"client_id": None},
    "with a secret": {"client_secret": "mallory knows it"},
    "secret in the header": {"token_endpoint_auth_method": "client_secret_basic"},
    "secret in the form": {"token_endpoint_auth_method": "client_secret_post"},
    "signed by a shared secret": {"token_endpoint_auth_method": "client_secret_jwt"},
    "private_key_jwt": {"token_endpoint_auth_method": "private_key_jwt"},
    "sends logins elsewhere": {"redirect_uris": [CALLBACK, "https://mallory.example/auth/callback"]},
    "sends logins nowhere": {"redirect_uris": []},
    "with a private key": {"jwks": {"keys": [KEY.as_dict(private=True)]}},
}


def proof(broker: local_broker.LocalBroker, key: ECKey) -> dict[str, str]:
    return {"DPoP": dpop.make_proof(key, "POST", f"{broker.url}/par", int(broker.clock()), "one")}


@pytest.mark.parametrize("what", FALSE)
async def test_false_documents(sandbox: Program, what: str) -> None:
    """At the start link, at /authorize and at /par, with the right key: invalid_client, nobody is asked."""
    async with (
        scene(page(body(**FALSE[what]))) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as mallory,
    ):
        answers = [
            await mallory.ask("GET", f"{broker.url}/auth/github?{urlencode(START)}", JSON),
            await mallory.ask("GET", f"{broker.url}/authorize?{urlencode(EXACT)}", JSON),
            await mallory.ask("POST", f"{broker.url}/par", proof(broker, KEY), START),
            await mallory.ask("POST", f"{broker.url}/par", proof(broker, KEY), EXACT),
        ]
    for answer in answers:
        assert answer.status == 401
        assert '"invalid_client"' in answer.text
        assert not answer.location
        assert "mallory" not in answer.text


async def test_the_true_document(sandbox: Program) -> None:
    """What is refused elsewhere in this file is refused for its falsehood: this one is taken, pushed."""
    async with (
        scene(page(body())) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as alice,
    ):
        for asked in (START, EXACT):
            answer = await alice.ask("POST", f"{broker.url}/par", proof(broker, KEY), asked)
            assert answer.status == 201, answer.text


@pytest.mark.parametrize("asked", [START, EXACT])
async def test_a_true_document_and_another_key(sandbox: Program, asked: dict[str, str]) -> None:
    """Who names alice's document needs the key that it publishes; none at all is not enough either."""
    async with (
        scene(page(body())) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as mallory,
    ):
        for header in ({}, proof(broker, ECKey.generate_key("P-256"))):
            answer = await mallory.ask("POST", f"{broker.url}/par", header, asked)
            assert answer.status == 401
            assert '"invalid_client"' in answer.text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://mallory.example",
        f"https://{HOST}",
        f"https://{HOST}/other",
        f"https://{HOST}.mallory.example/trackeep",
    ],
)
async def test_a_true_document_and_another_address(sandbox: Program, redirect_uri: str) -> None:
    """Alice's document vouches for alice's addresses, letter by letter, and for nothing of mallory's."""
    asked = {**START, "redirect_uri": redirect_uri}
    exact = {**EXACT, "redirect_uri": f"{redirect_uri}/auth/callback"}
    async with (
        scene(page(body())) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as mallory,
    ):
        for form in (asked, exact):
            answer = await mallory.ask("POST", f"{broker.url}/par", proof(broker, KEY), form)
            assert answer.status == 400
        answer = await mallory.ask("GET", f"{broker.url}/authorize?{urlencode(exact)}", JSON)
        assert answer.status == 400
        assert not answer.location
