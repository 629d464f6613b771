"""Attack 8: mallory presses Continue for the victim."""

import pytest
from local_broker import CLIENT_ID, NOW, Clock, serve
from programs import Program
from visitor import Answer, Start, Visitor

pytestmark = pytest.mark.anyio

MALLORY = Start("https://mallory.example")


def assert_refused(answer: Answer) -> None:
    assert answer.status in (400, 403)
    assert not answer.starts_a_login
    assert CLIENT_ID not in answer.text


@pytest.mark.parametrize("token", ["", "x", "abcd1234.AAAA"])
async def test_without_a_token_of_ours_nothing_begins(broker: Program, token: str) -> None:
    """No token, or one that was not made here."""
    async with Visitor(broker.url) as alice:
        await alice.begin(MALLORY)
        assert_refused(await alice.post(f"{broker.url}/auth/github", {"token": token}))
        assert_refused(await alice.post(f"{broker.url}/auth/github", {}))


async def test_an_edited_token_is_refused(broker: Program) -> None:
    """Every part of the token is sealed, so that the address in it cannot be exchanged."""
    async with Visitor(broker.url) as alice:
        token = (await alice.begin(Start())).form_token
        for place in (0, 8, 9, len(token) // 2, len(token) - 1):
            letter = "A" if token[place] != "A" else "B"
            edited = token[:place] + letter + token[place + 1 :]
            assert_refused(await alice.post(f"{broker.url}/auth/github", {"token": edited}))


async def test_a_token_that_mallory_fetched_does_not_work_for_alice(broker: Program) -> None:
    """The victim's browser sends mallory's token: without her cookie the page is shown again."""
    async with Visitor(broker.url) as mallory, Visitor(broker.url) as alice:
        page = await mallory.begin(MALLORY)
        await alice.begin(Start())
        answer = await alice.agree(page)
    assert_refused(answer)
    assert "mallory.example" in answer.text


async def test_a_token_without_any_cookie_does_not_work(broker: Program) -> None:
    """A browser that never saw the page cannot have agreed to it."""
    async with Visitor(broker.url) as mallory, Visitor(broker.url) as alice:
        assert_refused(await alice.agree(await mallory.begin(MALLORY)))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "", "origin": "https://mallory.example"},
        {"sec_fetch_site": "", "origin": "null"},
        {"sec_fetch_site": "", "origin": ""},
    ],
)
async def test_a_form_on_another_page_is_refused(broker: Program, headers: dict[str, str]) -> None:
    """Even with cookie and token, only our own page may send the form; a neighbour on the site may not."""
    async with Visitor(broker.url) as alice:
        assert_refused(await alice.agree(await alice.begin(Start()), **headers))


async def test_a_browser_without_fetch_metadata_sends_our_origin(broker: Program) -> None:
    """Older browsers are not locked out: their `Origin` is our own."""
    async with Visitor(broker.url) as alice:
        page = await alice.begin(Start())
        answer = await alice.agree(page, sec_fetch_site="", origin=broker.url)
    assert answer.starts_a_login


async def test_a_page_that_was_fetched_twice_still_works(broker: Program) -> None:
    """Two tabs, or a reload: both forms are good, in any order."""
    async with Visitor(broker.url) as alice:
        first, second = await alice.begin(Start()), await alice.begin(Start("http://localhost:8081"))
        assert (await alice.agree(second)).starts_a_login
        assert (await alice.agree(first)).starts_a_login


async def test_an_old_form_shows_the_page_again(sandbox: Program) -> None:
    """After ten minutes the question is asked anew, and the new form works: no dead end."""
    clock = Clock()
    async with serve(sandbox.url, clock=clock) as broker, Visitor(broker.url) as alice:
        page = await alice.begin(Start())
        clock.now = NOW + 601
        again = await alice.agree(page)
        assert_refused(again)
        assert "Send your GitHub login to this address?" in again.text
        assert (await alice.agree(again)).starts_a_login
