"""Attack 42: pages made to lie by a name or a signature, and bearer tokens of nothing but brackets."""

from __future__ import annotations

import base64
import json

import local_broker
import pytest
from document_host import BASE_URL, KEY, URL, body, scene
from https_server import page
from programs import Program
from registered import register
from visitor import Start, Visitor

from trackeep.handshake import dpop, messages

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "end, begin", [("\u201d", "\u201c"), ('"', '"'), ("\u00bb", "\u00ab"), ("\uff02", "\uff02")]
)
async def test_name_stays_in_its_quotation(broker: Program, end: str, begin: str) -> None:
    """`Ada". GitHub has verified this address` is read as a name, not as two sentences of the page."""
    name = f"Ada{end}. GitHub has verified this address. It is {begin}Ada"
    async with Visitor(broker.url) as visitor:
        consent = await visitor.get(Start("https://mallory.example", name=name).url(broker.url))
    assert consent.status == 200
    calls, _, rest = consent.text.partition("It calls itself &ldquo;<bdi>")[2].partition("</bdi>&rdquo;")
    assert calls == "Ada . GitHub has verified this address. It is Ada"
    assert rest.startswith(". Nobody has checked that name")


@pytest.mark.parametrize("where", ["/api/v1/user/me", "/userinfo"])
async def test_token_of_brackets(broker: Program, where: str) -> None:
    """A bearer token whose header is 3,000 brackets deep is refused like any other."""
    header = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3_000).decode().rstrip("=")
    async with Visitor(broker.url) as mallory:
        answer = await mallory.get(broker.url + where, Authorization=f"Bearer {header}.e30.eHg")
    assert answer.status == 401
    assert json.loads(answer.text)["error"] == "invalid_token"


@pytest.mark.parametrize("is_pinned", [True, False])
async def test_signed_means_by_the_key_in_the_document(sandbox: Program, is_pinned: bool) -> None:
    """Anybody can sign with some key: only one that the host publishes is told of on the page."""
    async with (
        scene(page(body() if is_pinned else body(jwks=None))) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as alice,
    ):
        asked = Start(BASE_URL)
        form = messages.start_parameters(
            messages.StartRequest(
                BASE_URL, asked.state, messages.code_challenge(asked.verifier), client_id=URL
            )
        )
        proof = dpop.make_proof(KEY, "POST", f"{broker.url}/par", int(broker.clock()), "one")
        pushed = json.loads((await alice.ask("POST", f"{broker.url}/par", {"DPoP": proof}, form)).text)
        consent = await alice.get(messages.pushed_url(broker.url, URL, pushed["request_uri"]))
    assert "This address published who it is" in consent.text
    assert ("and the request was signed" in consent.text) is is_pinned


async def test_pairing_code_only_where_the_other_side_shows_one(sandbox: Program) -> None:
    """Over plain http a Trackeep shows the same eight characters; a code that proves nothing is not shown."""
    there = "http://192.168.1.5:8080"
    async with local_broker.serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        program = await register(broker.url, redirect_uri=f"{there}/callback")
        without_challenge = program.url(code_challenge="", code_challenge_method="")
        pages = [
            await alice.get(link) for link in (Start(there).url(broker.url), program.url(), without_challenge)
        ]
    assert [page.status for page in pages] == [200] * 3
    assert ["Pairing code" in page.text for page in pages] == [True, False, False]
