"""Attack 11: mallory consents in her browser and makes the victim open the address at GitHub."""

from urllib.parse import parse_qs, urlsplit

import pytest
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("with_code", [True, False], ids=["code", "token"])
async def test_a_consent_does_not_complete_in_another_browser(
    broker: Program, sandbox: Program, with_code: bool
) -> None:
    """GitHub sends the victim back at once, having seen the app before; the callback refuses her browser."""
    start = Start("https://mallory.example", with_code=with_code)
    async with Visitor(broker.url) as mallory, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        onward = (await mallory.agree(await mallory.begin(start))).onward
        witness = await Witness.of(sandbox.url)
        callback = await alice.sign_in_at_github(onward)
        answer = await alice.get(callback)
        assert answer.status == 400
        assert answer.location == ""
        assert "This login started somewhere else" in answer.text
        assert await witness.exchanges() == 0
        assert await witness.tokens() == 0


async def test_a_stolen_address_is_of_no_use_without_the_cookie(broker: Program, sandbox: Program) -> None:
    """Whoever copies the whole callback address out of a log or history gets nothing for it."""
    async with Visitor(broker.url) as alice, Visitor(broker.url) as mallory:
        callback = await alice.back_from_github(Start())
        witness = await Witness.of(sandbox.url)
        assert parse_qs(urlsplit(callback).query)["code"]
        assert (await mallory.get(callback)).status == 400
        assert await witness.exchanges() == 0
        assert (await alice.get(callback)).status == 303
