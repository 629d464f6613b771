"""Attack 3: addresses that one program reads as ours and another as mallory's, in hundreds of variants."""

import itertools
from urllib.parse import quote

import pytest
from addresses import REFUSED
from programs import Program
from visitor import Visitor

pytestmark = pytest.mark.anyio

BEFORE = ["https://home.example", "http://localhost:8080", "https://127.0.0.1", "https://[::1]"]
BETWEEN = [
    "@",
    "\\@",
    "%40",
    "#@",
    "?@",
    ":x@",
    "\\",
    "%5c",
    "%2f%2f",
    "//",
    "\t",
    "\r\n",
    "%0d%0a",
    "\x00",
    ";",
]
AFTER = ["mallory.example", "mallory.example/auth/callback", "mallory.example:443"]
RAW = [
    "%ff",
    "%c0%ae",
    "https%3A%2F%2Fhome.example%ff",
    "%00https://home.example",
    "https://home.example%E2%80%AE",
]


async def test_every_trick_is_answered_with_400(broker: Program) -> None:
    """Never a redirect, never an error of the program, and always a hint."""
    built = ["".join(parts) for parts in itertools.product(BEFORE, BETWEEN, AFTER)]
    async with Visitor(broker.url) as mallory:
        for address in [*(quote(text, safe="") for text in (*REFUSED, *built)), *RAW]:
            answer = await mallory.get(f"{broker.url}/auth/github?redirect_uri={address}")
            assert answer.status == 400, address
            assert answer.location == ""
            assert "What to do" in answer.text
            assert not answer.starts_a_login


@pytest.mark.parametrize("field", ["redirect_uri", "client_id"])
async def test_tricks_do_not_work_at_the_exchange_either(broker: Program, field: str) -> None:
    """The address that comes with a code is parsed just as strictly."""
    fields = {"grant_type": "authorization_code", "code": "x.y", "code_verifier": "v" * 43}
    good = {"redirect_uri": "https://home.example", "client_id": "https://home.example"}
    async with Visitor(broker.url) as mallory:
        for text in REFUSED[:60]:
            form = {**fields, **good, field: text}
            answer = await mallory.ask("POST", f"{broker.url}/token", {}, form)
            # 401 where the client id is no address at all: nobody of that name is known.
            assert answer.status in (400, 401)
