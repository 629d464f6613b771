"""Attack 15: one code redeemed twenty times at once."""

import asyncio
import json

import pytest
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


async def test_exactly_one_of_twenty_wins(broker: Program, sandbox: Program) -> None:
    """One token for one login; the others learn that the code is spent."""
    start = Start()
    async with Visitor(broker.url) as alice:
        code = (await alice.log_in(start)).query["code"]
        witness = await Witness.of(sandbox.url)
        answers = await asyncio.gather(*(alice.redeem(start, code) for _ in range(20)))
        assert sorted(answer.status for answer in answers) == [200, *[400] * 19]
        assert {json.loads(answer.text)["error"] for answer in answers if answer.status == 400} == {
            "invalid_grant"
        }
        assert await witness.tokens() == 1
