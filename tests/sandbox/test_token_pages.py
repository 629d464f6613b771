"""The page for a new personal token, over real HTTP."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlencode

import aiohttp
import pytest
from programs import Program
from visitor import Visitor

from trackeep.environment import GitHubAddresses
from trackeep.instance.entry.signin import new_token_link

pytestmark = pytest.mark.anyio


async def test_the_link_of_the_sign_in_page(fresh_sandbox: Program) -> None:
    """Bob follows the instance's link, signs in, and gets a token that works with just those scopes."""
    url = fresh_sandbox.url
    link = new_token_link(GitHubAddresses(url, f"{url}/api/v3", url))
    async with Visitor("") as bob:
        login = await bob.get(link)
        assert login.status == 302
        page = await bob.get(url + login.location)
        back = re.search(r'name="return_to" value="([^"]+)"', page.text)
        assert back
        signed_in = await bob.post(
            f"{url}/login", {"person": "bob", "return_to": back[1].replace("&amp;", "&")}
        )
        assert url + signed_in.location == unquote(link)
        asked = await bob.get(link)
        assert "Trackeep: a token that speaks for bob" in asked.text
        assert "ghp_" not in asked.text
        made = await bob.post(link, {})
    found = re.search(r"ghp_\w{36}", made.text)
    assert found
    assert made.headers["Cache-Control"] == "no-store"
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/api/v3/user", headers={"Authorization": f"Bearer {found[0]}"}) as answer,
    ):
        assert (await answer.json())["login"] == "bob"
        assert answer.headers["X-OAuth-Scopes"] == "read:org, read:user, repo, user:email"


async def test_without_scopes_and_without_a_person(fresh_sandbox: Program) -> None:
    """A link that names no scopes gives what the ready-made tokens have; nobody gets nothing."""
    page = f"{fresh_sandbox.url}/settings/tokens/new"
    async with Visitor("") as carol:
        refused = await carol.post(page, {})
        assert (refused.status, refused.location) == (302, "/login")
        await carol.post(f"{fresh_sandbox.url}/login", {"person": "carol", "return_to": "/"})
        made = await carol.post(page, {})
    assert re.findall(r"<li><strong>([^<]+)", made.text) == ["read:org", "repo", "user"]


async def test_use_another_account(fresh_sandbox: Program) -> None:
    """The consent page has a way to somebody else, which comes back to the same request."""
    asked = {"client_id": "Ov23sandbox0000000001", "scope": "repo", "state": "x&y"}
    address = f"{fresh_sandbox.url}/login/oauth/authorize?{urlencode(asked)}"
    async with Visitor("") as visitor:
        await visitor.post(f"{fresh_sandbox.url}/login", {"person": "alice", "return_to": "/"})
        consent = await visitor.get(address)
        other = re.search(r'Not alice\? <a href="([^"]+)"', consent.text)
        assert other
        people = await visitor.get(fresh_sandbox.url + other[1].replace("&amp;", "&"))
    assert 'value="bob"' in people.text
    assert f'value="{address.removeprefix(fresh_sandbox.url)}"'.replace("&", "&amp;") in people.text
