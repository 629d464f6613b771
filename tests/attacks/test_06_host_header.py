"""Attack 6: a forged Host or X-Forwarded-Host must appear in no address that either program makes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from local_instance import Guest
from local_instance import serve as serve_instance
from programs import Program
from visitor import NAVIGATION, Start, Visitor

pytestmark = pytest.mark.anyio
EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("path", ["/", "/auth/github", "/auth/github/callback", "/token", "/revoke"])
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_service_never_redirects_by_host(
    broker: Program, method: str, path: str, slash: str
) -> None:
    """No address, with a slash too many or not, sends a browser or a posted code where Host says."""
    async with aiohttp.ClientSession() as http:
        asked = http.request(
            method, f"{broker.url}{path}{slash}", headers={**NAVIGATION, **EVIL}, allow_redirects=False
        )
        async with asked as answer:
            assert "Location" not in answer.headers
            assert answer.status in (200, 400, 403, 404, 405)
            assert "evil.example" not in await answer.text()


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
