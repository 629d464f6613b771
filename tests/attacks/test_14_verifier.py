"""Attack 14: redeeming a code without knowing the verifier."""

import json

import pytest
from programs import Program
from visitor import Start, Visitor
from witness import Witness

from trackeep.handshake.messages import code_challenge

pytestmark = pytest.mark.anyio


async def test_a_wrong_verifier_is_refused_and_costs_the_owner_nothing(
    broker: Program, sandbox: Program
) -> None:
    """GitHub is not asked, so the code is still good for whoever began the login."""
    start = Start()
    async with Visitor(broker.url) as alice:
        code = (await alice.log_in(start)).query["code"]
        witness = await Witness.of(sandbox.url)
        for wrong in ("w" * 43, "", "short", code_challenge(start.verifier), start.verifier + "x", "ü" * 43):
            answer = await alice.redeem(start, code, code_verifier=wrong)
            assert answer.status == 400
            assert json.loads(answer.text)["error"] in ("invalid_grant", "invalid_request")
            assert answer.headers["Cache-Control"] == "no-store"
        assert await witness.exchanges() == 0
        assert (await alice.redeem(start, code)).status == 200


@pytest.mark.parametrize("method", ["plain", "s256", "S512", ""])
async def test_only_s256_begins_a_login(broker: Program, method: str) -> None:
    """With `plain` the challenge in the address would be the verifier itself."""
    url = f"{broker.url}/auth/github?redirect_uri=https://home.example&code_challenge={'c' * 43}"
    async with Visitor(broker.url) as alice:
        answer = await alice.get(f"{url}&code_challenge_method={method}")
    assert answer.status == 400
    assert "S256" in answer.text
