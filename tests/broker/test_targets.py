"""Which addresses may receive a login: every accepted spelling, every refused trick."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from addresses import ACCEPTED, LOCAL, LOOPBACK, REFUSED
from hypothesis import given
from hypothesis import strategies as st

from trackeep.broker.targets import Network, Rules, check, parse
from trackeep.errors import UsageError


@pytest.mark.parametrize(("text", "network"), ACCEPTED)
def test_plain_addresses_are_taken_as_they_are(text: str, network: Network) -> None:
    """The address is kept to the letter, and its kind is known."""
    target = parse(text)
    assert target.base_url == text
    assert target.network is network
    assert target.callback_url == text + "/auth/callback"


@pytest.mark.parametrize("text", REFUSED)
def test_every_trick_is_refused_with_a_hint(text: str) -> None:
    """A doubtful address is never repaired: one sentence says what to change."""
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert refused.value.hint
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "base", ["https://home.example", "https://home.example/trackeep", "http://localhost:8080"]
)
def test_a_final_slash_and_the_full_callback_mean_the_same(base: str) -> None:
    """The three spellings that integrators really use lead to one address."""
    assert parse(base) == parse(f"{base}/") == parse(f"{base}/auth/callback")


@given(st.text(max_size=600))
def test_any_text_is_refused_or_survives_unchanged(text: str) -> None:
    """No text crashes the parser, and nothing is accepted in a form other than its own."""
    try:
        target = parse(text)
    except UsageError:
        return
    assert target.base_url == text.removesuffix("/auth/callback").removesuffix("/")


HOSTS = st.sampled_from(
    ["localhost", "127.0.0.1", "home.example", "[::1]", "10.0.0.1", "nas.lan", "evil.example"]
)
PIECES = st.lists(
    st.one_of(
        HOSTS,
        st.sampled_from(
            ["https://", "http://", "/", "//", "\\", "@", ":", "8080", ".", "..", "%2e", "?", "#"]
        ),
    ),
    max_size=8,
).map("".join)


@given(PIECES)
def test_what_is_accepted_is_read_alike_by_another_parser(text: str) -> None:
    """The host that we show is the host that Python's own parser finds, whatever the pieces."""
    try:
        target = parse(text)
    except UsageError:
        return
    other = urlsplit(target.callback_url)
    assert other.hostname == target.host.strip("[]")
    assert (other.scheme, other.port, other.username) == (target.scheme, target.port, None)
    assert other.path == target.path + "/auth/callback"


@given(st.ip_addresses(v=4))
def test_ipv4_addresses_have_the_kind_of_their_range(address: ipaddress.IPv4Address) -> None:
    """No public address ever gets the rules of loopback or of a local network."""
    try:
        network = parse(f"http://{address}").network
    except UsageError:
        assert address.is_multicast or address.is_reserved or address.is_link_local or int(address) < 2**24
        return
    assert (network is LOOPBACK) == address.is_loopback
    if network is LOCAL:
        assert not address.is_global


def test_international_names_are_shown_both_ways() -> None:
    """People see the letters and the exact name."""
    target = parse("https://xn--mnchen-3ya.example")
    assert target.readable_host == "münchen.example"
    assert target.host == "xn--mnchen-3ya.example"
    assert parse("https://home.example").readable_host == "home.example"


TABLE = [
    # address, with a code, with a bare token, with an encrypted token
    ("http://localhost:8080", True, True, True),
    ("https://localhost:8443", True, True, True),
    ("https://home.example", True, True, True),
    ("https://nas.local", True, True, True),
    ("http://192.168.1.5:8080", True, False, True),
    ("http://nas.lan", True, False, True),
    ("http://nas", True, False, True),
    ("http://home.example", False, False, False),
    ("http://8.8.8.8", False, False, False),
    ("http://127.0.0.1.evil.example", False, False, False),
    ("http://localhost.evil.example", False, False, False),
]


@pytest.mark.parametrize(("text", "code", "bare", "encrypted"), TABLE)
def test_the_table_of_rules(text: str, code: bool, bare: bool, encrypted: bool) -> None:
    """Each kind of address gets a login in exactly the modes that are safe for it."""
    assert allowed(text, Rules(), wants_code=True) is code
    assert allowed(text, Rules()) is bare
    assert allowed(text, Rules(), has_key=True) is encrypted


def test_the_operator_may_narrow_token_mode() -> None:
    """`encrypted` wants a key from everybody, `off` ends token mode; codes stay."""
    for text in ("https://home.example", "http://localhost:8080"):
        assert not allowed(text, Rules(tokens="encrypted"))
        assert allowed(text, Rules(tokens="encrypted"), has_key=True)
        assert not allowed(text, Rules(tokens="off"), has_key=True)
        assert allowed(text, Rules(tokens="off"), wants_code=True)


def test_host_lists_win() -> None:
    """A denied host gets nothing; with a list of allowed hosts nobody else does."""
    assert not allowed("https://evil.example", Rules(deny=("evil.example",)), wants_code=True)
    assert not allowed("https://a.evil.example", Rules(deny=("*.evil.example",)), wants_code=True)
    assert allowed("https://notevil.example", Rules(deny=("*.evil.example", "evil.example")), wants_code=True)
    only = Rules(allow=("home.example", "http://intra.example"))
    assert allowed("https://home.example", only, wants_code=True)
    assert not allowed("https://other.example", only, wants_code=True)
    assert not allowed("http://home.example", only, wants_code=True)
    # Named with http:// by the operator: the rules of a local network.
    assert allowed("http://intra.example", only, wants_code=True)
    assert not allowed("http://intra.example", only)
    both = Rules(allow=("home.example",), deny=("home.example",))
    assert not allowed("https://home.example", both, wants_code=True)


def allowed(text: str, rules: Rules, *, wants_code: bool = False, has_key: bool = False) -> bool:
    try:
        check(parse(text), rules, wants_code=wants_code, has_key=has_key)
    except UsageError:
        return False
    return True
