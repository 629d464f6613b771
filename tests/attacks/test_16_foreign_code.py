"""Attack 16: a code with another address, another client, another service, or after a minute."""

import pytest
from local_broker import NOW, serve
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

OTHERS = [
    "https://mallory.example",
    "http://localhost:8081",
    "http://localhost:8080/x",
    "http://localhost",
    "x",
    "",
]


@pytest.mark.parametrize("field", ["redirect_uri", "client_id"])
async def test_a_code_is_good_for_its_own_instance_only(
    broker: Program, sandbox: Program, field: str
) -> None:
    """Mallory, who has code and verifier of a victim's login, cannot redeem them as herself."""
    start = Start()
    async with Visitor(broker.url) as alice:
        code = (await alice.log_in(start)).query["code"]
        witness = await Witness.of(sandbox.url)
        for other in OTHERS:
            assert (await alice.redeem(start, code, **{field: other})).status in (400, 401)
        assert await witness.exchanges() == 0
        assert (await alice.redeem(start, code)).status == 200


async def test_a_code_lives_for_a_minute(sandbox: Program) -> None:
    """A code found later is worthless, and GitHub is not even asked."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        first, second = Start(), Start()
        code = (await alice.log_in(first)).query["code"]
        late = (await alice.log_in(second)).query["code"]
        broker.clock.now = NOW + 60
        assert (await alice.redeem(first, code)).status == 200
        broker.clock.now = NOW + 61
        witness = await Witness.of(sandbox.url)
        assert (await alice.redeem(second, late)).status == 400
        assert await witness.calls() == []


async def test_a_code_of_another_service_is_refused(broker: Program, sandbox: Program) -> None:
    """Another service's keys seal nothing that this one opens."""
    start = Start()
    async with serve(sandbox.url) as other, Visitor(other.url) as alice, Visitor(broker.url) as there:
        code = (await alice.log_in(start)).query["code"]
        assert (await there.redeem(start, code)).status == 400
