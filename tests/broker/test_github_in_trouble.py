"""When GitHub is slow, broken or says no: one clear answer, nothing lost, no token left behind."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from local_broker import EXPIRING_CLIENT_ID, EXPIRING_CLIENT_SECRET, LocalBroker, broker_environment, serve
from programs import Program, start
from visitor import Start, Visitor
from witness import Witness

from trackeep.errors import BrokerUnavailable
from trackeep.handshake.client import BrokerClient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(sandbox: Program) -> AsyncIterator[LocalBroker]:
    async with serve(sandbox.url) as broker:
        yield broker
    async with aiohttp.ClientSession() as http, http.delete(f"{sandbox.url}/_sandbox/faults") as answer:
        assert answer.status == 200


async def break_github(sandbox: Program, match: str, times: int, **fault: object) -> None:
    async with aiohttp.ClientSession() as http:
        body = {"match": match, "times": times, **fault}
        async with http.post(f"{sandbox.url}/_sandbox/faults", json=body) as answer:
            assert answer.status == 200, await answer.text()


async def test_an_outage_at_the_exchange_leaves_the_code_good(service: LocalBroker, sandbox: Program) -> None:
    """503 with Retry-After, not `invalid_grant`: the instance tries again and gets its token."""
    login = Start()
    async with Visitor(service.url) as alice:
        code = (await alice.log_in(login)).query["code"]
        await break_github(sandbox, "POST /login/oauth/access_token", 1, kind="status", status=502)
        first = await alice.redeem(login, code)
        assert first.status == 503
        assert first.headers["Retry-After"] == "30"
        assert json.loads(first.text)["error"] == "temporarily_unavailable"
        assert (await alice.redeem(login, code)).status == 200


async def test_one_failed_question_about_the_person_is_asked_again(
    service: LocalBroker, sandbox: Program
) -> None:
    """The code is spent by then, so a single hiccup must not cost the login."""
    login = Start()
    async with Visitor(service.url) as alice:
        code = (await alice.log_in(login)).query["code"]
        await break_github(sandbox, "GET /api/v3/user$", 1, kind="html", status=502)
        assert (await alice.redeem(login, code)).status == 200


async def test_a_login_that_fails_for_good_leaves_no_token(service: LocalBroker, sandbox: Program) -> None:
    """When GitHub never says who it was, the token that was made for nobody is ended."""
    login = Start()
    async with Visitor(service.url) as alice:
        code = (await alice.log_in(login)).query["code"]
        witness = await Witness.of(sandbox.url)
        await break_github(sandbox, "GET /api/v3/user$", 2, kind="status", status=500)
        assert (await alice.redeem(login, code)).status == 503
        assert await witness.tokens() == 1
        assert any(call.startswith("DELETE /api/v3/applications/") for call in await witness.calls())


async def test_in_token_mode_an_outage_goes_back_as_an_error(service: LocalBroker, sandbox: Program) -> None:
    """The instance hears `temporarily_unavailable` instead of getting half a login."""
    login = Start(with_code=False)
    async with Visitor(service.url) as alice:
        callback = await alice.back_from_github(login)
        await break_github(sandbox, "POST /login/oauth/access_token", 1, kind="status", status=503)
        answer = await alice.get(callback)
    assert answer.query["error"] == "temporarily_unavailable"
    assert answer.query["state"] == login.state


async def test_nobody_there_is_an_error_of_its_own(service: LocalBroker) -> None:
    """An instance whose service is gone hears that it is unavailable, not that its code is wrong."""
    async with aiohttp.ClientSession() as http:
        client = BrokerClient(http, "http://127.0.0.1:1")
        with pytest.raises(BrokerUnavailable):
            await client.redeem(code="x", code_verifier="v" * 43, redirect_uri="http://localhost:8080")


async def test_a_token_can_be_ended(service: LocalBroker, sandbox: Program) -> None:
    """After /revoke GitHub no longer takes the token; ending it twice is no error."""
    login = Start()
    async with Visitor(service.url) as alice, aiohttp.ClientSession() as http:
        code = (await alice.log_in(login)).query["code"]
        client = BrokerClient(http, service.url)
        got = await client.redeem(code=code, code_verifier=login.verifier, redirect_uri=login.base_url)
        bearer = {"Authorization": f"Bearer {got.access_token}"}
        assert (await alice.ask("GET", f"{sandbox.url}/api/v3/user", bearer)).status == 200
        await client.revoke(got.access_token)
        assert (await alice.ask("GET", f"{sandbox.url}/api/v3/user", bearer)).status == 401
        await client.revoke(got.access_token)


async def test_expiring_tokens_say_when_and_come_with_a_sealed_refresh_token(sandbox: Program) -> None:
    """`expires_in` is GitHub's; what the instance holds is not GitHub's refresh token itself."""
    registration = {"GITHUB_CLIENT_ID": EXPIRING_CLIENT_ID, "GITHUB_CLIENT_SECRET": EXPIRING_CLIENT_SECRET}
    program = start(
        "broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url, **registration)
    )
    login = Start()
    try:
        async with Visitor(program.url) as alice, aiohttp.ClientSession() as http:
            code = (await alice.log_in(login)).query["code"]
            client = BrokerClient(http, program.url)
            got = await client.redeem(code=code, code_verifier=login.verifier, redirect_uri=login.base_url)
    finally:
        program.stop()
    assert got.expires_in_s == 28_800
    assert got.refresh_token
    assert "ghr_" not in got.refresh_token
