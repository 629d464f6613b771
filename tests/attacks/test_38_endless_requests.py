"""Attack 38: connections that never finish a request, and requests whose head never ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from urllib.parse import urlsplit

import local_broker
import pytest
from programs import Program, environment
from served import served

from trackeep import web
from trackeep.broker.app import create_app
from trackeep.connections import BoundedHttp
from trackeep.environment import broker_settings
from trackeep.handshake import keys

pytestmark = pytest.mark.anyio
MB = 1 << 20


class Impatient(BoundedHttp):
    """The same protocol for a test that has no time to wait."""

    arrives_within_s = 0.4


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)


def memory_mb(program: Program) -> int:
    pages = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return pages * 4096 // MB


@pytest.mark.parametrize("beginning", [b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /"])
async def test_a_head_without_end_is_cut_off(broker: Program, beginning: bytes) -> None:
    """mallory sends one header, or one address, for ever: she is cut off before it costs memory."""
    before = memory_mb(broker)
    reader, writer = await connect(broker.url)
    with contextlib.suppress(ConnectionError):
        writer.write(beginning)
        for _ in range(32):
            writer.write(b"a" * MB)
            await writer.drain()
        pytest.fail("32 MB of one head were taken")
    writer.close()
    assert memory_mb(broker) - before < 8
    # Whoever comes next is served.
    reader, writer = await connect(broker.url)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 900\r\n\r\ncode=",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",
    ],
)
async def test_half_a_request_does_not_hold_a_connection(beginning: bytes) -> None:
    """A connection that stays silent, or stops within a head or a body, is closed by us."""
    settings = broker_settings(environment(local_broker.broker_environment("http://localhost:9")))
    app = create_app(settings, keys.make_ring(local_broker.NOW))
    listener = web.bind("127.0.0.1", 0)
    async with served(app, listener, http=Impatient):
        reader, writer = await connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        writer.write(beginning)
        began = time.monotonic()
        # A busy machine may take longer; what is promised is that it ends, and not before its time.
        await asyncio.wait_for(reader.read(), 60)
        assert time.monotonic() - began > 0.3
        writer.close()


async def test_a_request_in_pieces_is_served(broker: Program) -> None:
    """What comes slowly, yet in time, is answered, again and again on one connection."""
    reader, writer = await connect(broker.url)
    for _ in range(3):
        for piece in (b"GET /healthz HTT", b"P/1.1\r\nHo", b"st: x\r\n", b"\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.05)
        assert b'{"status":"ok"}' in await reader.readuntil(b"}")
    writer.close()


async def test_a_form_left_half_way_leaves_no_stack_trace(broker: Program) -> None:
    """Whoever goes away in the middle of a form fills no log: one line, as for any request."""
    before = broker.stderr_text().count("Traceback")
    for _ in range(3):
        _, writer = await connect(broker.url)
        writer.write(
            b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 900\r\n\r\ncode="
        )
        await writer.drain()
        writer.close()
    await asyncio.sleep(0.3)
    assert broker.stderr_text().count("Traceback") == before
