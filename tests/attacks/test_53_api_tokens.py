"""Mallory tries the doors of the JSON API with tokens and sessions that are not hers."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, Reply, small_api
from fastapi.routing import APIRoute
from local_instance import Guest
from small_world import ALICE, MALLORY, enter
from sqlalchemy import select

from trackeep.instance.api.routes import ROUTES
from trackeep.store import people
from trackeep.store.api_tokens import SCOPES
from trackeep.store.tables import follow
from trackeep.store.tables_tokens import api_token
from trackeep.store.token_text import token_of

pytestmark = pytest.mark.anyio

DAY_S = 86_400
OPERATIONS = [
    (method, route.path.replace("{owner}", "fernhill").replace("{name}", "atlas"), route)
    for route in ROUTES
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path) as found:
        yield found


def scope_of(route: APIRoute) -> str:
    assert route.openapi_extra is not None
    return str(route.openapi_extra["security"][0]["token"][0])


async def refused(reply: Reply, status: int, problem: str) -> None:
    assert (reply.status, reply.problem) == (status, problem)


async def test_nothing_answers_without_a_token(api: Api) -> None:
    """No operation tells a stranger more than how to come, and none does anything."""
    for method, path, _ in OPERATIONS:
        reply = await api.ask(method, path, sec_fetch_site="same-origin")
        await refused(reply, 401, "not_signed_in")
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="trackeep"'
        assert "alice" not in reply.text


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_token_does_what_it_was_made_for(api: Api, scope: str) -> None:
    """With one scope, all operations of the others are refused and named."""
    token = await api.token(ALICE, (scope,))
    for method, path, route in OPERATIONS:
        if scope_of(route) != scope:
            reply = await api.ask(method, path, token)
            await refused(reply, 403, "insufficient_scope")
            assert f'scope="{scope_of(route)}"' in reply.headers["WWW-Authenticate"]
            assert scope_of(route) in reply.json["detail"]


async def test_garbage_opens_nothing(api: Api) -> None:
    """Empty, cut, lengthened, changed, in another case, never made, somebody's session: all look alike."""
    token = await api.token()
    wrong = [
        *("", " ", "tk_", token[:-1], token + "0", token.swapcase(), token[:-1] + "~", "x" * 9_000),
        *(token_of(bytes(32)), token_of(b"\xff" * 32), f"{token} {token}", f"{token},", "null", "é"),
    ]
    answers = set()
    for text in wrong:
        reply = await api.ask("GET", "/me", authorization=f"Bearer {text}")
        await refused(reply, 401, "invalid_token")
        assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
        answers.add(reply.json["detail"])
    assert len(answers) == 1
    assert (await api.ask("GET", "/me", authorization=f"bearer  {token}")).status == 200


async def test_a_token_goes_in_the_header_alone(api: Api) -> None:
    """Not in the address, where logs and histories keep it, and not as a password."""
    token = await api.token()
    basic = base64.b64encode(f"alice:{token}".encode()).decode()
    for path in (f"/me?access_token={token}", f"/me?token={token}"):
        assert (await api.ask("GET", path)).status == 401
    assert (await api.ask("GET", "/me", authorization=f"Basic {basic}")).status == 401
    assert (await api.ask("GET", "/me", authorization=token)).status == 401


async def test_what_has_ended_stays_closed(api: Api) -> None:
    """Expired, revoked, of somebody who was shut out: from the next request on."""
    short, revoked, forever = await api.token(days=1), await api.token(), await api.token(days=None)
    db = api.instance.site.db
    async with db.write() as conn:
        number = select(api_token.c.id).order_by(api_token.c.id).offset(1).limit(1).scalar_subquery()
        await conn.execute(api_token.delete().where(api_token.c.id == number))
    await refused(await api.ask("GET", "/me", revoked), 401, "invalid_token")
    api.instance.clock.ahead_s += DAY_S + 1
    await refused(await api.ask("GET", "/me", short), 401, "invalid_token")
    assert (await api.ask("GET", "/me", forever)).status == 200
    async with db.write() as conn:
        await people.shut_out(conn, ALICE)
    await refused(await api.ask("GET", "/me", forever), 401, "invalid_token")


async def test_mallorys_token_is_mallory(api: Api) -> None:
    """With a good token of her own she is nobody else, whatever else she sends along."""
    mallory = await api.token(MALLORY)
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies["localhost"].items())
    reply = await api.ask("GET", "/me", mallory, cookie=cookie)
    assert reply.json["login"] == "mallory"
    await refused(await api.ask("GET", "/me", token_of(bytes(32)), cookie=cookie), 401, "invalid_token")
    for path in ("/repos/bob/secret-plan", "/repos/fernhill/atlas/commits"):
        await refused(await api.ask("GET", path, mallory), 404, "not_found")
    await refused(
        await api.ask("POST", "/repos", mallory, body={"repository": "bob/secret-plan"}), 404, "not_found"
    )


async def test_not_there_and_not_yours_look_alike(api: Api) -> None:
    """Bob's private repository answers as one that nobody has."""
    alice = await api.token()
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/sync"),
        ("GET", "/commits"),
        ("GET", "/branches"),
    ):
        private = await api.ask(method, f"/repos/bob/secret-plan{rest}", alice)
        nothing = await api.ask(method, f"/repos/bob/nothing-plan{rest}", alice)
        assert private.status == nothing.status == 404
        assert private.json["detail"] == nothing.json["detail"].replace("nothing", "secret")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "", "origin": "https://mallory.example"},
        {"sec_fetch_site": "", "origin": "null"},
        {"sec_fetch_site": ""},
    ],
)
async def test_a_foreign_page_changes_nothing_by_the_session(api: Api, headers: dict[str, str]) -> None:
    """Alice's browser on mallory's page: whatever would change something is refused."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies["localhost"].items())
    for method, path, _ in OPERATIONS:
        if method != "GET":
            body = {"repository": "fernhill/atlas"} if path == "/repos" else None
            reply = await api.ask(method, path, body=body, cookie=cookie, **headers)
            await refused(reply, 403, "forbidden")
    async with api.instance.site.db.read() as conn:
        mine = select(follow.c.repository_id).where(follow.c.account_id == ALICE)
        assert len((await conn.execute(mine)).all()) == 2


async def test_a_token_needs_no_page(api: Api) -> None:
    """Programs have no origin, and no foreign page can send a token that it does not know."""
    token = await api.token()
    reply = await api.ask("POST", "/repos/fernhill/atlas/sync", token, sec_fetch_site="cross-site")
    assert reply.status == 202
    assert "Access-Control-Allow-Origin" not in reply.headers


async def test_no_scope_makes_tokens(api: Api) -> None:
    """A token that was stolen cannot make itself another one: the settings want the session."""
    token = await api.token()
    async with Guest(api.instance.url, "") as browser:
        sent = {"authorization": f"Bearer {token}"}
        page = await browser.open("/settings/tokens", **sent)
        assert (page.status, page.location.partition("?")[0]) == (303, "/signin")
        made = await browser.send("/settings/tokens", {"name": "x", "scope": "read", "days": "30"}, **sent)
        assert made.location.partition("?")[0] == "/signin"
    async with api.instance.site.db.read() as conn:
        assert len((await conn.execute(select(api_token))).all()) == 1


async def test_nobody_over_the_network_is_the_operator(api: Api) -> None:
    """The view that a command has in its own process cannot be asked for from outside."""
    for name in ("trackeep.account_id", "trackeep-account-id", "x-trackeep.account_id"):
        assert (await api.ask("GET", f"/me?{name}=1", **{name: "1"})).status == 401
