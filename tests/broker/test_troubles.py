"""Error pages: each says what happened, why, what to do and a number, and leads to no unchecked address."""

import re

import pytest
from local_broker import NOW, serve
from programs import Program
from visitor import Answer, Start, Visitor

pytestmark = pytest.mark.anyio


def links(page: Answer) -> list[str]:
    main = page.text.partition("<main")[2].partition("</main>")[0]
    return re.findall(r'href="([^"]*)"', main)


def assert_page(page: Answer, status: int, code: str, cause: str) -> None:
    assert page.status == status
    assert f"<dd>{code}</dd>" in page.text
    assert page.headers["X-Request-Id"] in page.text
    assert cause in page.text
    assert "What to do" in page.text


@pytest.mark.parametrize(
    ("path", "code", "cause"),
    [
        ("/auth/github?redirect_uri=http://mallory.example", "invalid_redirect_uri", "reads the same way"),
        ("/auth/github?redirect_uri=https://denied.example", "blocked_instance", "Whoever runs this service"),
        ("/auth/github/callback?state=x", "state_mismatch", "Opened in two tabs?"),
        ("/authorize?client_id=x&redirect_uri=https://mallory.example", "invalid_client", "say who it is"),
    ],
)
async def test_a_refusal_has_its_own_words(sandbox: Program, path: str, code: str, cause: str) -> None:
    """And no link at all in it: the address that was refused is not offered as a way on."""
    async with serve(sandbox.url, deny="denied.example") as broker, Visitor(broker.url) as alice:
        page = await alice.get(broker.url + path)
    assert page.status in (400, 401)
    assert_page(page, page.status, code, cause)
    assert links(page) == []


async def test_denied_at_github_leads_to_githubs_own_page(sandbox: Program) -> None:
    """Where an organisation's approval is asked for."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        page = await alice.get(f"{broker.url}/auth/github/callback?state=x&error=access_denied")
    assert_page(page, 400, "access_denied", "an organisation does not allow this registration")
    assert [link.startswith(f"{sandbox.url}/settings/connections/applications/") for link in links(page)] == [
        True
    ]


async def test_a_login_that_took_too_long_says_so(sandbox: Program) -> None:
    """The right browser, eleven minutes later."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        back = await alice.back_from_github(Start())
        broker.clock.now = NOW + 601
        assert_page(await alice.get(back), 400, "state_expired", "ten minutes")


async def test_a_form_under_another_key_says_so(sandbox: Program) -> None:
    """A token that this service can no longer open, or never made."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        page = await alice.post(f"{broker.url}/auth/github", {"token": "abcd1234.AAAA"})
    assert_page(page, 400, "seal_broken", "the key of this service was replaced")
    assert links(page) == []
