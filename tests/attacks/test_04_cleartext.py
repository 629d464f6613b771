"""Attack 4: logins that would cross a network unencrypted."""

import pytest
from programs import Program
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("with_code", [True, False], ids=["code", "token"])
@pytest.mark.parametrize(
    "base_url", ["http://home.example", "http://8.8.8.8:8080", "http://[2606:4700::1111]"]
)
async def test_public_http_gets_no_login(broker: Program, base_url: str, with_code: bool) -> None:
    """Everybody on the way could take it, in both modes."""
    async with Visitor(broker.url) as alice:
        answer = await alice.begin(Start(base_url, with_code=with_code))
    assert answer.status == 400
    assert "Give it https" in answer.text


@pytest.mark.parametrize(
    "base_url", ["http://192.168.1.5:8080", "http://nas.lan", "http://nas", "http://[fd00::1]"]
)
async def test_a_bare_token_does_not_cross_a_local_network(broker: Program, base_url: str) -> None:
    """Without a key to encrypt to, token mode is refused there; with a code the page warns."""
    async with Visitor(broker.url) as alice:
        refused = await alice.begin(Start(base_url, with_code=False))
        page = await alice.begin(Start(base_url))
    assert refused.status == 400
    assert "code_challenge" in refused.text
    assert page.status == 200
    assert "Not encrypted" in page.text
    assert "Pairing code" in page.text


async def test_consent_for_a_local_network_is_never_remembered(broker: Program) -> None:
    """The same address there can be somebody else's tomorrow: the page is shown every time."""
    start = Start("http://nas.lan:8080")
    async with Visitor(broker.url) as alice:
        await alice.log_in(start)
        again = await alice.get(
            start.url(broker.url), referer="http://nas.lan:8080/", sec_fetch_site="cross-site"
        )
    assert again.status == 200
    assert not again.starts_a_login
