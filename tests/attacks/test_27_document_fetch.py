"""Attack 27: mallory names an address as her client id, so that the service opens connections for her."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import https_server
import local_broker
import pytest
from document_host import AUTHORITY, BASE_URL, HOST, URL, body, scene
from https_server import Answer, Writer, page
from programs import Program
from visitor import Visitor

from trackeep.broker.document_rules import DocumentRefused
from trackeep.broker.documents import MOST_IN_FLIGHT, Documents

pytestmark = pytest.mark.anyio

INNER = (
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.0.5", "192.168.1.5", "100.64.0.5"),
    *("169.254.169.254", "::1", "::", "fe80::1", "fe80::1%lo", "fd00::5", "ff02::1", "::ffff:127.0.0.1"),
    *("::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "::127.0.0.1"),
)


def answering(*addresses: str) -> Callable[[str], Awaitable[list[str]]]:
    """A name server in mallory's hands."""

    async def resolve(_name: str) -> list[str]:
        return list(addresses)

    return resolve


async def assert_refused(documents: Documents, url: str = URL) -> None:
    began = time.monotonic()
    with pytest.raises(DocumentRefused):
        await documents.fetch(url)
    assert time.monotonic() - began < 15, "longer than 5 s and what a busy machine adds"


@pytest.mark.parametrize("address", INNER)
async def test_names_that_lead_inside(address: str) -> None:
    """A name of mallory's that resolves to this computer or network: nobody there hears anything.

    A public address beside it does not help, and a real server does listen.
    """
    async with https_server.serve(AUTHORITY, HOST, answer=page(body())) as server:
        for addresses in ((address,), ("1.1.1.1", address), (address, "2606:4700::1111")):
            tls = AUTHORITY.client_tls()
            await assert_refused(Documents(resolve=answering(*addresses), port=server.port, tls=tls))
        assert server.connections == 0


async def test_the_real_name_of_this_computer() -> None:
    """Without any settings of a test: names that real DNS or the hosts file point at this computer."""
    for url in ("https://localhost/x", "https://localhost.localdomain/x", "https://127.0.0.1/x"):
        await assert_refused(Documents(), url)


async def test_a_name_that_changes_its_mind() -> None:
    """Rebinding: the connection goes to the address that was checked; the name is looked up once."""
    looked_up = []

    async def resolve(name: str) -> list[str]:
        looked_up.append(name)
        return ["127.0.0.1" if len(looked_up) == 1 else "127.0.0.2"]

    async with https_server.serve(AUTHORITY, HOST, answer=page(body())) as server:
        documents = Documents(
            resolve=resolve,
            port=server.port,
            tls=AUTHORITY.client_tls(),
            may_connect=lambda address: str(address) == "127.0.0.1",
        )
        assert (await documents.fetch(URL)).client_id == URL
        assert looked_up == [HOST]
        assert server.names == [HOST]


async def chunked(_head: str, writer: Writer) -> None:
    """10 MB whose length nobody announced."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(160):
        writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        await writer.drain()


async def endless_head(_head: str, writer: Writer) -> None:
    """A head of 10 MB."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    for number in range(2_500):
        writer.write(b"x-%d: %s\r\n" % (number, b"a" * 4_000))
        await writer.drain()


