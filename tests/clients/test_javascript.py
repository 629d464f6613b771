"""Two JavaScript libraries of others sign people in; the first of them is the strictest that there is."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import client_program
import pytest
from programs import Program
from registered import REDIRECT_URI, allow, register
from sandbox_control import Sandbox
from visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_oauth4webapi_with_everything_it_can_check(
    broker: Program, sandbox: Program, node_packages: Path
) -> None:
    """Discovery, registration, pushed request, PKCE, DPoP, `iss`, the id_token's signature, userinfo."""
    running = await client_program.run(
        "oauth4webapi_login.mjs", broker.url, REDIRECT_URI, "openid profile email", cwd=node_packages
    )
    async with Visitor(broker.url) as alice:
        back = await allow(alice, await running.opens())
    found = await running.came_back(back.location)
    assert "error" not in found, found
    assert found["user"]["preferred_username"] == "alice"
    assert found["claims"]["sub"] == str(Sandbox(sandbox.url).person_id())
    assert found["resource"] == f"{broker.url}/api/v1/user/me"


async def test_oauth4webapi_asks_for_githubs_token(broker: Program, node_packages: Path) -> None:
    """The same with scope `github` beside `openid`: one login for both."""
    running = await client_program.run(
        "oauth4webapi_login.mjs", broker.url, REDIRECT_URI, "openid github read:org", cwd=node_packages
    )
    async with Visitor(broker.url) as alice:
        back = await allow(alice, await running.opens())
    found = await running.came_back(back.location)
    assert found.get("scope") == "openid github read:org", found


async def test_authjs_signs_people_in_with_a_nonce(
    broker: Program, sandbox: Program, node_packages: Path
) -> None:
    """Issuer, id and secret are all it is given; it sends no challenge, and checks the nonce."""
    program = await register(broker.url, redirect_uri="http://localhost:8765/auth/callback/github")
    running = await client_program.run(
        "authjs_login.mjs", broker.url, program.id, program.secret, cwd=node_packages
    )
    address = await running.opens()
    asked = parse_qs(urlsplit(address).query)
    assert "nonce" in asked and "code_challenge" not in asked
    async with Visitor(broker.url) as alice:
        back = await allow(alice, address)
    found = await running.came_back(back.location)
    assert found["profile"]["sub"] == str(Sandbox(sandbox.url).person_id())
    assert found["session"]["user"]["email"].startswith("alice")
