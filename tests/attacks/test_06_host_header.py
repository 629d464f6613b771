"""Attack 6: a forged Host or X-Forwarded-Host must appear in no address that either program makes."""

from __future__ import annotations

import base64
import itertools
import json
import re
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from local_instance import Guest
from local_instance import serve as serve_instance
from programs import Program
from registered import post, register
from visitor import NAVIGATION, Start, Visitor

from trackeep.broker.app import ROUTES

pytestmark = pytest.mark.anyio
POISON = {"host": "evil.example", "x_forwarded_host": "evil.example", "forwarded": "host=evil.example"}
EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}


PATHS = sorted({route.path.replace("{path:path}", "/userinfo") for route in ROUTES})
DOCUMENTS = [path for path in PATHS if "/.well-known/" in path] + ["/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_no_address_of_the_service_says_what_host_says(broker: Program, path: str, accept: str) -> None:
    """Every address, by every method, with a slash too many or not: neither body nor header repeats it."""
    headers = {**NAVIGATION, **EVIL, "Accept": accept}
    async with aiohttp.ClientSession() as http:
        for method, slash in itertools.product(("GET", "POST", "OPTIONS"), ("", "/")):
            asked = http.request(method, broker.url + path + slash, headers=headers, allow_redirects=False)
            async with asked as answer:
                assert "Location" not in answer.headers
                assert answer.status in (200, 204, 400, 401, 403, 404, 405)
                assert "evil.example" not in await answer.text() + str(answer.headers)


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_every_document_names_the_configured_address(broker: Program, path: str) -> None:
    """Programs learn all addresses from these documents: they are the same whatever a request says."""
    async with Visitor(broker.url) as anybody:
        poisoned = await anybody.get(broker.url + path, **POISON)
        assert poisoned.status == 200
        assert poisoned.text == (await anybody.get(broker.url + path)).text
        addresses = re.findall(r'"(https?://[^"]+)"', poisoned.text)
    assert path.endswith(("jwks.json", "openapi.json")) or addresses
    assert all(address.startswith(broker.url) for address in addresses if "localhost" in address)


async def test_a_challenge_leads_to_our_own_document(broker: Program) -> None:
    """The 401 of a protected address tells programs where to sign in: at the configured service."""
    async with Visitor(broker.url) as anybody:
        for path in ("/api/v1/user/me", "/userinfo"):
            answer = await anybody.get(broker.url + path, **POISON)
            assert answer.status == 401
            assert f'resource_metadata="{broker.url}/' in answer.headers["WWW-Authenticate"]


async def test_a_registered_program_is_signed_in_by_the_settings(broker: Program) -> None:
    """Registering, pushing, asking and redeeming through a poisoned proxy: the issuer stays ours."""
    async with Visitor(broker.url) as alice:
        program = await register(broker.url)
        status, pushed = await post(alice, "/par", program.question(client_secret=program.secret), **POISON)
        assert status == 201
        named = urlencode({"client_id": program.id, "request_uri": pushed["request_uri"]})
        page = await alice.get(f"{broker.url}/authorize?{named}", **POISON)
        onward = (await alice.agree(page, **POISON)).onward
        back = await alice.get(await alice.sign_in_at_github(onward), **POISON)
        assert back.query["iss"] == broker.url
        status, tokens = await post(alice, "/token", program.redemption(back.query["code"]), **POISON)
        assert status == 200
        made = await alice.post(
            f"{broker.url}/apps/new",
            {"callback": "https://a.example/x", "name": "", "kind": "secret"},
            **POISON,
        )
    payload = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["iss"] == broker.url
    assert f"{broker.url}/.well-known/openid-configuration" in made.text
    assert "evil.example" not in page.text + onward + made.text


async def test_a_login_is_built_from_the_settings(broker: Program) -> None:
    """The whole login through a poisoned proxy: GitHub, issuer and links are the configured ones."""
    async with Visitor(broker.url) as visitor:
        page = await visitor.get(
            Start().url(broker.url), host="evil.example", x_forwarded_host="evil.example"
        )
        assert page.status == 200
        onward = await visitor.agree(page, host="evil.example", x_forwarded_host="evil.example")
        assert "evil.example" not in page.text + onward.text
        back = await visitor.sign_in_at_github(onward.onward)
        answer = await visitor.get(back, host="evil.example", x_forwarded_host="evil.example")
        assert answer.query["iss"] == broker.url


async def test_the_instance_redirects_to_its_own_address(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """A visitor under another loopback name is led to the base URL; another host is told, not redirected."""
    async with (
        serve_instance(tmp_path, sandbox.url, broker.url) as instance,
        Guest(instance.url, broker.url) as guest,
    ):
        port = urlsplit(instance.url).port
        answer = await guest.open("/auth/login", host=f"evil.localhost:{port}")
        assert answer.location.startswith(f"{instance.url}/auth/login?")
        for path in ("/auth/login", "/signin", "/setup", "/setup/", "/repos/", "//evil.example/"):
            answer = await guest.open(path, host="evil.example", x_forwarded_host="evil.example")
            assert answer.status in (400, 404)
            assert "Location" not in answer.headers
