"""OpenID Connect: the id_token, /userinfo, and what is left at GitHub after a login that only says who."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from local_broker import (
    EXPIRING_CLIENT_ID,
    EXPIRING_CLIENT_SECRET,
    NOW,
    broker_environment,
    serve,
)
from programs import Program, start
from registered import Registered, allow, post, register, tokens_of
from sandbox_control import Sandbox
from visitor import Visitor
from witness import Witness

from trackeep.handshake import dpop

pytestmark = pytest.mark.anyio


async def key_set(alice: Visitor) -> KeySet:
    answer = await alice.get(f"{alice.broker_url}/.well-known/jwks.json")
    return KeySet.import_key_set(json.loads(answer.text))


async def userinfo(alice: Visitor, token: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await alice.ask(method, f"{alice.broker_url}/userinfo", bearer)
    return answer.status, json.loads(answer.text)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_an_id_token_says_who_signed_in_where_and_for_which_question(
    broker: Program, sandbox: Program, algorithm: str
) -> None:
    """Signed as the program registered, by a published key; verified by a library that is not ours."""
    program = await register(broker.url, id_token_signed_response_alg=algorithm)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program)
        found = jwt.decode(body["id_token"], await key_set(alice), algorithms=[algorithm])
    named = {"iss": broker.url, "aud": program.id, "nonce": program.nonce}
    rules = {name: {"essential": True, "value": value} for name, value in named.items()}
    jwt.JWTClaimsRegistry(**rules, exp={"essential": True}, iat={"essential": True}).validate(found.claims)
    assert found.header["alg"] == algorithm
    assert found.header["typ"] == "JWT"
    assert found.claims["exp"] - found.claims["iat"] == 3600
    assert abs(found.claims["iat"] - time.time()) < 60
    person = Sandbox(sandbox.url).person_id()
    assert (found.claims["sub"], found.claims["preferred_username"]) == (str(person), "alice")
    assert (found.claims["email"].startswith("alice"), found.claims["email_verified"]) == (True, True)
    assert "access_token" not in found.claims


async def test_an_id_token_is_no_login_token_and_no_access_token(broker: Program) -> None:
    """One kind never passes for another, at any of our doors or with any of our keys."""
    program = await register(broker.url, id_token_signed_response_alg="ES256")
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program)
        for path in ("/userinfo", "/api/v1/user/me"):
            answer = await alice.ask(
                "GET", f"{broker.url}{path}", {"Authorization": f"Bearer {body['id_token']}"}
            )
            assert answer.status == 401
        keys = [key for key in (await key_set(alice)).keys if key.key_type == "RSA"]
        with pytest.raises(JoseError):
            jwt.decode(body["id_token"], KeySet(keys), algorithms=["RS256", "ES256"])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_userinfo_repeats_what_the_person_agreed_to(
    broker: Program, sandbox: Program, method: str
) -> None:
    """The claims of the scopes, from the token alone: GitHub is not asked, now or ever again."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program)
        witness = await Witness.of(sandbox.url)
        status, claims = await userinfo(alice, body["access_token"], method)
        assert await witness.calls() == []
        less = await tokens_of(alice, program, scope="openid")
        assert set((await userinfo(alice, less["access_token"]))[1]) == {"sub"}
    names = {"sub", "preferred_username", "name", "picture", "profile", "email", "email_verified"}
    assert (status, set(claims)) == (200, names)
    assert claims["profile"] == f"{sandbox.url}/alice"


async def test_an_access_token_lives_for_an_hour(sandbox: Program) -> None:
    """`expires_in` says so; afterwards the challenge says why and where to learn more."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        program = await register(broker.url)
        body = await tokens_of(alice, program)
        assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
        broker.clock.now = NOW + 3600
        assert (await userinfo(alice, body["access_token"]))[0] == 200
        broker.clock.now = NOW + 3601
        assert (await userinfo(alice, body["access_token"]))[1]["error"] == "invalid_token"


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer x", "Bearer a.b", "Basic YTpi", "Bearer " + "x" * 9000]
)
async def test_without_a_token_of_ours_there_is_a_challenge(broker: Program, value: str) -> None:
    """RFC 6750 section 3: 401 that any page may read, with an error only for whoever sent a token."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.ask("GET", f"{broker.url}/userinfo", {"Authorization": value})
    assert answer.status == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer ")
    assert ('error="invalid_token"' in challenge) is (len(value) > 7 and value.startswith("Bearer"))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_who_am_i_takes_the_access_token_too(broker: Program, sandbox: Program) -> None:
    """Whoever found this service through the challenge of that address can use what it gave them."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program)
        bearer = {"Authorization": f"Bearer {body['access_token']}"}
        answer = await alice.ask("GET", f"{broker.url}/api/v1/user/me", bearer)
    user = json.loads(answer.text)["user"]
    assert user["id"] == user["github_id"] == Sandbox(sandbox.url).person_id()
    assert (user["username"], user["email"].startswith("alice")) == ("alice", True)
    assert set(user) == {"id", "github_id", "username", "email", "name", "avatar_url"}


async def test_nothing_is_left_at_github(changing: Sandbox) -> None:
    """GitHub's token is used for the profile and ended before the program has its answer."""
    async with serve(changing.url) as broker, Visitor(broker.url) as alice:
        before = changing.ask("/tokens")["count"]
        await tokens_of(alice, await register(broker.url))
        tokens = changing.ask("/tokens")["tokens"][before:]
    assert [(token["login"], token["revoked"]) for token in tokens] == [("alice", True)]
    assert set(tokens[0]["scopes"]) == {"read:user", "user:email"}


