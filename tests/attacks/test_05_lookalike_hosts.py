"""Attack 5: public names that begin like an address of the visitor's own computer."""

import pytest
from programs import Program
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio

HOSTS = [
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost-evil.example",
    "evil-localhost.example",
    "192.168.1.5.evil.example",
    "nas.lan.evil.example",
    "xn--lcalhost-54a.example",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_name_that_looks_local_is_public(broker: Program, host: str) -> None:
    """Over http it is refused, over https the page calls it a public address."""
    async with Visitor(broker.url) as alice:
        cleartext = await alice.begin(Start(f"http://{host}:8080"))
        page = await alice.begin(Start(f"https://{host}"))
    assert cleartext.status == 400
    assert "A public address" in page.text
    assert "This computer" not in page.text
    assert not page.starts_a_login
