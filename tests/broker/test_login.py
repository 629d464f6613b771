"""The login through the real service and a local GitHub, in both modes."""

from __future__ import annotations

import base64
import json
import time

import aiohttp
import pytest
from joserfc.jwk import ECKey
from programs import Program
from visitor import Start, Visitor

from trackeep.errors import GrantRefused
from trackeep.handshake import messages, token
from trackeep.handshake.client import BrokerClient

pytestmark = pytest.mark.anyio


async def test_code_mode_gives_the_instance_everything(broker: Program) -> None:
    """Start, consent, GitHub, callback, redeem: the token arrives by the back channel, verified."""
    start = Start()
    async with Visitor(broker.url) as alice, aiohttp.ClientSession() as http:
        answer = await alice.log_in(start)
        assert answer.status == 303
        assert answer.location.startswith("http://localhost:8080/auth/callback?")
        back = messages.parse_callback(list(answer.query.items()))
        assert (back.state, back.iss) == (start.state, broker.url)
        client = BrokerClient(http, broker.url)
        got = await client.redeem(code=back.code, code_verifier=start.verifier, redirect_uri=start.base_url)
        keys = await client.signing_keys()
        claims = token.verify(
            got.token,
            keys,
            issuer=broker.url,
            audience=start.base_url,
            now=time.time(),
            nonce=messages.nonce_of(start.state),
        )
        assert got.user.username == claims.username == "alice"
        assert claims.access_token == got.access_token
        assert claims.user_id == claims.github_id == got.user.id
        assert set(got.scope) >= {"repo"}
        assert got.access_token not in answer.location
        with pytest.raises(GrantRefused):
            await client.redeem(code=back.code, code_verifier=start.verifier, redirect_uri=start.base_url)


async def test_token_mode_keeps_the_published_contract(broker: Program) -> None:
    """A link with redirect_uri alone leads to ?token&user, and the token says who that is."""
    async with Visitor(broker.url) as alice:
        page = await alice.get(f"{broker.url}/auth/github?redirect_uri=http://localhost:8081")
        callback = await alice.sign_in_at_github((await alice.agree(page)).onward)
        answer = await alice.get(callback)
        assert answer.location.startswith("http://localhost:8081/auth/callback?token=")
        assert set(answer.query) == {"token", "user"}
        assert answer.query["user"] == "alice"
        me = await alice.ask(
            "GET",
            f"{broker.url}/api/v1/user/me",
            {"Authorization": f"Bearer {answer.query['token']}", "Origin": "https://anywhere.example"},
        )
    assert me.status == 200
    assert me.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in me.headers
    user = json.loads(me.text)["user"]
    assert set(user) == {"id", "github_id", "username", "email", "name", "avatar_url"}
    assert user["id"] == user["github_id"]
    assert user["email"].startswith("alice")


async def test_the_full_callback_address_means_the_base_url(broker: Program) -> None:
    """`.../auth/callback` is accepted, and the answer, audience and redemption are those of the base URL."""
    start = Start(base_url="http://localhost:8080/trackeep/auth/callback")
    async with Visitor(broker.url) as alice:
        answer = await alice.log_in(start)
        assert answer.location.startswith("http://localhost:8080/trackeep/auth/callback?code=")
        got = await alice.redeem(start, answer.query["code"], redirect_uri="http://localhost:8080/trackeep")
    payload = json.loads(got.text)["token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == "http://localhost:8080/trackeep"


async def test_an_encrypted_token_travels_to_a_local_network(broker: Program) -> None:
    """Over plain http in token mode the address holds a JWE that only the instance's key opens."""
    key = ECKey.generate_key("P-256")
    start = Start("http://nas.lan:8080", with_code=False, jwe_jwk=json.dumps(key.as_dict(private=False)))
    async with Visitor(broker.url) as alice, aiohttp.ClientSession() as http:
        answer = await alice.log_in(start)
        signed = token.decrypt(answer.query["token"], key)
        keys = await BrokerClient(http, broker.url).signing_keys()
    claims = token.verify(signed, keys, issuer=broker.url, audience="http://nas.lan:8080", now=time.time())
    assert claims.username == "alice"
    assert "gho_" not in answer.location


async def test_saying_no_at_github_comes_back_as_an_error(broker: Program) -> None:
    """access_denied is passed on with state and issuer, and the transaction is over."""
    start = Start()
    async with Visitor(broker.url) as bob:
        onward = (await bob.agree(await bob.begin(start))).onward
        state = dict(pair.split("=") for pair in onward.partition("?")[2].split("&"))["state"]
        callback = f"{broker.url}/auth/github/callback?error=access_denied&state={state}"
        answer = await bob.get(callback)
        assert answer.query == {"error": "access_denied", "state": start.state, "iss": broker.url}
        assert (await bob.get(callback)).status == 400


async def test_logins_in_several_tabs_run_side_by_side(broker: Program) -> None:
    """Three logins begun in one browser end in any order, each at its own address."""
    starts = [Start(f"http://localhost:{port}") for port in (8001, 8002, 8003)]
    async with Visitor(broker.url) as alice:
        callbacks = [await alice.back_from_github(start) for start in starts]
        for start, callback in reversed(list(zip(starts, callbacks, strict=True))):
            answer = await alice.get(callback)
            assert answer.location.startswith(f"{start.base_url}/auth/callback?")
            assert answer.query["state"] == start.state


async def test_many_unfinished_logins_do_not_fill_the_browser(broker: Program) -> None:
    """The cookies of logins that were given up are bounded, and the newest login still works."""
    async with Visitor(broker.url) as alice:
        for _ in range(20):
            await alice.agree(await alice.begin(Start("http://localhost:8080/" + "a" * 200)))
        sizes = [len(name) + len(value) for name, value in alice.cookies["localhost"].items()]
        assert sum(sizes) < 8000
        assert (await alice.log_in(Start())).status == 303


async def test_a_url_at_github_is_short_enough(broker: Program) -> None:
    """Whatever an instance sends, GitHub's address stays below 1,500 characters, and has PKCE."""
    start = Start("http://localhost:8080/" + "a" * 480, state="s" * 512, name="n" * 60)
    async with Visitor(broker.url) as alice:
        onward = (await alice.agree(await alice.begin(start))).onward
    assert len(onward) < 1500
    assert "code_challenge_method=S256" in onward
    assert "ssss" not in onward


async def test_an_answer_says_nothing_to_anybody_else(broker: Program) -> None:
    """Redirects are 303, are not stored, and leave no trace in a Referer."""
    async with Visitor(broker.url) as alice:
        answer = await alice.log_in(Start())
    assert answer.status == 303
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.text == ""
