"""The whole login, through the real OAuth service and a local GitHub, into a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["", "/t"])
async def test_the_first_login_makes_the_owner(
    sandbox: Program, broker: Program, tmp_path: Path, path: str
) -> None:
    """Set-up code, GitHub, and the owner is in, at the root and below a path."""
    async with (
        serve(tmp_path, sandbox.url, broker.url, path=path) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        assert (await alice.open("/signin")).location == f"{path}/setup"
        assert (await alice.set_up(await instance.code())).location == f"{path}/signin"
        answer = await alice.sign_in()
        assert answer.status == 303, answer.text
        assert answer.location == f"{path}/repos?first=1"
        assert await alice.is_signed_in()
