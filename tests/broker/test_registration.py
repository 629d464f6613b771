"""Registering a program: what may be said, what comes back, and how the secret is shown afterwards."""

import base64
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from local_broker import serve
from programs import Program
from registered import REDIRECT_URI, allow, post, register
from visitor import Visitor
from witness import Witness

from trackeep.handshake import keys

pytestmark = pytest.mark.anyio


async def ask(broker_url: str, body: Any, **how: Any) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http:
        given = how or {"json": body}
        async with http.post(f"{broker_url}/register", **given) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()


async def test_a_registration_comes_back_whole(broker: Program) -> None:
    """RFC 7591 section 3.2.1: id, secret and everything that was registered, defaults included."""
    status, body = await ask(broker.url, {"redirect_uris": [REDIRECT_URI], "client_name": "List"})
    assert status == 201
    assert len(body["client_id"]) <= 1500
    assert len(body.pop("client_secret")) >= 43
    assert body.pop("client_id") and body.pop("client_id_issued_at") > 1_700_000_000
    assert body == {
        "client_secret_expires_at": 0,
        "redirect_uris": [REDIRECT_URI],
        "client_name": "List",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": "RS256",
    }


async def test_a_public_program_gets_no_secret(broker: Program) -> None:
    """`none` means none; what a program writes down as null counts as left out."""
    metadata = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none", "grant_types": None}
    status, body = await ask(broker.url, metadata)
    assert status == 201
    assert body["token_endpoint_auth_method"] == "none"
    assert not {"client_secret", "client_secret_expires_at"} & set(body)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": "http://localhost/"}, "invalid_redirect_uri"),
        ({"redirect_uris": [1]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://list.example/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://list.example/#part"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a@list.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://list.example/?code=x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://list.example/"] * 11}, "invalid_redirect_uri"),
        (
            {"redirect_uris": [f"https://list.example/{'x' * 400}{n}" for n in range(4)]},
            "invalid_client_metadata",
        ),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"client_name": 7}, "invalid_client_metadata"),
    ],
)
async def test_what_cannot_be_registered(broker: Program, change: dict[str, Any], error: str) -> None:
    """RFC 7591 section 3.2.2: refused in its own words, with a sentence."""
    status, body = await ask(broker.url, {"redirect_uris": [REDIRECT_URI], **change})
    assert (status, body["error"]) == (400, error)
    assert body["error_description"].endswith(".")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"\xff", b"[" * 9000])
async def test_a_body_that_is_no_object(broker: Program, body: bytes) -> None:
    """Refused with 400, never with an error of the program."""
    status, _ = await ask(broker.url, None, data=body, headers={"Content-Type": "application/json"})
    assert status == 400


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_secret_is_shown_in_the_header_or_in_the_form(
    broker: Program, sandbox: Program, method: str
) -> None:
    """A wrong or missing one is invalid_client, costs nothing, and leaves the code to its owner."""
    program = await register(broker.url, token_endpoint_auth_method=method)
    async with Visitor(broker.url) as alice:
        code = (await allow(alice, program.url())).query["code"]
        witness = await Witness.of(sandbox.url)
        for secret in ("", "x", program.secret[:-1], program.secret + "x", "ü"):
            form, headers = shown(program.redemption(code), secret, method)
            answer = await alice.ask("POST", f"{broker.url}/token", headers, form)
            assert (answer.status, '"invalid_client"' in answer.text) == (401, True)
            # RFC 6749 section 5.2: the challenge for whoever tried the header.
            challenge = answer.headers.get("WWW-Authenticate", "")
            assert challenge.startswith("Basic") is (method == "client_secret_basic")
        assert await witness.calls() == []
        form, headers = shown(program.redemption(code), program.secret, method)
        assert (await alice.ask("POST", f"{broker.url}/token", headers, form)).status == 200


async def test_id_and_secret_are_form_encoded_inside_the_header(broker: Program) -> None:
    """RFC 6749 section 2.3.1: every character may be written as %XX, and the id may be in the form, too."""
    program = await register(broker.url)
    everything = "".join(f"%{byte:02X}" for byte in program.secret.encode())
    header = base64.b64encode(f"{quote(program.id, safe='')}:{everything}".encode()).decode()
    async with Visitor(broker.url) as alice:
        code = (await allow(alice, program.url())).query["code"]
        form = program.redemption(code, client_secret="")
        other = {**form, "client_id": "other"}
        status, body = await post(alice, "/token", other, authorization=f"Basic {header}")
        assert (status, body["error"]) == (400, "invalid_request")
        status, _ = await post(alice, "/token", form, authorization=f"Basic {header}")
        assert status == 200


@pytest.mark.parametrize("value", ["Basic", "Basic x", "Basic !!!", "Basic /w==", "Basic " + "A" * 5000])
async def test_a_header_that_cannot_be_read(broker: Program, value: str) -> None:
    """Refused with the challenge of the scheme, never with an error of the program."""
    async with Visitor(broker.url) as alice:
        form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": REDIRECT_URI}
        status, body = await post(alice, "/token", form, authorization=value)
    assert (status in (400, 401), body["error"] in ("invalid_client", "invalid_request")) == (True, True)


async def test_nothing_is_stored(sandbox: Program) -> None:
    """Another replica with the same keys knows a program that it never saw, and its secret."""
    ring = keys.make_ring(1_800_000_000)
    async with serve(sandbox.url, ring) as one:
        program = await register(one.url)
        async with serve(sandbox.url, ring) as two, Visitor(two.url) as alice:
            form = {"token": "x" * 2000, "client_id": program.id, "client_secret": program.secret}
            assert (await post(alice, "/revoke", form))[0] == 200
            assert (await post(alice, "/revoke", {**form, "client_secret": "x"}))[0] == 401


async def test_a_program_may_not_pass_for_another(broker: Program) -> None:
    """A code of one registration is worth nothing to another, whose redirect_uri and secret are right."""
    one, two = await register(broker.url), await register(broker.url)
    async with Visitor(broker.url) as alice:
        code = (await allow(alice, one.url())).query["code"]
        form = one.redemption(code, client_id=two.id, client_secret=two.secret)
        status, body = await post(alice, "/token", form)
    assert (status, body["error"]) == (400, "invalid_grant")


def shown(form: dict[str, str], secret: str, method: str) -> tuple[dict[str, str], dict[str, str]]:
    """`form` and headers, with `secret` where `method` puts it."""
    rest = {name: value for name, value in form.items() if name != "client_secret"}
    if method == "client_secret_post":
        return (rest | {"client_secret": secret} if secret else rest), {}
    header = base64.b64encode(f"{quote(form['client_id'])}:{quote(secret)}".encode()).decode()
    return rest, {"Authorization": f"Basic {header}"}
