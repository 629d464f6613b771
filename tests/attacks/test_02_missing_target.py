"""Attack 2: no redirect_uri, an empty one, or two of them."""

import pytest
from programs import Program
from visitor import Visitor

pytestmark = pytest.mark.anyio

QUERIES = [
    "",
    "?",
    "?redirect_uri=",
    "?redirect_uri",
    "?redirect_uri=https://home.example&redirect_uri=https://mallory.example",
    "?redirect_uri=https://home.example&redirect_uri=https://home.example",
    "?redirect_uri=&redirect_uri=https://mallory.example",
    "?redirect_uri[]=https://mallory.example",
    "?REDIRECT_URI=https://mallory.example",
    "?return_to=https://mallory.example",
    "?redirect_uri=https://home.example&state=a&state=b",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_the_address_is_never_guessed(broker: Program, query: str) -> None:
    """400, whatever Origin and Referer suggest: they are written by whoever made the link."""
    suggestions = {"origin": "https://mallory.example", "referer": "https://mallory.example/"}
    async with Visitor(broker.url) as alice:
        answer = await alice.get(f"{broker.url}/auth/github{query}", **suggestions)
    assert answer.status == 400
    assert not answer.starts_a_login
    assert "mallory" not in answer.text
    assert "What to do" in answer.text
