"""The real service held against its own description, with good data and bad, and with real logins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from jsonschema import Draft202012Validator
from local_broker import broker_environment
from programs import Program, start
from registered import post, register
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from target_vectors import vectors
from visitor import Answer, Start, Visitor

from trackeep.broker.openapi import PATHS, document

pytestmark = pytest.mark.anyio

PROMISED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]
OPERATIONS = [
    (path, method)
    for path, item in PATHS.items()
    for method in item
    if method in ("get", "post", "put", "delete", "options")
]
# Programs and people get the same refusals, each in their own form.
ACCEPTED = ["application/json", "text/html"]
EXAMPLES = 30
# What chance alone would never find: addresses, clients and keys that are good, or nearly so.
HOME = "https://home.example"
ADDRESSES = [each.address for each in vectors()]
KEY = json.dumps(OKPKey.generate_key("X25519").as_dict(private=False))
schemathesis.openapi.format("uri", st.one_of(st.just(HOME), st.sampled_from(ADDRESSES)))
schemathesis.openapi.format("jwk", st.sampled_from([KEY, KEY.replace("X25519", "P-256"), "{}", "["]))


@dataclass(frozen=True)
class Insider:
    """Somebody who has all that the service gives out: a login token, a program's id, a pushed request."""

    token: str
    client_id: str
    request_uri: str


@pytest.fixture(scope="module")
def own(sandbox: Program) -> Iterator[Program]:
    """A service of this file's own: chance asks so often that others would have to wait."""
    program = start("broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def insider(own: Program) -> Insider:
    async def arrive() -> Insider:
        async with Visitor(own.url) as alice:
            token = (await alice.log_in(Start(with_code=False))).query["token"]
            program = await register(own.url, is_public=True, redirect_uri=HOME)
            status, pushed = await post(alice, "/par", {"client_id": HOME, "redirect_uri": HOME})
            assert status == 201
            return Insider(token, program.id, pushed["request_uri"])

    return asyncio.run(arrive())


@pytest.fixture(scope="module")
def api(own: Program, insider: Insider) -> Any:
    clients = [HOME, insider.client_id, insider.client_id[:-1], "http://localhost:8080"]
    schemathesis.openapi.format("client-id", st.sampled_from(clients))
    pushed = [insider.request_uri, insider.request_uri[:-1], ""]
    schemathesis.openapi.format("request-uri", st.sampled_from(pushed))
    return schemathesis.openapi.from_url(f"{own.url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_chance_finds_nothing_that_is_not_described(
    own: Program, insider: Insider, api: Any, path: str, method: str
) -> None:
    """No failure of ours, no status, header, type or body but those that are described."""
    operation = api[path][method]
    # Without parameters there is nothing to get wrong, and any text is a path.
    modes = list(GenerationMode) if operation.query or operation.body else [GenerationMode.POSITIVE]
    known = [{}, {"Authorization": f"Bearer {insider.token}"}] if "user" in path else [{}]
    with requests.Session() as session:
        for mode in modes:

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(
                case=operation.as_strategy(generation_mode=mode),
                accept=st.sampled_from(ACCEPTED),
                sent=st.sampled_from(known),
            )
            def ask(case: schemathesis.Case, accept: str, sent: dict[str, str]) -> None:
                case.call_and_validate(
                    base_url=own.url,
                    session=session,
                    headers={"Accept": accept, "Sec-Fetch-Site": "same-origin", **sent},
                    checks=PROMISED,
                    allow_redirects=False,
                )

            ask()


async def test_a_real_login_is_described_too(broker: Program) -> None:
    """From the registration to the person's name, every body is what the description says."""
    async with Visitor(broker.url) as alice:
        begun = Start()
        described("/auth/github", "get", await alice.begin(begun))
        answer = await alice.log_in(begun)
        described("/auth/github/callback", "get", answer)
        redeemed = await alice.redeem(begun, answer.query["code"])
        bearer = {"Authorization": f"Bearer {described('/token', 'post', redeemed)['token']}"}
        described("/api/v1/user/me", "get", await alice.ask("GET", f"{broker.url}/api/v1/user/me", bearer))
        spent = await alice.redeem(begun, answer.query["code"])
        described("/token", "post", spent)
        pushed = {"client_id": begun.base_url, "redirect_uri": begun.base_url}
        described("/par", "post", await alice.ask("POST", f"{broker.url}/par", {}, pushed))
        assert [answer.status, redeemed.status, spent.status] == [303, 200, 400]


async def test_a_login_of_another_program_is_described_too(broker: Program) -> None:
    """OpenID Connect, from the question to the claims, and the way back with a mistake."""
    async with Visitor(broker.url) as alice:
        program = await register(broker.url)
        mistaken = await alice.get(program.url(response_type="token"))
        page = await alice.get(program.url())
        described("/authorize", "get", mistaken)
        described("/authorize", "get", page)
        assert [mistaken.status, page.status] == [303, 200]
        back = await alice.get(await alice.sign_in_at_github((await alice.agree(page)).onward))
        form = program.redemption(back.query["code"])
        redeemed = await alice.ask("POST", f"{broker.url}/token", {}, form)
        bearer = {"Authorization": f"Bearer {described('/token', 'post', redeemed)['access_token']}"}
        claims = await alice.ask("GET", f"{broker.url}/userinfo", bearer)
        assert described("/userinfo", "get", claims)["preferred_username"] == "alice"


def described(path: str, method: str, answer: Answer) -> Any:
    """The body of `answer`, which must be described for its status."""
    response = PATHS[path][method]["responses"][str(answer.status)]
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if "content" not in response:
        return None
    schema = response["content"][kind]["schema"]
    body = json.loads(answer.text) if kind == "application/json" else answer.text
    Draft202012Validator({**schema, "components": document("")["components"]}).validate(body)
    return body
