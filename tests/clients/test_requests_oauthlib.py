"""requests-oauthlib, a library of others, signs people in."""

import client_program
import pytest
from programs import Program
from registered import allow, register
from sandbox_control import Sandbox
from visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_a_session_learns_who_signed_in(broker: Program, sandbox: Program) -> None:
    """Id, secret and a challenge; the scope comes back as it was asked for, which this library insists on."""
    program = await register(broker.url)
    scope = "openid profile email"
    running = await client_program.run(
        "requests_oauthlib_login.py",
        *(broker.url, program.id, program.secret, program.redirect_uri, scope),
        # It takes http for insecure, even on the computer itself.
        env={"OAUTHLIB_INSECURE_TRANSPORT": "1"},
    )
    async with Visitor(broker.url) as alice:
        back = await allow(alice, await running.opens())
    found = await running.came_back(back.location)
    assert found["scope"] == scope.split()
    assert found["user"]["preferred_username"] == "alice"
    assert found["user"]["sub"] == str(Sandbox(sandbox.url).person_id())
