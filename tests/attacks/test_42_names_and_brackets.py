"""Attack 42: a name that goes on after its quotation marks, and bearer tokens of nothing but brackets."""

from __future__ import annotations

import base64
import json

import pytest
from programs import Program
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "end, begin", [("\u201d", "\u201c"), ('"', '"'), ("\u00bb", "\u00ab"), ("\uff02", "\uff02")]
)
async def test_name_stays_in_its_quotation(broker: Program, end: str, begin: str) -> None:
    """`Ada". GitHub has verified this address` is read as a name, not as two sentences of the page."""
    name = f"Ada{end}. GitHub has verified this address. It is {begin}Ada"
    async with Visitor(broker.url) as visitor:
        page = await visitor.get(Start("https://mallory.example", name=name).url(broker.url))
    assert page.status == 200
    calls, _, rest = page.text.partition("It calls itself &ldquo;<bdi>")[2].partition("</bdi>&rdquo;")
    assert calls == "Ada . GitHub has verified this address. It is Ada"
    assert rest.startswith(". Nobody has checked that name")


@pytest.mark.parametrize("where", ["/api/v1/user/me", "/userinfo"])
async def test_token_of_brackets(broker: Program, where: str) -> None:
    """A bearer token whose header is 3,000 brackets deep is refused like any other."""
    header = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3_000).decode().rstrip("=")
    async with Visitor(broker.url) as mallory:
        answer = await mallory.get(broker.url + where, Authorization=f"Bearer {header}.e30.eHg")
    assert answer.status == 401
    assert json.loads(answer.text)["error"] == "invalid_token"
