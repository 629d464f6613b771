"""Attack 31: mallory's service stands beside the honest one, and its answers are taken for the other's."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import client_program
import pytest
from local_instance import Guest, LocalInstance, serve
from programs import Program
from registered import REDIRECT_URI, allow, register
from visitor import Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

MALLORY = "https://mallory.example"


@pytest.fixture
async def instance(sandbox: Program, broker: Program, tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, sandbox.url, broker.url) as running, Guest(running.url, broker.url) as alice:
        await alice.set_up(await running.code())
        assert (await alice.sign_in()).status == 303
        yield running


def with_iss(address: str, *issuers: str) -> str:
    """`address` with these `iss` instead of its own."""
    place, _, query = address.partition("?")
    rest = [(name, value) for name, value in parse_qsl(query) if name != "iss"]
    return f"{place}?{urlencode([*rest, *(('iss', each) for each in issuers)])}"


def issuers_of(honest: str) -> list[tuple[str, ...]]:
    """Everything that is not exactly the one issuer, exactly once."""
    return [(), (MALLORY,), (f"{honest}/",), (honest.upper(),), (honest, MALLORY), (MALLORY, honest)]


async def test_our_instance_takes_an_answer_of_its_own_service_alone(
    instance: LocalInstance, broker: Program, sandbox: Program
) -> None:
    """A missing, other, differently written or doubled `iss`: refused, and the code is sent nowhere."""
    witness = await Witness.of(sandbox.url)
    for issuers in issuers_of(broker.url):
        async with Guest(instance.url, broker.url) as alice:
            answer = await alice.get(with_iss(await alice.to_callback(), *issuers))
            assert answer.status == 400, issuers
            assert not await alice.is_signed_in()
    assert await witness.exchanges() == 0


async def test_an_error_is_an_answer_too(instance: LocalInstance, broker: Program) -> None:
    """What the service refuses carries its `iss` as well, or mallory could answer in its place."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        refused = await alice.get(program.url(prompt="none"))
        assert refused.query["iss"] == broker.url
        page = await alice.get(program.url())
        assert urlencode({"iss": broker.url}) in page.text
        onward = (await alice.agree(page)).onward
        state = dict(parse_qsl(urlsplit(onward).query))["state"]
        denied = await alice.get(f"{broker.url}/auth/github/callback?error=access_denied&state={state}")
    assert (denied.query["error"], denied.query["iss"]) == ("access_denied", broker.url)


@pytest.mark.parametrize("issuers", [(), (MALLORY,)])
async def test_a_strict_client_refuses_because_we_promise_an_iss(
    broker: Program, node_packages: Path, issuers: tuple[str, ...]
) -> None:
    """The metadata says that every answer names its sender: oauth4webapi then takes none without."""
    running = await client_program.run(
        "oauth4webapi_login.mjs", broker.url, REDIRECT_URI, "openid", cwd=node_packages
    )
    async with Visitor(broker.url) as alice:
        back = await allow(alice, await running.opens())
    found = await running.came_back(with_iss(back.location, *issuers))
    assert found["error"] == "OAUTH_INVALID_RESPONSE"
    assert '"iss"' in found["message"]