ANSWERS: dict[str, Answer] = {
    "redirect inside": page(b"", status="302 Found", location="https://127.0.0.1/x"),
    "redirect to itself": page(b"", status="307 Temporary Redirect", location=URL),
    "permanent redirect": page(b"", status="308 Permanent Redirect", location="https://mallory.example/x"),
    "10 MB": page(body() + b" " * 10_000_000),
    "10 MB, length unsaid": chunked,
    "one byte too long": page(body() + b" " * (5_121 - len(body()))),
    "a head of 10 MB": endless_head,
    "compressed": page(body(), content_encoding="gzip"),
    "a page": page(body(), content_type="text/html"),
    "text": page(body(), content_type="text/plain; charset=application/json"),
    "no type": page(body(), content_type=""),
    "a script": page(body(), content_type="application/javascript"),
    "not there": page(body(), status="404 Not Found"),
    "created": page(body(), status="201 Created"),
    "cut": page(body(), content_length="4000"),
    "nothing": page(b""),
    "not HTTP": page(b"", status="\x00\x01"),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_answers_that_are_not_taken(what: str) -> None:
    """Redirects are not followed, long ones not read, other types not believed: one request, one refusal."""
    async with scene(ANSWERS[what]) as it:
        await assert_refused(it.documents)
        assert len(it.server.heads) == 1


async def test_the_longest_document_and_every_json_type_are_taken() -> None:
    """What is refused above is refused for its fault alone."""
    exact = body() + b" " * (5_120 - len(body()))
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/client+json"):
        async with scene(page(exact, content_type=kind)) as it:
            assert (await it.documents.fetch(URL)).client_id == URL


async def drip(_head: str, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n")
    for _ in range(400):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def silence(reader: asyncio.StreamReader, writer: Writer) -> None:
    """Takes the connection, listens until the other side gives up, and never begins to speak TLS."""
    await reader.read()
    writer.close()


async def never(_name: str) -> list[str]:
    await asyncio.sleep(30)
    return ["127.0.0.1"]


async def test_hosts_that_take_their_time() -> None:
    """A drop at a time, a handshake that never comes, a name server that never answers: 5 s in all."""
    mute = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    unheard = Documents(resolve=answering("127.0.0.1"), port=port, may_connect=lambda address: True)
    async with scene(drip) as it:
        await asyncio.gather(
            assert_refused(it.documents), assert_refused(unheard), assert_refused(Documents(resolve=never))
        )
    mute.close()
    await mute.wait_closed()


@pytest.mark.parametrize("url", [f"https://{HOST}:8443/x", f"https://{HOST}:22/x", f"https://{HOST}:443/x"])
async def test_other_ports(url: str) -> None:
    """Only 443, which goes without saying: no mail server or database is ever spoken to."""
    async with scene(page(body())) as it:
        await assert_refused(it.documents, url)
        assert it.server.connections == 0


async def test_a_thousand_starts_that_name_one_victim() -> None:
    """One connection in 30 seconds, whichever of its paths are named, and the next one only after that."""
    async with scene(page(b"{}")) as it:
        urls = [URL if number % 2 else f"https://{HOST}/{number}" for number in range(1_000)]
        answers = await asyncio.gather(*map(it.documents.fetch, urls), return_exceptions=True)
        assert all(isinstance(answer, DocumentRefused) for answer in answers)
        assert it.server.connections == 1
        it.clock.now += 29.9
        await assert_refused(it.documents)
        assert it.server.connections == 1
        it.clock.now += 0.2
        await assert_refused(it.documents)
        assert it.server.connections == 2


async def test_many_names_of_one_victim() -> None:
    """Names of mallory's that all lead to one computer: it is asked ten times in 30 seconds, not 200."""
    names = [f"name{number}.mallory.example" for number in range(200)]
    async with scene(page(b"{}"), *names) as it:
        for name in names:
            await assert_refused(it.documents, f"https://{name}/x")
        assert it.server.connections == 10


async def test_many_hosts_at_once() -> None:
    """Ten fetches at a time; whoever comes then is refused at once instead of waiting."""
    enough = asyncio.Event()

    async def slowly(_name: str) -> list[str]:
        await enough.wait()
        return []

    documents = Documents(resolve=slowly)
    urls = [f"https://host{number}.example/x" for number in range(MOST_IN_FLIGHT)]
    slow = [asyncio.create_task(documents.fetch(url)) for url in urls]
    await asyncio.sleep(0)
    with pytest.raises(DocumentRefused):
        await documents.fetch(URL)
    assert not any(fetch.done() for fetch in slow)
    enough.set()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_through_every_door_of_the_service(sandbox: Program) -> None:
    """Start links, /authorize and /par that name a victim: one connection, each time `invalid_client`."""
    async with (
        scene(page(b"{}")) as it,
        local_broker.serve(sandbox.url, documents=it.documents) as broker,
        Visitor(broker.url) as mallory,
    ):
        start = {"redirect_uri": BASE_URL, "code_challenge": "a" * 43, "code_challenge_method": "S256"}
        asked = {**start, "client_id": URL}
        exact = {**asked, "redirect_uri": f"{BASE_URL}/auth/callback", "response_type": "code"}
        for _ in range(10):
            answers = [
                await mallory.get(f"{broker.url}/auth/github?{urlencode(asked)}", accept="application/json"),
                await mallory.get(f"{broker.url}/authorize?{urlencode(exact)}", accept="application/json"),
                await mallory.ask("POST", f"{broker.url}/par", {}, asked),
                await mallory.ask("POST", f"{broker.url}/par", {}, exact),
            ]
            for answer in answers:
                assert answer.status == 401
                assert '"invalid_client"' in answer.text
                assert not answer.location
                assert not answer.starts_a_login
        assert it.server.connections == 1
