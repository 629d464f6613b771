"""Attack 52: mallory plays with the login that goes to GitHub directly."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from local_broker import CLIENT_ID, CLIENT_SECRET
from local_instance import Guest, LocalInstance, serve
from programs import Program
from witness import Witness

pytestmark = pytest.mark.anyio

OWN_APP = {"GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET}
CALLBACK = "/auth/github/callback"


@pytest.fixture
async def instance(sandbox: Program, tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, sandbox.url, app=OWN_APP, allowed_users="bob") as running:
        async with Guest(running.url, "") as alice:
            await alice.set_up(await running.code())
            assert (await alice.get(await to_callback(alice))).status == 303
        yield running


async def to_callback(guest: Guest) -> str:
    return await guest.sign_in_at_github((await guest.open("/auth/login")).location, guest.login)


def changed(address: str, **changes: str) -> str:
    place, _, query = address.partition("?")
    return f"{place}?{urlencode({**dict(parse_qsl(query)), **changes})}"


async def test_mallorys_answer_signs_nobody_else_in(instance: LocalInstance, sandbox: Program) -> None:
    """A link with the code of bob's login, in alice's browser: refused, and the code is sent nowhere."""
    witness = await Witness.of(sandbox.url)
    async with Guest(instance.url, "", "bob") as bob, Guest(instance.url, "") as victim:
        link = await to_callback(bob)
        answer = await victim.get(link)
        assert answer.status == 400
        assert "state_mismatch" in answer.text
        # Not even when her browser has a login of its own under way.
        hers = dict(parse_qsl(urlsplit(await to_callback(victim)).query))
        assert (await victim.get(changed(link, state=hers["state"][:9] + "x" * 32))).status == 400
        assert not await victim.is_signed_in()
    assert await witness.exchanges() == 0


async def test_a_stolen_code_is_worth_nothing(instance: LocalInstance) -> None:
    """Bob's code put into a login that mallory began: GitHub wants the verifier, which never left bob's."""
    async with Guest(instance.url, "", "bob") as bob, Guest(instance.url, "", "mallory") as mallory:
        stolen = dict(parse_qsl(urlsplit(await to_callback(bob)).query))["code"]
        own = await to_callback(mallory)
        assert (await mallory.get(changed(own, code=stolen))).status == 400
        assert not await mallory.is_signed_in()


async def test_an_answer_counts_once(instance: LocalInstance) -> None:
    """The same address again, even by a browser that kept the cookie of that login, signs nobody in."""
    async with Guest(instance.url, "", "bob") as bob:
        link = await to_callback(bob)
        before = dict(bob.cookies["localhost"])
        assert (await bob.get(link)).status == 303
        bob.cookies["localhost"] = before
        assert (await bob.get(link)).status == 400
        assert not await bob.is_signed_in()


async def test_the_two_ways_are_not_mixed_up(
    instance: LocalInstance, sandbox: Program, broker: Program
) -> None:
    """The code of a direct login at the other address, or kept until a service is set: sent nowhere."""
    witness = await Witness.of(sandbox.url)
    async with Guest(instance.url, "", "bob") as bob:
        link = await to_callback(bob)
        moved = link.replace(CALLBACK, "/auth/callback")
        assert (await bob.get(f"{moved}&{urlencode({'iss': broker.url})}")).status == 400
    async with Guest(instance.url, "", "bob") as bob:
        link = await to_callback(bob)
        folder = instance.site.settings.data_dir
        async with serve(folder, sandbox.url, broker.url, base_url=instance.url) as again:
            there = f"http://localhost:{again.url.rpartition(':')[2]}"
            for path in ("/auth/callback", CALLBACK):
                query = f"{urlsplit(link).query}&{urlencode({'iss': broker.url})}"
                answer = await bob.get(f"{there}{path}?{query}")
                assert answer.status in (400, 404), path
    assert await witness.exchanges() == 0


HALVES = (
    *("", "code=a", "state=b", "code=a&code=b&state=c", "code=a&state=b&state=c"),
    *("error=access_denied", "error=%0d%0aSet-Cookie:x", "code=%F0%9F%90%9B&state=0000000g.x"),
    "installation_id=1&setup_action=install",
)


@pytest.mark.parametrize("query", HALVES)
async def test_answers_nobody_asked_for(instance: LocalInstance, sandbox: Program, query: str) -> None:
    """Half an answer, a doubled one, an error of somebody's own making: 400, and GitHub is not asked."""
    witness = await Witness.of(sandbox.url)
    async with Guest(instance.url, "", "bob") as bob:
        answer = await bob.open(f"{CALLBACK}?{query}")
        assert answer.status == 400
        assert not answer.set_cookies
    assert await witness.exchanges() == 0


async def test_without_a_registration_there_is_no_such_way(sandbox: Program, tmp_path: Path) -> None:
    """An instance that signs in by tokens alone answers 404 at both addresses of this login."""
    async with serve(tmp_path, sandbox.url) as bare, Guest(bare.url, "") as mallory:
        assert (await mallory.open("/auth/login")).status == 404
        assert (await mallory.open(f"{CALLBACK}?code=a&state=b")).status == 404
