"""What stands around every request of both web programs."""

import ipaddress

import pytest
from starlette.requests import Request
from starlette.types import Scope

from trackeep.errors import TrackeepError
from trackeep.web import bind, client_address, is_same_origin

PROXIES = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))


def scope(client: str, *headers: tuple[str, str]) -> Scope:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": "POST", "path": "/", "client": (client, 1), "headers": raw}


def test_a_forged_forwarded_header_is_ignored() -> None:
    """A visitor who is no trusted proxy cannot choose the address we see."""
    assert client_address(scope("203.0.113.9", ("X-Forwarded-For", "1.1.1.1")), PROXIES) == "203.0.113.9"


def test_the_address_is_read_from_the_right_through_trusted_proxies() -> None:
    """Of `mallory's word, visitor, inner proxy` the visitor is taken."""
    forwarded = ("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.1.2.3")
    assert client_address(scope("127.0.0.1", forwarded), PROXIES) == "203.0.113.9"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Sec-Fetch-Site", "same-origin")], True),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", "https://a.example")], False),
        ([("Sec-Fetch-Site", "cross-site")], False),
        ([("Sec-Fetch-Site", "none")], False),
        ([("Origin", "https://a.example")], True),
        ([("Origin", "https://a.example:8443")], False),
        ([("Origin", "null")], False),
        ([], False),
    ],
)
def test_only_our_own_pages_may_change_something(headers: list[tuple[str, str]], expected: bool) -> None:
    """A neighbour on the same site, a foreign page and a silent client are all refused."""
    assert is_same_origin(Request(scope("127.0.0.1", *headers)), "https://a.example") is expected


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_this_computer_is_told(host: str) -> None:
    """The advice is about the host, as no other port would help."""
    with pytest.raises(TrackeepError, match="Choose an address of this computer as the host"):
        bind(host, 0)
