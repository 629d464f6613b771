"""Metadata documents of clients: how they are fetched, for how long they count, what they may say."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from contextlib import suppress
from typing import Any

import pytest
from document_host import AUTHORITY, BASE_URL, HOST, KEY, URL, body, scene
from https_server import Authority, page
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey, OKPKey, RSAKey

from trackeep.broker import documents as fetching
from trackeep.broker.document_rules import Document, DocumentRefused, host_of, read_document
from trackeep.broker.documents import Documents, kept_for
from trackeep.broker.public_addresses import is_public

pytestmark = pytest.mark.anyio


async def test_a_document_is_fetched_and_kept() -> None:
    """One request, for the right name and path, without cookies; the second time nobody is asked."""
    async with scene(page(body())) as it:
        expected = Document(URL, "Trackeep", (f"{BASE_URL}/auth/callback",), (KEY.thumbprint(),))
        assert await it.documents.fetch(URL) == expected
        assert await it.documents.fetch(URL) == expected
        assert it.server.names == [HOST]
        head = it.server.heads[0].lower()
        assert head.startswith("get /trackeep/.well-known/oauth-client http/1.1\r\n")
        assert f"\r\nhost: {HOST}\r\n" in head
        assert "cookie" not in head
        assert "authorization" not in head


@pytest.mark.parametrize(
    ("header", "kept_s"),
    [
        ("", 3_600),
        ("max-age=600", 600),
        ("public, max-age=99999999", 86_400),
        ("max-age=0", 30),
        ("no-store", 30),
        ("no-cache, max-age=600", 30),
        ('private,max-age="120"', 120),
        ("s-maxage=5", 3_600),
        ("max-age=abc", 3_600),
    ],
)
async def test_a_document_counts_as_long_as_its_host_says(header: str, kept_s: int) -> None:
    """An hour when nothing is said, never more than a day, and long enough to be used at all."""
    assert kept_for(header) == kept_s
    async with scene(page(body(), cache_control=header)) as it:
        await it.documents.fetch(URL)
        it.clock.now += kept_s - 0.1
        await it.documents.fetch(URL)
        assert it.server.connections == 1
        it.clock.now += 31
        await it.documents.fetch(URL)
        assert it.server.connections == 2


async def test_people_who_come_at_once_share_one_request() -> None:
    """Twenty starts at the same moment: one connection, the same document; one who leaves costs nothing."""
    async with scene(page(body())) as it:
        first = asyncio.create_task(it.documents.fetch(URL))
        await asyncio.sleep(0)
        first.cancel()
        found = await asyncio.gather(*(it.documents.fetch(URL) for _ in range(20)))
        assert len(set(found)) == 1
        assert it.server.connections == 1


async def test_a_host_that_failed_gets_its_half_minute() -> None:
    """A failure is remembered for 30 seconds and no longer."""
    async with scene(page(b"", status="503 Service Unavailable")) as it:
        for _ in range(3):
            with pytest.raises(DocumentRefused):
                await it.documents.fetch(URL)
        assert it.server.connections == 1
        it.server.answer = page(body())
        it.clock.now += 31
        assert (await it.documents.fetch(URL)).name == "Trackeep"


async def test_a_certificate_of_another_name_is_not_taken() -> None:
    """The certificate has to be for the host, and from an authority that is trusted."""
    for names, believes in ((("mallory.example",), AUTHORITY), ((HOST,), Authority())):
        async with scene(page(body()), *names, believes=believes) as it:
            with pytest.raises(DocumentRefused):
                await it.documents.fetch(URL)
            assert not it.server.heads


async def test_memory_stays_bounded() -> None:
    """However many hosts are named, at most so many are remembered, and then the answer is: not now."""

    async def nowhere(_name: str) -> list[str]:
        return []

    documents = Documents(resolve=nowhere)
    for number in range(fetching.MOST_REMEMBERED + 50):
        with pytest.raises(DocumentRefused):
            await documents.fetch(f"https://host{number}.example/x")
    assert len(documents._visits) == fetching.MOST_REMEMBERED


PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1")
PUBLIC_6 = ("2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2001:200::1", "2003::1")
NOT_PUBLIC = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1"),
    *("192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
)
NOT_PUBLIC_6 = (
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"),
    *(
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff::a00:1",
        "100::1",
        "100:0:0:1::1",
    ),
    *(
        "2001::1",
        "2001:0:4136:e378::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
    ),
    *(
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
    ),
    *("fe80::1%eth0", "2606:4700::1111%1", "fec0::1", "ff02::1", "ff0e::1", "ffff::1"),
)


@pytest.mark.parametrize("text", [*PUBLIC, *PUBLIC_6])
def test_addresses_of_the_internet(text: str) -> None:
    """Neighbours of special ranges are ordinary addresses."""
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", [*NOT_PUBLIC, *NOT_PUBLIC_6])
def test_addresses_of_nobody_and_of_ourselves(text: str) -> None:
    """Every special range, and IPv4 addresses hidden in IPv6 ones, however they are written."""
    assert not is_public(ipaddress.ip_address(text))


@given(st.ip_addresses())
def test_whatever_python_knows_to_be_special_is_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Two lists, written by different people, agree on the dangerous side."""
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "home.example/x",
        "http://home.example/x",
        "HTTPS://home.example/x",
        "https://home.example",
        "https://Home.example/x",
        "https://home.example:443/x",
        "https://home.example:8443/x",
        "https://alice@home.example/x",
        "https://home.example/x?a=b",
        "https://home.example/x#a",
        "https://home.example/../x",
        "https://home.example/a/./x",
        "https://home.example/a/..",
        "https://home.example/%2e%2e/x",
        "https://home.example/%2F",
        "https://home.example\\x",
        "https://home.example/ x",
        "https://home.example/x\r\nHost: a",
        "https://home.example/é",
        "https://hömé.example/x",
        "https://home.example./x",
        "https:///x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://1.1.1.1/x",
        "https://[::1]/x",
        "https://[2606:4700::1111]/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "https://router/x",
        "https://nas.local/x",
        "https://nas.home.arpa/x",
        "https://metadata.google.internal/x",
        "https://home.example/" + "a" * 1_500,
    ],
)
def test_addresses_that_are_no_client_id(url: str) -> None:
    """Anything but https, a public name and a plain path is refused before anybody is asked."""
    with pytest.raises(DocumentRefused):
        host_of(url)


