"""Settings, API tokens: made, shown once, listed and revoked, without a script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import leaks
import pytest
from api_client import Api, small_api
from local_instance import Guest
from small_world import BOB, enter
from visitor import Answer

pytestmark = pytest.mark.anyio

PAGE = "/settings/tokens"
FORM = {"name": "Night job", "scope": "read", "days": "90"}


@pytest.fixture(params=["", "/t"], ids=["root", "path"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, path=request.param) as found:
        yield found


@pytest.fixture
async def alice(api: Api) -> AsyncIterator[Guest]:
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        yield browser


def token_on(page: Answer) -> str:
    found = re.search(r'value="(tk_\w{49})"', page.text)
    assert found, page.text[-2000:]
    leaks.issued.add(found[1])
    return found[1]


def buttons(page: Answer) -> list[str]:
    return re.findall(r'name="token" value="(\d+)"', page.text)


async def test_a_new_token_is_shown_once(api: Api, alice: Guest) -> None:
    """It works at once, for what was ticked, and no later page has it."""
    made = await alice.send(PAGE, FORM)
    token = token_on(made)
    assert made.headers["Cache-Control"] == "no-store"
    assert f"{api.instance.url}/api/v1/me" in made.text
    right = (await api.get("/me", token))["authentication"]
    assert (right["name"], right["scopes"]) == ("Night job", ["read"])
    later = await alice.open(PAGE)
    assert token not in later.text and f"<code>{token[:9]}…</code>" in later.text


async def test_a_use_is_shown(api: Api, alice: Guest) -> None:
    """When it was last used and from where."""
    token = token_on(await alice.send(PAGE, FORM))
    assert ">Never</span>" in (await alice.open(PAGE)).text
    await api.get("/me", token)
    assert "<code>127.0.0.1</code>" in (await alice.open(PAGE)).text


async def test_revoking_ends_it(api: Api, alice: Guest) -> None:
    """One button, and the token opens nothing; pressed again it says so."""
    token = token_on(await alice.send(PAGE, FORM))
    (number,) = buttons(await alice.open(PAGE))
    answer = await alice.send(f"{PAGE}/revoke", {"token": number})
    assert (answer.status, answer.location.endswith(PAGE)) == (303, True)
    assert (await api.ask("GET", "/me", token)).status == 401
    assert (await alice.send(f"{PAGE}/revoke", {"token": number})).status == 404


async def test_bob_ends_only_his_own(api: Api, alice: Guest) -> None:
    """Neither does he see alice's tokens, nor does her number help him."""
    token = token_on(await alice.send(PAGE, FORM))
    (number,) = buttons(await alice.open(PAGE))
    async with Guest(api.instance.url, "") as bob:
        await enter(api.instance, bob, BOB)
        assert "No tokens yet" in (await bob.open(PAGE)).text
        assert (await bob.send(f"{PAGE}/revoke", {"token": number})).status == 404
    assert (await api.ask("GET", "/me", token)).status == 200


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"name": "x" * 101}, {"scope": ""}, {"scope": "root"}, {"days": "7"}, {"days": "x"}],
)
async def test_a_wrong_form_makes_nothing(alice: Guest, wrong: dict[str, str]) -> None:
    """What the page does not offer is refused with a sentence."""
    assert (await alice.send(PAGE, {**FORM, **wrong})).status == 400
    assert buttons(await alice.open(PAGE)) == []


async def test_an_expired_one_says_so(api: Api, alice: Guest) -> None:
    """It stays in the list until it is revoked, so that nobody wonders why a job fails."""
    await alice.send(PAGE, {**FORM, "days": "30"})
    api.instance.clock.ahead_s += 29 * 86_400
    assert "Expired" not in (await alice.open(PAGE)).text
    api.instance.clock.ahead_s += 2 * 86_400
    async with Guest(api.instance.url, "") as again:
        await enter(api.instance, again)
        assert "Expired" in (await again.open(PAGE)).text


async def test_a_name_is_only_a_name(alice: Guest) -> None:
    """Whatever is typed stands there as text."""
    await alice.send(PAGE, {**FORM, "name": "<script>alert(1)</script>"})
    page = (await alice.open(PAGE)).text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
