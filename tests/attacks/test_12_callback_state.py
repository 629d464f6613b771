"""Attack 12: callbacks whose state or cookie is missing, used, old, edited or somebody else's."""

from collections.abc import AsyncIterator

import pytest
from local_broker import NOW, LocalBroker, serve
from programs import Program
from visitor import Answer, Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(sandbox: Program) -> AsyncIterator[LocalBroker]:
    async with serve(sandbox.url) as broker:
        yield broker


def assert_refused(answer: Answer) -> None:
    assert answer.status == 400
    assert answer.location == ""
    assert "What to do" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=x",
        "?state=",
        "?code=x&state=x",
        "?code=x&state=a.b.c",
        "?state=%00",
        "?error=access_denied",
    ],
)
async def test_a_callback_out_of_nowhere_is_refused(service: LocalBroker, query: str) -> None:
    """Without a state of ours there is no login to continue, not even to report an error to."""
    async with Visitor(service.url) as mallory:
        assert_refused(await mallory.get(f"{service.url}/auth/github/callback{query}"))


async def test_a_transaction_answers_once(service: LocalBroker, sandbox: Program) -> None:
    """The same callback opened again, with the cookie gone, is refused."""
    async with Visitor(service.url) as alice:
        callback = await alice.back_from_github(Start())
        assert (await alice.get(callback)).status == 303
        witness = await Witness.of(sandbox.url)
        assert_refused(await alice.get(callback))
        assert await witness.calls() == []


async def test_a_transaction_lasts_ten_minutes(service: LocalBroker) -> None:
    """Later the login has to start again, even if the browser kept the cookie."""
    async with Visitor(service.url) as alice:
        callback = await alice.back_from_github(Start())
        service.clock.now = NOW + 601
        assert_refused(await alice.get(callback))


async def test_an_edited_state_or_cookie_is_refused(service: LocalBroker, sandbox: Program) -> None:
    """One changed letter anywhere, and GitHub is not asked."""
    async with Visitor(service.url) as alice:
        callback = await alice.back_from_github(Start())
        witness = await Witness.of(sandbox.url)
        for edited in (callback[:-1] + ("A" if callback[-1] != "A" else "B"), callback + "A", callback[:-1]):
            assert_refused(await alice.get(edited))
        jar = alice.cookies["localhost"]
        name = next(name for name in jar if name.startswith("txn-"))
        jar[name] = jar[name][:-2] + ("A" if jar[name][-2] != "A" else "B") + jar[name][-1]
        assert_refused(await alice.get(callback))
        assert await witness.calls() == []


async def test_the_cookie_of_another_login_does_not_help(service: LocalBroker) -> None:
    """Mallory's sealed transaction under the name of the victim's is noticed."""
    async with Visitor(service.url) as alice, Visitor(service.url) as mallory:
        callback = await alice.back_from_github(Start())
        await mallory.back_from_github(Start("https://mallory.example"), login="mallory")
        jar = alice.cookies["localhost"]
        name = next(name for name in jar if name.startswith("txn-"))
        hers = mallory.cookies["localhost"]
        jar[name] = next(value for key, value in hers.items() if key.startswith("txn-"))
        assert_refused(await alice.get(callback))


async def test_a_state_of_another_service_is_refused(service: LocalBroker, sandbox: Program) -> None:
    """Keys of one service make nothing that another one takes."""
    async with serve(sandbox.url) as other, Visitor(other.url) as alice:
        callback = await alice.back_from_github(Start())
        moved = callback.replace(other.url, service.url)
        assert_refused(await alice.get(moved))


@pytest.mark.parametrize("repeated", ["state=x", "code=x", "error=x&error=y"])
async def test_a_repeated_parameter_is_refused(service: LocalBroker, repeated: str) -> None:
    """There is one state and one code, or none."""
    async with Visitor(service.url) as alice:
        callback = await alice.back_from_github(Start())
        assert_refused(await alice.get(f"{callback}&{repeated}"))
