"""The documents from which programs learn what the service offers: every word in them is kept."""

import json
import re
from typing import Any

import pytest
from local_broker import serve
from programs import Program
from registered import register
from visitor import Visitor

pytestmark = pytest.mark.anyio

SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"


async def document(broker_url: str, path: str) -> dict[str, Any]:
    async with Visitor(broker_url) as anybody:
        answer = await anybody.ask("GET", f"{broker_url}{path}", {"Origin": "https://anywhere.example"})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    found: dict[str, Any] = json.loads(answer.text)
    return found


@pytest.mark.parametrize("path", [SERVER, OPENID])
async def test_the_metadata_holds_what_its_standard_requires(broker: Program, path: str) -> None:
    """RFC 8414 section 2, OpenID Connect Discovery section 3: the members that have to be there."""
    found = await document(broker.url, path)
    assert found["issuer"] == broker.url
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["client_id_metadata_document_supported"] is True
    if path == OPENID:
        assert "RS256" in found["id_token_signing_alg_values_supported"]
        assert found["subject_types_supported"] == ["public"]
        assert {"openid", "profile", "email"} <= set(found["scopes_supported"])


async def test_every_address_in_the_metadata_answers(broker: Program) -> None:
    """None of them is a 404, and none is anywhere else than here."""
    found = await document(broker.url, OPENID)
    addresses = [value for value in found.values() if isinstance(value, str)]
    assert len(addresses) >= 9
    async with Visitor(broker.url) as anybody:
        for address in addresses:
            assert address.startswith(broker.url)
            answer = await anybody.ask("GET", address if address != broker.url else f"{address}/", {})
            assert answer.status in (200, 400, 401, 405), address


async def test_what_is_declared_can_be_registered(broker: Program) -> None:
    """Each method of authentication and each algorithm in the metadata is taken by /register."""
    found = await document(broker.url, OPENID)
    for method in found["token_endpoint_auth_methods_supported"]:
        for algorithm in found["id_token_signing_alg_values_supported"]:
            known = {"token_endpoint_auth_method": method, "id_token_signed_response_alg": algorithm}
            program = await register(broker.url, grant_types=found["grant_types_supported"], **known)
            assert bool(program.secret) is (method != "none")


@pytest.mark.parametrize("path", ["/api/v1/user/me", "/userinfo"])
async def test_a_challenge_leads_to_the_document_about_exactly_that_address(
    broker: Program, path: str
) -> None:
    """RFC 9728 section 3.3: `resource` is the very address that was asked, or clients throw it away."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.ask("GET", f"{broker.url}{path}", {})
    named = re.search(r'resource_metadata="([^"]+)"', answer.headers["WWW-Authenticate"])
    assert named and named[1] == f"{broker.url}{RESOURCE}{path}"
    found = await document(broker.url, f"{RESOURCE}{path}")
    assert found["resource"] == f"{broker.url}{path}"
    assert found["authorization_servers"] == [broker.url]
    assert found["scopes_supported"] == ["openid", "profile", "email"]


async def test_there_is_no_document_about_anything_else(broker: Program) -> None:
    """The service as a whole is a resource; an address that is none has no document."""
    assert (await document(broker.url, RESOURCE))["resource"] == broker.url
    async with Visitor(broker.url) as anybody:
        for path in ("/", "/token", "/api/v1/user/me/", "x"):
            answer = await anybody.ask("GET", f"{broker.url}{RESOURCE}{path}", {})
            assert answer.status == 404


async def test_below_a_path_the_issuer_has_it_too(sandbox: Program) -> None:
    """A service at a sub-path names its addresses below it, whatever Host says."""
    async with serve(sandbox.url, base_url="https://example.org/login") as broker:
        found = await document(f"{broker.url}/login", OPENID)
    assert found["issuer"] == "https://example.org/login"
    assert found["token_endpoint"] == "https://example.org/login/token"