@pytest.mark.parametrize("url", [URL, f"https://{HOST}/", "https://xn--mnchen-3ya.example/a/b.json"])
def test_addresses_that_are_client_ids(url: str) -> None:
    """A path of any depth; an international name in its plain form."""
    assert host_of(url) == url.split("/")[2]


@given(st.text(max_size=60) | st.from_regex(r"https://[a-z.]{1,12}/[!-~]{0,20}"))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    """Never another error."""
    with suppress(DocumentRefused):
        host_of(url)


WORDS = st.sampled_from(["client_id", "redirect_uris", "jwks", "keys"])
JSON = st.recursive(st.none() | WORDS, lambda x: st.lists(x) | st.dictionaries(WORDS, x))


@given(st.binary(max_size=60) | JSON.map(lambda x: json.dumps(x).encode()))
def test_any_body_is_refused_with_a_sentence(text: bytes) -> None:
    """Whatever a host sends, the answer is one kind of error."""
    with pytest.raises(DocumentRefused):
        read_document(URL, text)


def test_a_small_document() -> None:
    """Only client_id and redirect_uris are needed; names lose what hides or reorders text."""
    small = body(client_name="A\u202eb\x00\n c", token_endpoint_auth_method=None, jwks=None)
    assert read_document(URL, small).name == "A b c"
    assert read_document(URL, small).thumbprints == ()


def test_programs_on_the_persons_computer_may_be_named() -> None:
    """A host may vouch for its native program, which listens on loopback and nowhere else."""
    own = ["http://127.0.0.1/callback", "http://localhost:1234/cb", "http://[::1]/x"]
    assert read_document(URL, body(redirect_uris=own)).redirect_uris == tuple(own)


def test_keys_by_thumbprint() -> None:
    """Keys that make proofs are pinned, others are of no interest here."""
    ed, rsa = OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)
    keys = [key.as_dict(private=False) for key in (KEY, rsa, ed, KEY)]
    assert read_document(URL, body(jwks={"keys": keys})).thumbprints == (KEY.thumbprint(), ed.thumbprint())


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": f"{URL}/"},
        {"client_id": URL.upper()},
        {"client_id": 7},
        {"client_secret": "s"},
        {"client_secret": ""},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": ["none"]},
        {"client_name": ["Trackeep"]},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": f"https://{HOST}/cb"},
        {"redirect_uris": [7]},
        {"redirect_uris": ["https://mallory.example/cb"]},
        {"redirect_uris": [f"https://{HOST}/cb", "https://mallory.example/cb"]},
        {"redirect_uris": [f"http://{HOST}/cb"]},
        {"redirect_uris": [f"https://{HOST}.mallory.example/cb"]},
        {"redirect_uris": [f"https://sub.{HOST}/cb"]},
        {"redirect_uris": [f"https://{HOST}@mallory.example/cb"]},
        {"redirect_uris": [f"https://{HOST}/cb#x"]},
        {"redirect_uris": ["http://localhost.mallory.example/cb"]},
        {"redirect_uris": ["http://192.168.1.5/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["example.app:/cb"]},
        {"redirect_uris": [f"https://{HOST}/{number}" for number in range(21)]},
        {"jwks": []},
        {"jwks": {"keys": {}}},
        {"jwks": {"keys": ["k"]}},
        {"jwks": {"keys": [KEY.as_dict(private=True)]}},
        {"jwks": {"keys": [OctKey.generate_key(256).as_dict(private=True)]}},
        {"jwks": {"keys": [KEY.as_dict(private=False)] * 11}},
    ],
)
def test_documents_that_are_refused(changes: dict[str, Any]) -> None:
    """About somebody else, with secrets, for other hosts; and nothing of it is repeated in the answer."""
    with pytest.raises(DocumentRefused) as refused:
        read_document(URL, body(**changes))
    assert refused.value.status == 401
    assert refused.value.code == "invalid_client"
    assert "mallory" not in str(refused.value)
