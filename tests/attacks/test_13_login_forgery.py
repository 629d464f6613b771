"""Attack 13: mallory's own login in the victim's browser, so that the victim works in her account."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from local_instance import Guest, LocalInstance, serve
from programs import Program
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


@pytest.fixture
async def instance(sandbox: Program, broker: Program, tmp_path: Path) -> AsyncIterator[LocalInstance]:
    """An instance of alice's on which mallory may sign in too."""
    async with (
        serve(tmp_path, sandbox.url, broker.url, allowed_users="mallory") as running,
        Guest(running.url, broker.url) as alice,
    ):
        await alice.set_up(await running.code())
        assert (await alice.sign_in()).status == 303
        yield running


async def test_mallorys_callback_in_the_victims_browser(
    instance: LocalInstance, broker: Program, sandbox: Program
) -> None:
    """The state belongs to a cookie that only mallory's browser has: refused, and no token is made."""
    async with (
        Guest(instance.url, broker.url, "mallory") as mallory,
        Guest(instance.url, broker.url) as alice,
    ):
        link = await mallory.to_callback()
        witness = await Witness.of(sandbox.url)
        answer = await alice.get(link)
        assert answer.status == 400
        assert not await alice.is_signed_in()
        assert await witness.exchanges() == 0
        assert (await mallory.get(link)).status == 303


async def test_mallorys_code_with_the_victims_own_state(
    instance: LocalInstance, broker: Program, sandbox: Program
) -> None:
    """Even inside a login that the victim began, a foreign code does not fit the victim's verifier."""
    async with (
        Guest(instance.url, broker.url, "mallory") as mallory,
        Guest(instance.url, broker.url) as alice,
    ):
        hers = parse_qs(urlsplit(await mallory.to_callback()).query)
        address, _, query = (await alice.to_callback()).partition("?")
        own = {name: values[0] for name, values in parse_qs(query).items()}
        witness = await Witness.of(sandbox.url)
        answer = await alice.get(f"{address}?{urlencode({**own, 'code': hers['code'][0]})}")
        assert answer.status == 400
        assert not await alice.is_signed_in()
        assert await witness.exchanges() == 0


async def test_a_token_that_nobody_asked_for(instance: LocalInstance, broker: Program) -> None:
    """The instance takes codes alone: mallory's login token in the address opens nothing."""
    async with Visitor(broker.url) as mallory, Guest(instance.url, broker.url) as alice:
        hers = await mallory.log_in(Start(instance.url, with_code=False), login="mallory")
        assert hers.query["user"] == "mallory"
        for link in (hers.location, hers.location.replace(f"&state={hers.query['state']}", "")):
            answer = await alice.get(link)
            assert answer.status == 400
            assert not await alice.is_signed_in()


@pytest.mark.parametrize("iss", ["", "https://mallory.example"])
async def test_an_answer_of_another_service(instance: LocalInstance, broker: Program, iss: str) -> None:
    """A code that does not say where it comes from, or comes from elsewhere, is sent nowhere."""
    async with Guest(instance.url, broker.url) as alice:
        address, _, query = (await alice.to_callback()).partition("?")
        fields = {name: values[0] for name, values in parse_qs(query).items()} | {"iss": iss}
        answer = await alice.get(f"{address}?{urlencode({k: v for k, v in fields.items() if v})}")
        assert answer.status == 400
        assert not await alice.is_signed_in()
