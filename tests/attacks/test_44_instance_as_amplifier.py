"""Attack 44: mallory, a stranger, spends what the OAuth service grants an instance; the others get in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import local_broker
import pytest
from local_instance import Guest, serve
from programs import Program

from trackeep.broker import limits

pytestmark = pytest.mark.anyio


async def at_once(mallory: Guest, link: str, times: int) -> set[int]:
    """Opens one address many times with the same cookies; every status that came back."""
    cookies = {host: dict(jar) for host, jar in mallory.cookies.items()}
    statuses = set()
    for _ in range(times // 20):
        mallory.cookies = {host: dict(jar) for host, jar in cookies.items()}
        batch = (mallory.get(link, X_Forwarded_For="203.0.113.66") for _ in range(20))
        statuses |= {answer.status for answer in await asyncio.gather(*batch)}
    return statuses


async def test_made_up_codes_leave_room_for_others(sandbox: Program, tmp_path: Path) -> None:
    """As many wrong codes as the service takes, through the instance's front door: alice still signs in."""
    async with (
        local_broker.serve(sandbox.url, clock=local_broker.Running()) as broker,
        serve(tmp_path, sandbox.url, broker.url, trusted_proxies="127.0.0.1") as instance,
        Guest(instance.url, broker.url, "mallory") as mallory,
        Guest(instance.url, broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        own = mallory.query_of(await mallory.back_from(f"{instance.url}/auth/login"))
        wrong = f"{instance.url}/auth/callback?{urlencode({**own, 'code': 'x'})}"
        most = limits.REDEMPTIONS.most // limits.REDEMPTIONS.refused_costs
        assert await at_once(mallory, wrong, most) == {400, 429}
        assert (await alice.sign_in()).status == 303
        assert await alice.is_signed_in()


async def test_logins_begun_in_vain_leave_room_for_others(sandbox: Program, tmp_path: Path) -> None:
    """As many starts as the service takes from the whole instance: alice can still begin hers."""
    async with (
        local_broker.serve(sandbox.url, clock=local_broker.Running()) as broker,
        serve(tmp_path, sandbox.url, broker.url, trusted_proxies="127.0.0.1") as instance,
        Guest(instance.url, broker.url, "mallory") as mallory,
        Guest(instance.url, broker.url) as alice,
    ):
        start = f"{instance.url}/auth/login"
        assert await at_once(mallory, start, limits.PUSHES.most) == {303, 429}
        await alice.set_up(await instance.code())
        assert (await alice.sign_in()).status == 303
