"""Attack 47: made-up tokens to revoke, until GitHub answers nobody's revocations for an hour."""

from __future__ import annotations

import json
import secrets

import local_broker
import pytest
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
GITHUB_ANSWERS_IN_A_MINUTE = 5_000 / 60


async def test_one_address_cannot_spend_what_github_grants_everybody(sandbox: Program) -> None:
    """GitHub is asked about a few of 130 made-up tokens; whoever ends real ones ends all of them."""
    async with (
        local_broker.serve(sandbox.url, clock=local_broker.Running()) as broker,
        Visitor(broker.url) as mallory,
        Visitor(broker.url) as alice,
    ):
        witness = await Witness.of(sandbox.url)
        address = f"{broker.url}/revoke"
        made_up = [f"gho_{secrets.token_hex(18)}" for _ in range(130)]
        statuses = [(await mallory.ask("POST", address, {}, {"token": each})).status for each in made_up]
        assert set(statuses) == {200, 429}
        assert len(await witness.calls()) < GITHUB_ANSWERS_IN_A_MINUTE / 4
        for _ in range(20):
            start = Start()
            code = (await alice.log_in(start)).query["code"]
            token = json.loads((await alice.redeem(start, code)).text)["access_token"]
            assert (await alice.ask("POST", address, {}, {"token": token})).status == 200
