"""Attack 25: many logins elsewhere, so that GitHub, which keeps ten tokens, drops the instance's own."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from local_broker import Running
from local_broker import serve as serve_broker
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from visitor import Start

from trackeep.store import people

pytestmark = pytest.mark.anyio

MOST = 10


async def token_of(instance: LocalInstance) -> str:
    async with instance.site.db.read() as conn:
        found = await people.credential(conn, instance.site.vault, await people.account_named(conn, "alice"))
    assert found is not None
    return found.access_token


async def is_alive(github: Sandbox, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{github.url}/api/v3/user") as answer,
    ):
        return answer.status == 200


async def test_logins_by_the_guide_cannot_push_ours_out(changing: Sandbox, tmp_path: Path) -> None:
    """Eleven logins in a row in token mode: the instance goes on, because its scopes are another set."""
    async with (
        serve_broker(changing.url, clock=Running()) as broker,
        serve(tmp_path, changing.url, broker.url) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        await alice.sign_in()
        ours = await token_of(instance)
        for _ in range(MOST + 1):
            assert (await alice.log_in(Start(with_code=False))).query["token"]
        assert await is_alive(changing, ours)
        listed = changing.ask("/tokens")["tokens"]
        guides = [each for each in listed if each["client_id"] and "read:org" not in each["scopes"]]
        assert [each["revoked"] for each in guides] == [True] + [False] * MOST


async def test_signing_in_again_and_again_ends_only_what_it_replaces(
    changing: Sandbox, tmp_path: Path
) -> None:
    """A dozen logins of our own beside a second instance: one token each, and both live."""
    async with (
        serve_broker(changing.url, clock=Running()) as broker,
        serve(tmp_path / "one", changing.url, broker.url) as one,
        serve(tmp_path / "two", changing.url, broker.url) as two,
        Guest(one.url, broker.url) as at_one,
        Guest(two.url, broker.url) as at_two,
    ):
        for guest, instance in ((at_two, two), (at_one, one)):
            await guest.set_up(await instance.code())
            await guest.sign_in()
        before = await token_of(one)
        alive = changing.ask("/tokens")["alive"]
        for _ in range(MOST + 2):
            async with Guest(one.url, broker.url) as phone:
                assert (await phone.sign_in()).status == 303
        assert changing.ask("/tokens")["alive"] == alive
        assert not await is_alive(changing, before)
        assert await is_alive(changing, await token_of(one))
        assert await is_alive(changing, await token_of(two))
