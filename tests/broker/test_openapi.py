"""The real service held against its own description, with good data and bad, and with real logins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from local_broker import broker_environment
from programs import Program, start
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
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
EXAMPLES = 12


@pytest.fixture(scope="module")
def own(sandbox: Program) -> Iterator[Program]:
    """A service of this file's own: chance asks so often that others would have to wait."""
    program = start("broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def api(own: Program) -> Any:
    return schemathesis.openapi.from_url(f"{own.url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_chance_finds_nothing_that_is_not_described(own: Program, api: Any, path: str, method: str) -> None:
    """No failure of ours, no status, header, type or body but those that are described."""
    operation = api[path][method]
    # Without parameters there is nothing to get wrong, and any text is a path.
    modes = list(GenerationMode) if operation.query or operation.body else [GenerationMode.POSITIVE]
    with requests.Session() as session:
        for mode in modes:

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), accept=st.sampled_from(ACCEPTED))
            def ask(case: schemathesis.Case, accept: str) -> None:
                case.call_and_validate(
                    base_url=own.url,
                    session=session,
                    headers={"Accept": accept},
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
