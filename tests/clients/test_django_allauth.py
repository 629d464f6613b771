"""django-allauth, as a Django site configures it, signs people in with id, secret and one address."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from programs import Program, environment
from registered import allow, register
from sandbox_control import Sandbox
from visitor import Visitor

pytestmark = pytest.mark.anyio

SITE = Path(__file__).parent / "django_site.py"


@asynccontextmanager
async def site(broker_url: str, folder: Path, *, with_pkce: bool) -> AsyncIterator[str]:
    """A running Django site that was registered before it had a port; its address."""
    callback = "http://localhost/accounts/oidc/github/login/callback/"
    program = await register(broker_url, redirect_uri=callback)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SITE), broker_url, program.id, program.secret),
        *(str(folder), "yes" if with_pkce else "no"),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line.startswith(b"READY")
        yield line.decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


async def test_a_django_site_makes_a_user_of_the_github_account(
    broker: Program, sandbox: Program, tmp_path: Path
) -> None:
    """The person signs in and is somebody there: GitHub's number, user name and verified address."""
    async with site(broker.url, tmp_path, with_pkce=True) as url, Visitor(broker.url) as alice:
        sent = await alice.get(f"{url}/accounts/oidc/github/login/")
        back = await allow(alice, sent.location)
        inside = await alice.get(back.location)
        assert (inside.status, inside.location) == (302, "/me"), inside.text
        me = json.loads((await alice.get(f"{url}/me")).text)
    assert (me["username"], me["email"].startswith("alice")) == ("alice", True)
    assert (me["uid"], me["provider"]) == (str(Sandbox(sandbox.url).person_id()), "github")


async def test_with_neither_challenge_nor_nonce_it_is_told_what_to_switch_on(
    broker: Program, tmp_path: Path
) -> None:
    """Out of the box it sends neither; the answer names the setting, and nobody is asked anything."""
    async with site(broker.url, tmp_path, with_pkce=False) as url, Visitor(broker.url) as alice:
        sent = await alice.get(f"{url}/accounts/oidc/github/login/")
        refused = await alice.get(sent.location)
    assert refused.location.startswith(f"{url}/accounts/oidc/github/login/callback/?error=invalid_request")
    assert "PKCE" in refused.query["error_description"]
