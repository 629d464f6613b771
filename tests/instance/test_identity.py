"""How an instance is known to OAuth services: its key, its document, and logins that both vouch for."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import document_host
import local_broker
import pytest
from document_host import BASE_URL, HOST
from https_server import page
from local_instance import Guest, link_to, serve
from programs import Program
from sqlalchemy import select
from visitor import Answer

from trackeep.broker.document_rules import read_document
from trackeep.broker.documents import Documents
from trackeep.database import Database
from trackeep.instance.entry.client_document import PATH, client_id_of
from trackeep.store.identity_key import identity_key
from trackeep.store.tables import connection
from trackeep.store.tables import instance as instance_table
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

VAULT, OTHER_VAULT = (Vault({bytes([n]) * 4: bytes([n]) * 32}) for n in (1, 2))


async def test_all_processes_of_an_instance_share_one_key(database_url: str) -> None:
    """Two processes that start at once, and a third later: the same key, sealed in the database."""
    first, second = await Database.open(database_url), await Database.open(database_url)
    try:
        keys = await asyncio.gather(*(identity_key(db, VAULT) for db in (first, second) for _ in range(4)))
        later = await identity_key(second, VAULT)
        assert len({key.thumbprint() for key in (*keys, later)}) == 1
        assert later.is_private
        async with first.read() as conn:
            sealed = (await conn.execute(select(instance_table.c.identity_key))).scalar_one()
        private = later.as_dict(private=True)["d"]
        assert str(private).encode() not in bytes(sealed)
    finally:
        await first.close()
        await second.close()


async def test_a_key_whose_secret_is_lost_is_replaced(database_url: str) -> None:
    """After the secret key of the instance was lost people can still sign in, with a new key for all."""
    db = await Database.open(database_url)
    try:
        old = await identity_key(db, VAULT)
        new = await asyncio.gather(*(identity_key(db, OTHER_VAULT) for _ in range(3)))
        assert len({key.thumbprint() for key in new}) == 1
        assert new[0].thumbprint() != old.thumbprint()
    finally:
        await db.close()


@pytest.mark.parametrize("base_url", ["https://home.example", "https://home.example/trackeep"])
async def test_the_document_is_what_services_accept(sandbox: Program, tmp_path: Path, base_url: str) -> None:
    """Public, cacheable, without cookies, below the base path, with the public key, as services want it."""
    async with serve(tmp_path, sandbox.url, base_url=base_url) as instance, aiohttp.ClientSession() as http:
        async with http.get(f"{instance.url}{urlsplit(base_url).path}{PATH}") as answer:
            text = await answer.read()
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert "Set-Cookie" not in answer.headers
        key = await identity_key(instance.site.db, instance.site.vault)
    document = read_document(f"{base_url}{PATH}", text)
    assert document.redirect_uris == (f"{base_url}/auth/callback",)
    assert document.thumbprints == (key.thumbprint(),)
    assert len(text) < 2_000
    content = json.loads(text)
    assert content["client_uri"] == base_url
    assert content["dpop_bound_access_tokens"] is True
    assert "d" not in content["jwks"]["keys"][0]


@pytest.mark.parametrize(
    ("base_url", "is_named"),
    [
        ("https://home.example", True),
        ("https://home.example/trackeep", True),
        ("https://home.example:8443", False),
        ("http://home.example", False),
        ("http://localhost:8080", False),
        ("https://localhost", False),
        ("https://trackeep", False),
        ("https://nas.local", False),
        ("https://nas.home.arpa/t", False),
        ("https://192.168.1.5", False),
        ("https://1.1.1.1", False),
        ("https://[2606:4700::1111]", False),
    ],
)
def test_the_document_is_named_where_it_can_be_fetched(base_url: str, is_named: bool) -> None:
    """A service on the internet is only told of a document that it can reach."""
    assert client_id_of(base_url) == (f"{base_url}{PATH}" if is_named else "")


async def start(alice: Guest) -> Answer:
    """On to the OAuth service, from the address that the test uses instead of the name."""
    return await alice.open("/auth/login?here=1")


async def test_a_login_that_the_document_vouches_for(sandbox: Program, tmp_path: Path) -> None:
    """The service fetches the document once; pushed, agreed to and redeemed with the key, it signs in."""
    clock = local_broker.Clock(time.time())
    async with (
        document_host.scene(page(b"")) as it,
        local_broker.serve(sandbox.url, clock=clock, documents=it.documents) as broker,
        serve(tmp_path, sandbox.url, broker.url, base_url=BASE_URL) as instance,
        Guest(f"{instance.url}/trackeep", broker.url) as alice,
    ):
        it.server.answer = page((await alice.open(PATH)).text.encode())
        await alice.set_up(await instance.code())
        begun = await start(alice)
        assert set(begun.query) == {"client_id", "request_uri"}
        assert begun.query["client_id"] == f"{BASE_URL}{PATH}"
        onward = (await alice.agree(await alice.get(begun.location))).onward
        back = await alice.get(await alice.sign_in_at_github(onward))
        assert back.location.startswith(f"{BASE_URL}/auth/callback?")
        answer = await alice.get(back.location.replace(f"https://{HOST}", instance.url))
        assert answer.status == 303, answer.text
        assert await alice.is_signed_in()
        assert it.server.connections == 1
        async with instance.site.db.read() as conn:
            assert await conn.scalar(select(connection.c.client_id)) == f"{BASE_URL}{PATH}"


async def test_a_document_that_cannot_be_fetched_stops_nobody(sandbox: Program, tmp_path: Path) -> None:
    """The service answers invalid_client: the base URL is enough, and for a day nothing else is tried."""
    asked = []

    async def nowhere(name: str) -> list[str]:
        asked.append(name)
        return []

    ticking = document_host.Clock()
    documents = Documents(resolve=nowhere, clock=ticking)
    async with (
        local_broker.serve(sandbox.url, clock=local_broker.Clock(time.time()), documents=documents) as broker,
        serve(tmp_path, sandbox.url, broker.url, base_url=BASE_URL) as instance,
        Guest(f"{instance.url}/trackeep", broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        for _ in range(3):
            begun = await start(alice)
            assert begun.query["client_id"] == BASE_URL
            assert (await alice.get(begun.location)).status == 200
            ticking.now += 60
        assert asked == [HOST]
        broker.clock.now += 86_400
        instance.clock.ahead_s += 86_400
        assert (await start(alice)).query["client_id"] == BASE_URL
        assert asked == [HOST, HOST]


async def test_a_pushed_login_says_nothing_in_the_address(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """On this computer too the browser carries a sealed name only, and the service knows the rest."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        begun = await alice.get(link_to("/auth/login", await alice.open("/signin")))
        assert set(begun.query) == {"client_id", "request_uri"}
        assert begun.query["client_id"] == instance.url
        assert (await alice.sign_in()).status == 303


async def test_a_clock_that_is_wrong_is_named(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Signed requests count for a minute: who is refused for that learns where to look."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        link = link_to("/auth/login", await alice.open("/signin"))
        instance.clock.ahead_s += 300
        answer = await alice.get(link)
        assert answer.status == 502
        assert "clock" in answer.text
