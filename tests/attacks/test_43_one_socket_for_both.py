"""Attack 43: on a socket for IPv4 and IPv6 alike, mallory's noise is not taken for everybody's."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest
from programs import Program, github_environment, start

pytestmark = pytest.mark.anyio

# A computer without IPv6 has no such socket, and no such danger.
HOST = "::" if socket.has_dualstack_ipv6() else "127.0.0.1"
PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


async def paste(instance: Program, own_address: str, **headers: str) -> int:
    """Pastes what is no token, over IPv4 from `own_address`; the status of the answer."""
    port = instance.url.rpartition(":")[2]
    connector = aiohttp.TCPConnector(local_addr=(own_address, 0))
    async with aiohttp.ClientSession(connector=connector) as http:
        address = f"http://127.0.0.1:{port}/signin/token"
        async with http.post(address, data={"token": "no token"}, headers={**PAGE, **headers}) as answer:
            return answer.status


async def test_ipv4_visitors_are_told_apart(sandbox: Program, tmp_path: Path) -> None:
    """Mallory's tries are used up, behind the proxy and beside it; alice's, on the same socket, are not."""
    env = github_environment(sandbox.url)
    env |= {"TRACKEEP_DATA_DIR": str(tmp_path), "TRACKEEP_TRUSTED_PROXIES": "127.0.0.1"}
    instance = start("serve", "--host", HOST, "--port", "0", env=env)
    try:
        beside = [await paste(instance, "127.0.0.2") for _ in range(11)]
        assert beside == [400] * 10 + [429]
        assert await paste(instance, "127.0.0.3") == 400
        # Some proxies write the port along: a new one is no new visitor.
        behind = [
            await paste(instance, "127.0.0.1", **{"X-Forwarded-For": f"203.0.113.7:{n + 1}"})
            for n in range(11)
        ]
        assert behind == [400] * 10 + [429]
        assert await paste(instance, "127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"}) == 400
    finally:
        instance.stop()
