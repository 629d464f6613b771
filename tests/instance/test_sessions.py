"""Sessions: what the cookie is like, how long it lives, and who may make this browser act."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from local_instance import Guest, LocalInstance, serve
from programs import Program
from sqlalchemy import select
from starlette.routing import Route

from trackeep.instance import webhooks
from trackeep.instance.app import ROUTES
from trackeep.instance.sessions import SAFE_METHODS
from trackeep.store.tables import session

pytestmark = pytest.mark.anyio

DAY_S = 86_400


@pytest.fixture
async def token(sandbox: Program) -> str:
    """Alice's own token."""
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/people") as answer:
        return str({person["login"]: person["token"] for person in await answer.json()}["alice"])


async def own(instance: LocalInstance, guest: Guest, token: str) -> str:
    """Sign in with a token; the session cookie as it was set."""
    if not await guest.is_signed_in():
        await guest.set_up(await instance.code())
    answer = await guest.send("/signin/token", {"token": token})
    assert answer.status == 303, answer.text
    return next(line for line in answer.set_cookies if "session" in line)


def path_of(url: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", url)


async def test_the_cookie_is_out_of_reach(sandbox: Program, tmp_path: Path, token: str) -> None:
    """No script reads it, no other site sends it along with a form, and it lives 30 days."""
    async with serve(tmp_path, sandbox.url, path="/t") as instance, Guest(instance.url, "") as alice:
        flags = (await own(instance, alice, token)).split("; ")[1:]
        assert set(flags) == {"HttpOnly", "Max-Age=2592000", "Path=/t", "SameSite=lax"}


@pytest.mark.parametrize(("path", "prefix"), [("", "__Host-session="), ("/t", "__Secure-session=")])
async def test_https_cookies_have_the_browsers_protection(
    sandbox: Program, tmp_path: Path, token: str, path: str, prefix: str
) -> None:
    """Behind https the cookie is Secure and carries the prefix that browsers enforce."""
    base_url = f"https://trackeep.example.org{path}"
    async with serve(tmp_path, sandbox.url, path=path, base_url=base_url) as instance:
        async with Guest(instance.url, "") as alice:
            await alice.set_up(await instance.code())
            answer = await alice.send("/signin/token", {"token": token})
        cookie = next(line for line in answer.set_cookies if "session" in line)
        assert cookie.startswith(prefix)
        assert {"Secure", f"Path={path or '/'}"} <= set(cookie.split("; "))
        assert answer.headers["Strict-Transport-Security"]


async def test_the_session_is_rotated_at_login(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Signing in again gives a new identifier, and the old one opens nothing."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        before = {host: dict(jar) for host, jar in alice.cookies.items()}
        await own(instance, alice, token)
        assert alice.cookies != before
        assert await alice.is_signed_in()
        alice.cookies = before
        assert not await alice.is_signed_in()
        async with instance.site.db.read() as conn:
            assert len((await conn.execute(select(session))).all()) == 1


async def test_the_database_has_no_identifier(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Whoever copies the database finds hashes, with the device and the address of each session."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        cookie = await own(instance, alice, token)
        await alice.open("/signin", user_agent="Lynx/2.9")
        async with instance.site.db.read() as conn:
            row = (await conn.execute(select(session))).one()
        assert (len(row.id_hash), row.address) == (32, "127.0.0.1")
        assert cookie.partition("=")[2].partition(";")[0].encode() not in row.id_hash


async def test_thirty_days_without_a_visit_end_it(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Each visit begins the 30 days again, for the browser too; 31 days without one end the session."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        for _ in range(3):
            instance.clock.ahead_s += 29 * DAY_S
            answer = await alice.open("/signin")
            assert answer.status == 303
            assert any("Max-Age=2592000" in line for line in answer.set_cookies)
        assert not (await alice.open("/signin")).set_cookies
        instance.clock.ahead_s += 31 * DAY_S
        assert not await alice.is_signed_in()


async def test_signing_out(sandbox: Program, tmp_path: Path, token: str) -> None:
    """One browser, or all of them; the cookie goes, and so does the row."""
    async with (
        serve(tmp_path, sandbox.url) as instance,
        Guest(instance.url, "") as laptop,
        Guest(instance.url, "") as phone,
    ):
        laptop_cookie = await own(instance, laptop, token)
        phone.cookies["localhost"] = {}
        assert (await phone.send("/signin/token", {"token": token})).status == 303
        answer = await laptop.send("/auth/logout", {})
        assert answer.location == "/signin"
        assert any("Max-Age=0" in line for line in answer.set_cookies)
        name, _, value = laptop_cookie.partition(";")[0].partition("=")
        laptop.cookies["localhost"][name] = value
        assert not await laptop.is_signed_in()
        assert await phone.is_signed_in()
        assert (await laptop.send("/signin/token", {"token": token})).status == 303
        await phone.send("/auth/logout", {"everywhere": "1"})
        assert not await laptop.is_signed_in()
        assert not await phone.is_signed_in()


async def test_nobody_is_signed_out_by_a_link(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Opening the sign-out address changes nothing: only a form of our own pages signs out."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        assert (await alice.open("/auth/logout")).status == 405
        assert await alice.is_signed_in()


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "", "origin": "http://localhost:1"},
        {"sec_fetch_site": "", "origin": "null"},
        {"sec_fetch_site": ""},
    ],
)
async def test_a_foreign_page_changes_nothing(
    sandbox: Program, tmp_path: Path, token: str, headers: dict[str, str]
) -> None:
    """Every address that changes something refuses a form from elsewhere, a neighbour's on the host too.

    But the webhook, where a signature stands for the page.
    """
    unsafe = [
        (method, route.path)
        for route in ROUTES
        if isinstance(route, Route) and route.path != webhooks.PATH
        for method in sorted(set(route.methods or ()) - set(SAFE_METHODS))
    ]
    assert ("POST", "/auth/logout") in unsafe
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        for method, path in unsafe:
            if method == "POST":
                answer = await alice.send(path_of(path), {"token": token}, **headers)
                assert answer.status == 403, path
        assert await alice.is_signed_in()


async def test_our_own_origin_is_enough_for_old_browsers(
    sandbox: Program, tmp_path: Path, token: str
) -> None:
    """A browser that sends no Sec-Fetch-Site is known by its Origin."""
    async with serve(tmp_path, sandbox.url, path="/t") as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        origin = instance.url.removesuffix("/t")
        assert (await alice.send("/auth/logout", {}, sec_fetch_site="", origin=origin)).status == 303


async def test_two_instances_on_one_host_keep_apart(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Cookies ignore ports; two instances still neither overwrite nor accept each other's."""
    async with (
        serve(tmp_path / "one", sandbox.url) as one,
        serve(tmp_path / "two", sandbox.url) as two,
        Guest(one.url, "") as alice,
    ):
        await own(one, alice, token)
        assert await alice.is_signed_in()
        alice.instance_url = two.url
        assert not await alice.is_signed_in()
        await own(two, alice, token)
        assert await alice.is_signed_in()
        alice.instance_url = one.url
        assert await alice.is_signed_in()
        assert len({name for name in alice.cookies["localhost"] if name.startswith("session-")}) == 2


async def test_pages_for_people_send_strangers_to_sign_in(sandbox: Program, tmp_path: Path) -> None:
    """Every page of the table is either made for strangers or asks to sign in; programs get 401."""
    open_to_all = {
        "/setup",
        "/signin",
        "/auth/login",
        "/auth/callback",
        "/healthz",
        "/readyz",
        "/privacy",
        "/metrics",
    }
    open_to_all |= {"/.well-known/oauth-client", "/auth/github/callback", "/api/openapi.json"}
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as nobody:
        for route in ROUTES:
            assert isinstance(route, Route)
            is_open = route.path in open_to_all or route.path.startswith(("/feeds/", "/b/"))
            if "GET" not in (route.methods or ()) or is_open:
                continue
            path = path_of(route.path)
            answer = await nobody.open(path)
            assert (answer.status, answer.location.partition("?")[0]) == (303, "/signin"), path
            assert (await nobody.open(path, accept="application/json")).status == 401, path


async def test_an_open_stream_ends_with_the_session(sandbox: Program, tmp_path: Path, token: str) -> None:
    """Progress that a page follows stops within seconds of signing out elsewhere, whoever keeps it open."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice, token)
        cookies = "; ".join(f"{name}={value}" for name, value in alice.cookies["localhost"].items())
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.get(f"{instance.url}/sync/events", headers={"Cookie": cookies}) as stream,
        ):
            assert (await stream.content.readline()).startswith(b"data: ")
            await alice.send("/auth/logout", {"everywhere": "1"})
            async with asyncio.timeout(60):
                assert await stream.content.read() == b"\n"
