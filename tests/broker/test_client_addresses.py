"""Clients whose id is an address: it is taken letter by letter, also where it looks like a base URL."""

from __future__ import annotations

import local_broker
import pytest
from document_host import HOST, body, scene
from https_server import page
from programs import Program
from registered import Registered, post, tokens_of
from visitor import Visitor

pytestmark = pytest.mark.anyio

REDIRECT_URI = f"https://{HOST}/oauth/callback"


@pytest.mark.parametrize("path", ["/", "/client/", "/client", "/auth/callback"])
async def test_an_id_in_any_spelling_redeems_its_code(sandbox: Program, path: str) -> None:
    """Begun at /authorize or at /par, the code is worth an id_token for exactly this id, and no other."""
    client_id = f"https://{HOST}{path}"
    async with (
        scene(page(body(client_id=client_id, redirect_uris=[REDIRECT_URI], jwks=None))) as it,
        local_broker.serve(sandbox.url, clock=local_broker.Running(), documents=it.documents) as broker,
        Visitor(broker.url) as alice,
    ):
        program = Registered(broker.url, client_id, "", REDIRECT_URI)
        assert "id_token" in await tokens_of(alice, program)
        status, pushed = await post(alice, "/par", program.question())
        assert status == 201, pushed
        request = {"client_id": client_id, "request_uri": pushed["request_uri"]}
        page_ = await alice.ask("POST", f"{broker.url}/authorize", {"Accept": "text/html"}, request)
        assert page_.status == 200
