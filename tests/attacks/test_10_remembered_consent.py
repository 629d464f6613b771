"""Attack 10: mallory wants a consent that was given once to open a door that it was not given for."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from joserfc.jwk import ECKey
from local_broker import NOW, LocalBroker, serve
from programs import Program
from registered import post
from visitor import Answer, Start, Visitor

from trackeep.handshake import dpop, keys, messages

pytestmark = pytest.mark.anyio

HOME = Start("https://home.example/trackeep")
OWN_CLICK = {"referer": "https://home.example/"}


@asynccontextmanager
async def remembered(
    sandbox: Program, ring: keys.KeyRing | None = None
) -> AsyncIterator[tuple[LocalBroker, Visitor]]:
    """Alice, whose browser remembers that her own address may receive her login."""
    async with serve(sandbox.url, ring) as broker, Visitor(broker.url) as alice:
        await alice.agree(await alice.begin(HOME), remember=True)
        assert (await alice.get(HOME.url(broker.url), **OWN_CLICK)).status == 303
        yield broker, alice


def assert_asked(answer: Answer) -> None:
    assert answer.status == 200, answer.location
    assert "to this address?" in answer.text
    assert not answer.starts_a_login


@pytest.mark.parametrize(
    "changed",
    [
        {"referer": ""},
        {"referer": "https://mallory.example/"},
        {"referer": "http://home.example/"},
        {"referer": "https://home.example:8443/"},
        {"referer": "https://home.example.mallory.example/"},
        {"referer": "https://home.example@mallory.example/"},
        {"referer": "https://mallory.example/https://home.example/"},
        {"referer": "https://HOME.example/"},
        {"referer": "null"},
        {"sec_fetch_user": ""},
        {"sec_fetch_user": "?0"},
        {"sec_fetch_mode": "cors"},
        {"sec_fetch_mode": ""},
        {"sec_fetch_dest": "iframe"},
        {"sec_fetch_dest": "image"},
        {"sec_fetch_dest": ""},
    ],
)
async def test_a_start_from_another_page_is_asked_about(sandbox: Program, changed: dict[str, str]) -> None:
    """A link, script, frame or picture of mallory's lacks at least one of the four marks."""
    async with remembered(sandbox) as (broker, alice):
        assert_asked(await alice.get(HOME.url(broker.url), **{**OWN_CLICK, **changed}))


@pytest.mark.parametrize(
    "other",
    [
        Start("https://home.example"),
        Start("https://home.example/trackee"),
        Start("https://home.example/trackeep/x"),
        Start("https://home.example/other"),
        Start("https://home.example:8443/trackeep"),
        Start("http://localhost:8080/trackeep"),
        Start("https://mallory.example/trackeep"),
        Start(HOME.base_url, scopes=(*messages.DEFAULT_SCOPES, "read:org")),
        Start(HOME.base_url, scopes=("public_repo",)),
        Start(HOME.base_url, with_code=False),
    ],
)
async def test_another_address_or_a_wider_scope_is_asked_about(sandbox: Program, other: Start) -> None:
    """Whatever differs, even a neighbour on the same host that sends the right Referer itself."""
    origin = "/".join(other.base_url.split("/")[:3])
    async with remembered(sandbox) as (broker, alice):
        assert_asked(await alice.get(other.url(broker.url), referer=f"{origin}/"))


async def test_a_request_pushed_by_mallory_is_asked_about(sandbox: Program) -> None:
    """She can push a request for alice's address, but only with a key of her own."""
    key = ECKey.generate_key("P-256")
    async with remembered(sandbox) as (broker, alice), Visitor(broker.url) as mallory:
        challenge = messages.code_challenge(secrets.token_urlsafe(32))
        asked = messages.start_parameters(messages.StartRequest(HOME.base_url, "s", challenge))
        form = {**asked, "client_id": HOME.base_url}
        proof = dpop.make_proof(key, "POST", f"{broker.url}/par", NOW, secrets.token_urlsafe(12))
        for headers in ({}, {"DPoP": proof}):
            status, body = await post(mallory, "/par", form, **headers)
            assert status == 201
            url = messages.pushed_url(broker.url, HOME.base_url, body["request_uri"])
            assert_asked(await alice.get(url))


