"""Attack 1: mallory's link to her own address, for a victim who authorised the app long ago."""

import pytest
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("with_code", [True, False], ids=["code", "token"])
async def test_a_foreign_address_is_named_and_nothing_begins(
    broker: Program, sandbox: Program, with_code: bool
) -> None:
    """The victim sees mallory's address in large type; no login, no call to GitHub, no token."""
    async with Visitor(broker.url) as alice:
        await alice.log_in(Start())
        witness = await Witness.of(sandbox.url)
        page = await alice.begin(Start("https://mallory.example/alice", with_code=with_code))
    assert page.status == 200
    assert "Send your GitHub login to this address?" in page.text
    assert "mallory.example<wbr>/alice" in page.text
    assert not page.starts_a_login
    assert "github.com/login" not in page.text
    assert await witness.calls() == []
    assert await witness.tokens() == 0
