"""Requests that a program's server pushes first: what the browser carries is only their name."""

import secrets
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey
from local_broker import NOW, LocalBroker, serve
from programs import Program
from registered import REDIRECT_URI, Registered, allow, post, register
from visitor import Start, Visitor
from witness import Witness

from trackeep.handshake import dpop, messages

pytestmark = pytest.mark.anyio


def link(broker_url: str, client_id: str, body: dict[str, Any], path: str = "/authorize", **more: str) -> str:
    named = {"client_id": client_id, "request_uri": body["request_uri"], **more}
    return f"{broker_url}{path}?{urlencode(named)}"


def proof(key: ECKey, url: str, now: float) -> str:
    return dpop.make_proof(key, "POST", url, int(now), secrets.token_urlsafe(12))


async def push(alice: Visitor, program: Registered, **changes: str) -> tuple[int, dict[str, Any]]:
    form = program.question(client_secret=program.secret, **changes)
    return await post(alice, "/par", form)


async def test_a_pushed_request_is_the_whole_request(broker: Program) -> None:
    """RFC 9126: the link names it and the program; whatever else the browser adds changes nothing."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        status, body = await push(alice, program, scope="openid email")
        assert (status, body["expires_in"]) == (201, 90)
        assert body["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
        url = link(broker.url, program.id, body, scope="github repo", redirect_uri="https://mallory.example/")
        back = await allow(alice, url)
        assert back.location.startswith(f"{REDIRECT_URI}?code=")
        assert back.query["state"] == program.state
        status, tokens = await post(alice, "/token", program.redemption(back.query["code"]))
    assert (status, tokens["scope"]) == (200, "openid email")


async def test_a_pushed_request_belongs_to_one_program_and_one_door(broker: Program) -> None:
    """Named by another program, at the other door, changed, or pushed again: refused, with no redirect."""
    program, mallory = await register(broker.url), await register(broker.url)
    async with Visitor(broker.url) as alice:
        _, body = await push(alice, program)
        changed = {"request_uri": body["request_uri"][:-2] + "AA"}
        for url in (
            link(broker.url, mallory.id, body),
            link(broker.url, "", body),
            link(broker.url, program.id, body, "/auth/github"),
            link(broker.url, program.id, changed),
            link(broker.url, program.id, {"request_uri": "https://mallory.example/request"}),
        ):
            answer = await alice.get(url)
            assert (answer.status, "Location" in answer.headers) == (400, False)
        status, again = await push(alice, program, request_uri=body["request_uri"])
    assert (status, again["error"]) == (400, "invalid_request")


async def test_a_program_with_a_secret_shows_it_when_it_pushes(broker: Program) -> None:
    """RFC 9126 section 2: as at /token; nobody pushes in the name of another."""
    program, public = await register(broker.url), await register(broker.url, is_public=True)
    async with Visitor(broker.url) as alice:
        for secret in ("", "x"):
            status, body = await post(alice, "/par", program.question(client_secret=secret))
            assert (status, body["error"]) == (401, "invalid_client")
        assert (await post(alice, "/par", public.question()))[0] == 201
        assert (await post(alice, "/par", public.question(client_id="")))[1]["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uri": "https://mallory.example/"}, "invalid_request"),
        ({"scope": "repo"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
    ],
)
async def test_mistakes_are_told_at_once(broker: Program, change: dict[str, str], error: str) -> None:
    """The program's server hears of them, and the person is sent nowhere."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        status, body = await push(alice, program, **change)
    assert (status, body["error"]) == (400, error)


async def test_a_pushed_request_is_good_for_ninety_seconds(sandbox: Program) -> None:
    """A link found later leads nowhere."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        program = await register(broker.url)
        _, body = await push(alice, program)
        broker.clock.now = NOW + 90
        assert (await alice.get(link(broker.url, program.id, body))).status == 200
        broker.clock.now = NOW + 91
        assert (await alice.get(link(broker.url, program.id, body))).status == 400


async def test_a_start_link_can_be_pushed_too(broker: Program) -> None:
    """An instance's own parameters, named by its base address."""
    start = Start()
    request = messages.StartRequest(start.base_url, start.state, messages.code_challenge(start.verifier))
    form = {**messages.start_parameters(request), "client_id": start.base_url}
    async with Visitor(broker.url) as alice:
        status, body = await post(alice, "/par", form)
        assert status == 201
        back = await allow(alice, messages.pushed_url(broker.url, start.base_url, body["request_uri"]))
        assert (await alice.redeem(start, back.query["code"])).status == 200


async def test_a_login_pushed_with_a_key_is_redeemed_with_it(broker: Program, sandbox: Program) -> None:
    """RFC 9449: the code is bound to the key; without it, or with another, GitHub is not even asked."""
    program, key = await register(broker.url, is_public=True), ECKey.generate_key("P-256")
    async with Visitor(broker.url) as alice:
        shown = proof(key, f"{broker.url}/par", time.time())
        status, body = await post(alice, "/par", program.question(), DPoP=shown)
        assert status == 201, body
        back = await allow(alice, link(broker.url, program.id, body))
        form, url = program.redemption(back.query["code"]), f"{broker.url}/token"
        witness = await Witness.of(sandbox.url)
        mallory = proof(ECKey.generate_key("P-256"), url, time.time())
        for wrong in ({}, {"DPoP": mallory}, {"DPoP": shown}, {"DPoP": "x"}):
            status, body = await post(alice, "/token", form, **wrong)
            assert (status, body["error"]) == (400, "invalid_dpop_proof")
        assert await witness.calls() == []
        status, _ = await post(alice, "/token", form, DPoP=proof(key, url, time.time()))
    assert status == 200


async def test_a_key_that_is_only_named_has_to_be_shown_later(broker: Program) -> None:
    """`dpop_jkt` at /authorize binds the code (RFC 9449 section 10); a proof beside it has to agree."""
    program, key = await register(broker.url, is_public=True), ECKey.generate_key("P-256")
    named = {"dpop_jkt": dpop.thumbprint(key)}
    async with Visitor(broker.url) as alice:
        other = proof(ECKey.generate_key("P-256"), f"{broker.url}/par", time.time())
        status, body = await post(alice, "/par", program.question(**named), DPoP=other)
        assert (status, "request_uri" in body) == (400, False)
        form = program.redemption((await allow(alice, program.url(**named))).query["code"])
        assert (await post(alice, "/token", form))[1]["error"] == "invalid_dpop_proof"
        shown = proof(key, f"{broker.url}/token", time.time())
        assert (await post(alice, "/token", form, DPoP=shown))[0] == 200


async def test_another_replica_answers_what_was_pushed_here(sandbox: Program) -> None:
    """The request is inside its name: replicas share keys and nothing else."""

    async def pushed(one: LocalBroker) -> None:
        async with Visitor(one.url) as server:
            program = await register(one.url)
            _, body = await push(server, program)
        async with serve(sandbox.url, one.ring) as two, Visitor(two.url) as alice:
            assert (await alice.get(link(two.url, program.id, body))).status == 200

    async with serve(sandbox.url) as broker:
        await pushed(broker)
