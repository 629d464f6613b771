"""The integration that docs/broker.md shows, run as it stands but for its ports."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from programs import Program
from visitor import Visitor

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "broker.md"


async def test_the_integration_of_the_documentation(broker: Program) -> None:
    """The page's own program takes bob through a login, redeems the code and verifies the token."""
    section = PAGE.read_text().partition("## Try it without GitHub")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    port = str(_free_port())
    text = found[1].replace("http://localhost:9090", broker.url).replace("8000", port)
    integration = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text], stdout=subprocess.PIPE, text=True
    )
    try:
        assert integration.stdout is not None
        start = integration.stdout.readline().removeprefix("Open ").strip()
        async with Visitor(broker.url) as bob:
            onward = (await bob.agree(await bob.get(start))).onward
            back = await bob.get(await bob.sign_in_at_github(onward, "bob"))
            assert (await bob.get(back.location)).text == "Hello bob"
        assert "'username': 'bob'" in integration.stdout.read()
        assert integration.wait(10) == 0
    finally:
        integration.kill()
        integration.communicate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
