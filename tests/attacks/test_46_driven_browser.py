"""Attack 46: a hostile page drives alice's browser through the sign-in of her own instance, over and over."""

from __future__ import annotations

from pathlib import Path

import local_broker
import pytest
from local_instance import Guest, serve
from programs import Program
from witness import Witness

pytestmark = pytest.mark.anyio


async def test_a_remembered_consent_needs_a_click_each_time(sandbox: Program, tmp_path: Path) -> None:
    """Alice ticked the box; a page that only moves a window about gets the question, and no token is made."""
    async with (
        local_broker.serve(sandbox.url, clock=local_broker.Running()) as broker,
        serve(tmp_path, sandbox.url, broker.url) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        assert (await alice.sign_in()).status == 303
        witness = await Witness.of(sandbox.url)
        for _ in range(3):
            driven = {"Sec_Fetch_User": "", "Sec_Fetch_Site": "cross-site"}
            there = (await alice.open("/auth/login", **driven)).location
            asked = await alice.get(there, **driven)
            assert asked.status == 200
            assert not asked.starts_a_login
        assert await witness.calls() == []
        clicked = (await alice.open("/auth/login")).location
        assert (await alice.get(clicked)).starts_a_login