async def test_a_forged_cookie_counts_for_nothing(sandbox: Program) -> None:
    """Edited anywhere, from a service with other keys, or a seal that was made for something else."""
    async with remembered(sandbox) as (broker, alice):
        jar = alice.cookies["localhost"]
        name = next(name for name in jar if name.startswith("remembered"))
        good, consent = jar[name], await alice.begin(HOME)
        async with remembered(sandbox, keys.make_ring(NOW)) as (_, elsewhere):
            others = elsewhere.cookies["localhost"]
            foreign = next(value for key, value in others.items() if key.startswith("remembered"))
        edited = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in (0, 9, 40, 60)]
        for forged in (*edited, good[:-4], good + "AAAA", foreign, consent.form_token, "x", ""):
            jar[name] = forged
            assert_asked(await alice.get(HOME.url(broker.url), **OWN_CLICK))
        jar[name] = good
        assert (await alice.get(HOME.url(broker.url), **OWN_CLICK)).status == 303


async def test_an_entry_cannot_be_moved_into_another_list(sandbox: Program) -> None:
    """The list is one seal: mallory's entry does not fit into alice's, and two cookies are not two lists."""
    hers = Start("https://mallory.example")
    async with remembered(sandbox) as (broker, alice), Visitor(broker.url) as mallory:
        await mallory.agree(await mallory.begin(hers), remember=True)
        jar = alice.cookies["localhost"]
        name = next(name for name in jar if name.startswith("remembered"))
        foreign = mallory.cookies["localhost"][name]
        for mixed in (
            jar[name] + foreign,
            f"{jar[name]}.{foreign.partition('.')[2]}",
            jar[name][:60] + foreign[60:],
        ):
            jar_before = dict(jar)
            jar[name] = mixed
            assert_asked(await alice.get(hers.url(broker.url), referer="https://mallory.example/"))
            jar.update(jar_before)


async def test_no_other_host_can_plant_the_cookie(sandbox: Program) -> None:
    """On https its name binds it to this one host; script cannot read or write it."""
    async with serve(sandbox.url, base_url="https://login.example") as broker, Visitor(broker.url) as alice:
        page = await alice.begin(HOME)
        headers = {"sec_fetch_site": "", "origin": "https://login.example"}
        answer = await alice.agree(page, remember=True, **headers)
    cookie = next(line for line in answer.set_cookies if "remembered" in line)
    assert cookie.startswith("__Host-remembered=")
    assert {"HttpOnly", "Secure", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()


@pytest.mark.parametrize("base_url", ["http://nas.lan:8080", "http://10.0.0.7", "http://trackeep.home.arpa"])
async def test_http_on_a_local_network_is_always_asked_about(sandbox: Program, base_url: str) -> None:
    """Whoever owns the network can send every mark from there: nothing is remembered, ticked or not."""
    start = Start(base_url)
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.agree(await alice.begin(start), remember=True)
        assert not any(name.startswith("remembered") for name in alice.cookies["localhost"])
        assert_asked(await alice.get(start.url(broker.url), referer=f"{base_url}/"))


async def test_a_box_ticked_by_mallory_is_not_the_persons(sandbox: Program) -> None:
    """Her form is refused as a whole; and a cancelled page remembers nothing."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        page = await alice.begin(HOME)
        answer = await alice.agree(page, remember=True, sec_fetch_site="cross-site")
        assert answer.status == 403
        assert not any("remembered" in cookie for cookie in answer.set_cookies)
        assert_asked(await alice.get(HOME.url(broker.url), **OWN_CLICK))
