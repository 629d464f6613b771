"""Programs that are registered by hand: the form, its mistakes, and an id and secret that work."""

import html
import re

import pytest
from programs import Program
from registered import Registered, tokens_of
from visitor import Answer, Visitor

pytestmark = pytest.mark.anyio
CALLBACK = "http://localhost:8765/login/generic_oauth"


async def send(alice: Visitor, callback: str, name: str = "", kind: str = "secret", **headers: str) -> Answer:
    form = {"callback": callback, "name": name, "kind": kind}
    return await alice.post(f"{alice.broker_url}/apps/new", form, **headers)


def value(page: Answer, label: str) -> str:
    found = re.search(rf"<dt>{re.escape(label)}</dt><dd><code[^>]*>([^<]*)</code>", page.text)
    assert found, label
    return html.unescape(found[1])


async def test_an_id_and_secret_made_by_hand_sign_people_in(broker: Program) -> None:
    """What the page shows is all that a program needs."""
    async with Visitor(broker.url) as alice:
        page = await send(alice, CALLBACK, "Grafana")
        made = Registered(broker.url, value(page, "Client id"), value(page, "Client secret"), CALLBACK)
        assert value(page, "Authorization") == f"{broker.url}/authorize"
        assert value(page, "Issuer") == broker.url
        tokens = await tokens_of(alice, made)
    assert tokens["id_token"]
    assert "client_secret = " + made.secret in page.text


async def test_a_public_program_gets_an_id_alone(broker: Program) -> None:
    """It could not keep a secret, so none is made; PKCE is what it needs."""
    async with Visitor(broker.url) as alice:
        page = await send(alice, CALLBACK, kind="public")
        made = Registered(broker.url, value(page, "Client id"), "", CALLBACK)
        assert "Client secret" not in page.text
        assert (await tokens_of(alice, made))["id_token"]


async def test_id_and_secret_stand_in_no_address_and_no_log(broker: Program) -> None:
    """The answer is the page itself, kept by nobody; no cookie is set by any of it."""
    async with Visitor(broker.url) as alice:
        empty = await alice.get(f"{broker.url}/apps/new")
        page = await send(alice, CALLBACK)
    assert (page.status, page.location, page.headers["Cache-Control"]) == (200, "", "no-store")
    assert empty.set_cookies + page.set_cookies == []
    log = broker.stderr_text()
    assert value(page, "Client secret") not in log
    assert value(page, "Client id") not in log


@pytest.mark.parametrize(
    ("callback", "why"),
    [
        ("", "is empty"),
        ("http://home.example/cb", "public but not encrypted"),
        ("home.example", "does not begin with https"),
        ("https://alice@home.example/cb", "has a user name"),
        ("https://home.example/cb#x", "has a # in it"),
    ],
)
async def test_a_mistake_is_shown_at_its_field(broker: Program, callback: str, why: str) -> None:
    """With what was typed kept, and with what to change."""
    async with Visitor(broker.url) as alice:
        page = await send(alice, callback, "Alice's Grafana", "public")
    assert page.status == 400
    mistake = re.search(r'id="callback-mistake".*?</p>', page.text, re.S)
    assert mistake
    assert why in mistake[0]
    assert f'value="{html.escape(callback)}"' in page.text
    assert 'value="Alice&#39;s Grafana"' in page.text
    assert 'value="public" checked' in page.text


async def test_a_form_on_another_page_is_refused(broker: Program) -> None:
    """A registration is harmless, but it is not made behind anybody's back."""
    async with Visitor(broker.url) as alice:
        page = await send(alice, CALLBACK, sec_fetch_site="cross-site")
    assert (page.status, "Client id" in page.text) == (403, False)
