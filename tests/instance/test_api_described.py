"""The JSON API held against its own description, with good data and bad, in the running program."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import leaks
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from programs import Program, start
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from small_world import ALICE, fill

from trackeep import web
from trackeep.database import Database
from trackeep.instance.api.schema import document
from trackeep.store import api_tokens
from trackeep.store.api_tokens import SCOPES
from trackeep.store.token_text import token_of

PROMISED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
    checks.ignored_auth,
]
DESCRIBED = document("http://localhost")
OPERATIONS = [(path, method) for path, item in DESCRIBED["paths"].items() for method in item]
EXAMPLES, FEWER_EXAMPLES = 20, 5
# What the description can only say in words: no cursor but our own, no day before there were computers.
schemathesis.openapi.format("cursor", st.just(""))
# The language of searches is no schema's: what it refuses has tests of its own.
schemathesis.openapi.format(
    "search", st.sampled_from(["retry", "-fix", '"why so" author:me since:7d', "9f31c7a"])
)
schemathesis.openapi.format("date", st.dates(date(1970, 1, 1), date(2100, 1, 1)).map(str))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("described")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    text = token_of(secrets.token_bytes(32))
    leaks.issued.add(text)

    async def prepare() -> None:
        now, db = int(time.time()), await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
        await fill(db, now)
        async with db.write() as conn:
            new = api_tokens.wanted("Chance", list(SCOPES), None, now)
            await api_tokens.create(conn, ALICE, text, new, now)
        await db.close()

    asyncio.run(prepare())
    return text


@pytest.fixture(scope="module")
def program(folder: Path, token: str) -> Iterator[Program]:
    running = start("serve", "--no-worker", "--port", "0", env={"TRACKEEP_DATA_DIR": str(folder)})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def api(program: Program) -> Any:
    return schemathesis.openapi.from_url(f"{program.url}/api/openapi.json")


@pytest.fixture(scope="module")
def below(folder: Path, token: str) -> Iterator[Program]:
    """The same data at an address with a path; `url` is that address."""
    listener = web.bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    url = f"http://localhost:{port}/t"
    env = {"TRACKEEP_DATA_DIR": str(folder), "TRACKEEP_BASE_URL": url}
    running = start("serve", "--no-worker", "--port", str(port), env=env)
    assert running.url == url
    yield running
    running.stop()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_chance_finds_nothing_that_is_not_described(
    program: Program, token: str, api: Any, path: str, method: str
) -> None:
    """No failure of ours, and no status, header, type or body but those that are described."""
    by_chance(program, token, api[path][method], EXAMPLES)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_nor_below_a_path(below: Program, token: str, path: str, method: str) -> None:
    """The description of an instance that is not at the root leads to where it is, and holds there."""
    by_chance(below, token, described(f"{below.url}/api/openapi.json")[path][method], FEWER_EXAMPLES)


@cache
def described(url: str) -> Any:
    return schemathesis.openapi.from_url(url)


def by_chance(program: Program, token: str, operation: Any, examples: int) -> None:
    """Ask with good data and bad, where the description itself says."""
    # Without parameters there is nothing to get wrong.
    modes = list(GenerationMode) if operation.query or operation.body else [GenerationMode.POSITIVE]
    with requests.Session() as session:
        for mode in modes:

            @settings(
                max_examples=examples,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                case.call_and_validate(
                    base_url=program.url,
                    session=session,
                    headers={"Authorization": f"Bearer {token}"},
                    checks=PROMISED,
                    allow_redirects=False,
                )

            ask()


def test_the_description_is_one() -> None:
    """OpenAPI 3.1 with every schema used and valid, and a name of its own for each operation."""
    assert DESCRIBED["openapi"].startswith("3.1")
    names = [item[method]["operationId"] for item in DESCRIBED["paths"].values() for method in item]
    assert len(set(names)) == len(names)
    told = str(DESCRIBED["paths"]) + str(DESCRIBED["components"]["schemas"])
    for name, schema in DESCRIBED["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f"#/components/schemas/{name}'" in told, name


def test_it_says_where_it_is(program: Program) -> None:
    """Anybody may fetch it, and its server is this instance."""
    schemathesis.openapi.from_url(f"{program.url}/api/openapi.json").validate()
    served = requests.get(f"{program.url}/api/openapi.json", timeout=60).json()
    assert [one["url"] for one in served["servers"]] == [program.url]
    below = document("https://example.org/t")
    assert below["servers"][0]["url"] == "https://example.org/t"
    assert all(path.startswith("/api/v1/") for path in below["paths"])
    assert below["components"]["securitySchemes"]["session"]["name"] == "__Secure-session"
