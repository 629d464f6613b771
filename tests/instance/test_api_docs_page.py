"""The documentation page of the JSON API says what the description says, and what it shows is true."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, small_api
from jsonschema import Draft202012Validator
from local_instance import Guest
from small_world import enter

from trackeep.instance.api.docs import example_of, groups
from trackeep.instance.api.schema import document

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, path="/t") as found:
        yield found


async def shown(api: Api) -> str:
    async with Guest(api.instance.url, "") as alice:
        await enter(api.instance, alice)
        page = await alice.open("/api/docs")
        assert page.status == 200
        return html.unescape(page.text)


async def test_everything_described_is_shown(api: Api) -> None:
    """Each operation with its parameters, their words and its scope, and each has an address of its own."""
    page, described = await shown(api), document(api.instance.url)
    for path, item in described["paths"].items():
        for method, operation in item.items():
            card = page.partition(f'id="{operation["operationId"]}"')[2].partition("</section>")[0]
            assert f"<code>{path}</code>" in card and f">{method.upper()}<" in card
            assert operation["summary"] in card
            for parameter in operation.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in card
                assert re.sub("`(.+?)`", r"<code>\1</code>", parameter.get("description", "")) in card


async def test_the_lines_to_paste_work(api: Api) -> None:
    """Every curl line asks this instance, and none of them is a wrong request."""
    page, token = await shown(api), await api.token()
    lines = [line for line in re.findall(r"<code>(curl [^<]+)</code>", page) if "$TOKEN" in line]
    assert len(lines) == sum(len(item) for item in document("x")["paths"].values())
    for line in lines:
        words = shlex.split(line)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = json.loads(words[words.index("--json") + 1]) if "--json" in words else None
        assert words[-1].startswith(f"{api.instance.url}/api/v1/")
        path = words[-1].removeprefix(f"{api.instance.url}/api/v1")
        assert (await api.ask(method, path, token, body=body)).status in (200, 201, 202, 204, 404), line


async def test_the_examples_are_as_described(api: Api) -> None:
    """Each example is an answer that the description allows, and none is empty by mistake."""
    described = document(api.instance.url)
    for item in described["paths"].values():
        for operation in item.values():
            response = operation["responses"][next(iter(operation["responses"]))]
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema:
                whole = {**schema, "components": described["components"]}
                Draft202012Validator(whole).validate(example_of(schema, described))
    assert [len(found) for found in groups(described).values()] == [3, 8, 4, 3]


async def test_it_needs_nothing_from_elsewhere(api: Api) -> None:
    """No script but the pages' own, no other host, within the weight of a page."""
    async with Guest(api.instance.url, "") as alice:
        await enter(api.instance, alice)
        page = await alice.open("/api/docs")
    sources = re.findall(r'(?:src|href)="([^"#]*)', page.text)
    assert all(not source.startswith(("http", "//")) for source in sources)
    assert page.text.count("<script") == 1 and " style=" not in page.text
    assert page.text.count("<h1") == 1
    assert len(re.findall(r"<[a-z]", page.text)) < 1_500