async def test_a_login_that_fails_leaves_nothing_either(changing: Sandbox) -> None:
    """GitHub gives a token and then does not say whose: it is ended all the same."""
    async with serve(changing.url) as broker, Visitor(broker.url) as alice:
        program, before = await register(broker.url), changing.ask("/tokens")["alive"]
        code = (await allow(alice, program.url())).query["code"]
        changing.fault("/user", "status", times=9, status=500)
        status, _ = await post(alice, "/token", program.redemption(code))
        assert status == 503
        assert changing.ask("/tokens")["alive"] == before


async def test_an_access_token_is_revoked_without_a_call(broker: Program, sandbox: Program) -> None:
    """RFC 7009: 200 for it, and for what nobody knows; GitHub hears of neither."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program)
        witness = await Witness.of(sandbox.url)
        for value in (body["access_token"], "x" * 1100, "ünknown"):
            assert (await post(alice, "/revoke", named(program, value)))[0] == 200
        assert await witness.calls() == []


async def test_who_says_who_they_are_at_revoke_has_to_be_it(broker: Program, sandbox: Program) -> None:
    """RFC 7009 section 2.1: a wrong secret ends nothing; the right one does, and twice is no error."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        github_token = (await tokens_of(alice, program, scope="github"))["access_token"]
        witness = await Witness.of(sandbox.url)
        for wrong in ("", "x"):
            form = {**named(program, github_token), "client_secret": wrong}
            assert (await post(alice, "/revoke", form))[0] == 401
        assert await witness.calls() == []
        for _ in range(2):
            assert (await post(alice, "/revoke", named(program, github_token)))[0] == 200
        assert (await post(alice, "/revoke", {"token": ""}))[0] == 400


@pytest.fixture(scope="module")
def expiring(sandbox: Program) -> Iterator[Program]:
    """A service whose tokens at GitHub end after eight hours."""
    registration = {"GITHUB_CLIENT_ID": EXPIRING_CLIENT_ID, "GITHUB_CLIENT_SECRET": EXPIRING_CLIENT_SECRET}
    service = start(
        *("broker", "serve", "--dev", "--port", "0"), env=broker_environment(sandbox.url, **registration)
    )
    yield service
    service.stop()


async def test_a_refresh_keeps_words_and_owner(expiring: Program) -> None:
    """With tokens that end: a program's refresh token works for it alone, and /revoke ends it."""
    program, mallory = await register(expiring.url), await register(expiring.url)
    async with Visitor(expiring.url) as alice:
        body = await tokens_of(alice, program, scope="openid github")
        assert (await refreshed(alice, mallory, body["refresh_token"]))[0] == 400
        assert (await refreshed(alice, program, body["refresh_token"], client_secret="x"))[0] == 401
        status, second = await refreshed(alice, program, body["refresh_token"], scope="github")
        assert (status, second["scope"]) == (200, "openid github")
        assert (await post(alice, "/revoke", named(program, second["refresh_token"])))[0] == 200
        assert (await refreshed(alice, program, second["refresh_token"]))[0] == 400


async def test_a_key_binds_the_refresh_of_programs_without_a_secret(expiring: Program) -> None:
    """RFC 9449 section 5: whoever shows a secret each time may lose its key; whoever does not may not."""
    key, url = ECKey.generate_key("P-256"), f"{expiring.url}/token"
    async with Visitor(expiring.url) as alice:
        for is_public, status in ((False, 200), (True, 400)):
            program = await register(expiring.url, is_public=is_public)
            code = (await allow(alice, program.url(scope="github"))).query["code"]
            proof = dpop.make_proof(key, "POST", url, int(time.time()), f"{is_public}")
            _, body = await post(alice, "/token", program.redemption(code), DPoP=proof)
            assert (await refreshed(alice, program, body["refresh_token"]))[0] == status


def named(program: Registered, token: str) -> dict[str, str]:
    return {"token": token, "client_id": program.id, "client_secret": program.secret}


async def refreshed(
    alice: Visitor, program: Registered, refresh_token: str, **changes: str
) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": program.id}
    secret = {"client_secret": program.secret} if program.secret else {}
    return await post(alice, "/token", {**form, **secret, **changes})
