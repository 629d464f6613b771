"""Attack 26: a hostile page starts a thousand logins, hoping that GitHub evicts the victim's older tokens."""

import asyncio

import pytest
from local_broker import serve
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

SILENT = {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image", "sec_fetch_user": "", "accept": "image/*"}


async def test_a_thousand_silent_starts_mint_no_token(broker: Program, sandbox: Program) -> None:
    """The victim is signed in at GitHub and allowed the app: still nothing reaches GitHub."""
    async with Visitor(broker.url) as alice:
        await alice.log_in(Start())
        witness = await Witness.of(sandbox.url)
        for first in range(0, 1000, 50):
            starts = [Start("http://localhost:8080", with_code=bool(n % 2)) for n in range(first, first + 50)]
            answers = await asyncio.gather(*(alice.get(start.url(broker.url), **SILENT) for start in starts))
            assert not any(answer.starts_a_login for answer in answers)
        assert await witness.calls() == []
        assert await witness.tokens() == 0


async def test_even_without_a_consent_page_a_login_nobody_redeems_mints_nothing(sandbox: Program) -> None:
    """On a service that never asks on loopback, a hundred logins end in the browser with 0 tokens."""
    async with serve(sandbox.url, loopback_consent="never") as broker, Visitor(broker.url) as alice:
        await alice.log_in_without_asking(Start())
        witness = await Witness.of(sandbox.url)
        for _ in range(100):
            answer = await alice.log_in_without_asking(Start())
            assert answer.query["code"]
        assert await witness.exchanges() == 0
        assert await witness.tokens() == 0
