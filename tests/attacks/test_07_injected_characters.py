"""Attack 7: line ends, control characters and parameters smuggled into headers, addresses and the log."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from local_broker import broker_environment
from programs import Program, start
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio
NASTY = 'a\r\nSet-Cookie: mallory=1\r\n\r\n<script>&code=forged&iss=forged#"'


async def test_the_clients_state_stays_one_parameter(broker: Program) -> None:
    """A state full of line ends and ampersands comes back as it was, in one parameter of one header."""
    begun = Start(state=NASTY)
    async with Visitor(broker.url) as alice:
        page = await alice.begin(begun)
        assert "<script>" not in page.text
        answer = await alice.log_in(begun)
        assert answer.query["state"] == NASTY
        assert answer.query["iss"] == broker.url
        assert "mallory" not in "".join(answer.set_cookies)


async def test_an_answer_of_github_is_relayed_in_our_own_words(broker: Program) -> None:
    """Whatever stands in error and error_description, the instance gets one known word."""
    begun = Start()
    async with Visitor(broker.url) as alice:
        onward = (await alice.agree(await alice.begin(begun))).onward
        state = dict(pair.split("=") for pair in urlsplit(onward).query.split("&"))["state"]
        forged = "error=x%0d%0aSet-Cookie:a=b%26code=forged&error_description=%0d%0amallory"
        answer = await alice.get(f"{broker.url}/auth/github/callback?{forged}&state={state}")
        assert answer.query == {"error": "server_error", "state": begun.state, "iss": broker.url}


async def test_nobody_writes_into_the_operators_terminal(sandbox: Program) -> None:
    """Line ends and escape sequences in an address do not forge a line or move the cursor in the log."""
    program = start(
        *("broker", "serve", "--dev", "--port", "0"),
        env=broker_environment(sandbox.url, TRACKEEP_LOG_FORMAT="text"),
    )
    address = urlsplit(program.url)
    for path in (b"/%1b[2J", b"/%9b2J", b"/%0a%0dforged", b"/%c2%9b2Jx%08"):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 404 " in await reader.read()
        writer.close()
    assert program.stop() == 0
    lines = program.stderr_text().splitlines()
    assert sum("[info" in line and " request " in line for line in lines) == 4
    assert not any(line.startswith("forged") for line in lines)
    assert all(letter.isprintable() for line in lines for letter in line)
