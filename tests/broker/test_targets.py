"""Which addresses may receive a login: every accepted spelling, every refused trick."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.broker.targets import Network, Rules, check, parse
from trackeep.errors import UsageError

LOOPBACK, LOCAL, PUBLIC = Network.LOOPBACK, Network.LOCAL, Network.PUBLIC

ACCEPTED = [
    ("https://home.example", PUBLIC),
    ("https://home.example:8443", PUBLIC),
    ("https://home.example/trackeep", PUBLIC),
    ("https://home.example/a/b-c/d_e/f.g", PUBLIC),
    ("https://home.example/~alice", PUBLIC),
    ("https://home.example/@alice", PUBLIC),
    ("https://a-b.c-d.example", PUBLIC),
    ("https://xn--mnchen-3ya.example", PUBLIC),
    ("https://8.8.8.8", PUBLIC),
    ("https://[2606:4700::1111]", PUBLIC),
    ("https://[2606:4700::1111]:8443/x", PUBLIC),
    ("https://172.32.0.1", PUBLIC),
    ("https://100.128.0.1", PUBLIC),
    ("https://11.0.0.1", PUBLIC),
    ("https://127.0.0.1.evil.example", PUBLIC),
    ("https://localhost.evil.example", PUBLIC),
    ("https://notlocalhost.example", PUBLIC),
    ("https://evil-localhost.example", PUBLIC),
    ("https://home.arpa.example", PUBLIC),
    ("https://mylan.example", PUBLIC),
    ("https://home.local.example", PUBLIC),
    ("http://localhost", LOOPBACK),
    ("http://localhost:8080", LOOPBACK),
    ("https://localhost:8443", LOOPBACK),
    ("http://trackeep.localhost:8080", LOOPBACK),
    ("http://127.0.0.1", LOOPBACK),
    ("http://127.0.0.1:1", LOOPBACK),
    ("http://127.0.0.1:65535", LOOPBACK),
    ("http://127.8.9.10:8080", LOOPBACK),
    ("http://[::1]", LOOPBACK),
    ("http://[::1]:8080/t", LOOPBACK),
    ("http://10.0.0.1", LOCAL),
    ("http://10.255.255.255:8080", LOCAL),
    ("http://172.16.0.1", LOCAL),
    ("http://172.31.255.255", LOCAL),
    ("http://192.168.1.5:8080", LOCAL),
    ("http://100.64.0.1", LOCAL),
    ("http://100.127.255.255", LOCAL),
    ("http://[fd00::1]:8080", LOCAL),
    ("http://[fc00::1]", LOCAL),
    ("http://nas", LOCAL),
    ("http://my_nas:8080", LOCAL),
    ("http://nas.local", LOCAL),
    ("http://nas.lan:8080", LOCAL),
    ("http://trackeep.home.arpa:8080", LOCAL),
    ("http://trackeep.internal", LOCAL),
    ("https://nas.local", LOCAL),
    ("https://192.168.1.5", LOCAL),
]

REFUSED = [
    # nothing, or not an address
    *("", " ", "home.example", "//home.example", "/home", "https", "https:", "https:/", "https://", "://x"),
    *("https:home.example", "https:/home.example", "https:///home.example", "http:localhost", "https://:443"),
    # other schemes, and schemes that are not plain
    *(
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://home.example",
        "ws://localhost",
    ),
    *(
        "HTTPS://home.example",
        "Https://home.example",
        "https ://home.example",
        "view-source:https://a.example",
    ),
    *(
        "intent://home.example",
        "blob:https://home.example",
        "https+x://home.example",
        "javascript://home.example",
    ),
    # user names
    *("https://alice@home.example", "https://alice:pw@home.example", "https://home.example@evil.example"),
    *("https://@home.example", "https://:@home.example", "https://localhost:8080@evil.example"),
    *("https://home.example%40evil.example", "https://127.0.0.1@evil.example/", "http://[::1]@evil.example"),
    # backslashes, blanks and control characters
    *(
        "https://home.example\\@evil.example",
        "https:\\\\home.example",
        "https://home.example\\",
        "\\\\home.example",
    ),
    *("https://home.example/\\evil", "https://evil.example\\.home.example", " https://home.example"),
    *("https://home.example ", "https://home .example", "https://home.example/a b", "https://home.example\t"),
    *("https://home.example\n", "https://home.example\r\nSet-Cookie: a=b", "https://home\x00.example"),
    *(
        "https://home.example\x7f",
        "\x00https://home.example",
        "ht\ntps://home.example",
        "https://ho\tme.example",
    ),
    *(
        "https://home.example\u2028",
        "https://home.example\u00a0",
        "https://home\u200b.example",
        "\ufeffhttps://a.example",
    ),
    # percent encoding
    *("https://home.example/%2e%2e/x", "https://home.example/%2E/x", "https://home.example/a%2fb"),
    *(
        "https://home.example/%5c",
        "https://home.example/%",
        "https://home.example/%zz",
        "https://%68ome.example",
    ),
    *("https://home.example/%252e", "https://home.example%2f", "https://home.example%00.evil.example"),
    *("https://home.example/%0d%0a", "https://%6c%6f%63%61%6c%68%6f%73%74", "https://home.example/a%20b"),
    # query and fragment
    *(
        "https://home.example?",
        "https://home.example?a=b",
        "https://home.example/?a",
        "https://home.example#",
    ),
    *("https://home.example#x", "https://home.example/x#@evil.example", "https://home.example/x?next=//evil"),
    # ports
    *(
        "https://home.example:",
        "https://home.example:0",
        "https://home.example:00080",
        "https://home.example:65536",
    ),
    *(
        "https://home.example:99999",
        "https://home.example:-1",
        "https://home.example:+80",
        "https://home.example:8e1",
    ),
    *(
        "https://home.example:http",
        "https://home.example:80:80",
        "https://home.example:443",
        "http://localhost:80",
    ),
    *(
        "https://home.example:٨٠",
        "https://home.example: 80",
        "https://home.example:0x50",
        "http://localhost:080",
    ),
    # odd spellings of IPv4
    *(
        "http://0x7f.1",
        "http://2130706433",
        "http://127.1",
        "http://0177.0.0.1",
        "http://127.0.0.01",
        "http://0",
    ),
    *("http://0x7f000001", "http://127.0.0.1.", "http://127.0.1", "http://127.0.0.256", "http://1.2.3.4.5"),
    *(
        "http://127.0.0.0x1",
        "http://0x",
        "http://home.0x1",
        "http://evil.example.1",
        "http://0.0.0.0",
        "http://0.1.2.3",
    ),
    *(
        "http://255.255.255.255",
        "http://224.0.0.1",
        "http://240.0.0.1",
        "http://169.254.169.254",
        "http://127。0。0。1",
    ),
    *("http://１２７.0.0.1", "http://①②⑦.0.0.1", "http://192.168.001.5", "http://017700000001"),
    # odd spellings of IPv6, and addresses inside addresses
    *(
        "http://::1",
        "http://[::1",
        "http://::1]",
        "http://[]",
        "http://[::1]]",
        "http://[[::1]]",
        "http://[::1]x",
    ),
    *("http://[0:0:0:0:0:0:0:1]", "http://[::0001]", "http://[FD00::1]", "http://[::]", "http://[fe80::1]"),
    *("http://[fe80::1%25eth0]", "http://[::1%eth0]", "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
    *(
        "http://[::127.0.0.1]",
        "http://[2002:7f00:1::]",
        "http://[ff02::1]",
        "http://[v1.x]",
        "http://[127.0.0.1]",
    ),
    *("http://[::ffff:10.0.0.1]", "http://[::ffff:0:0]", "http://[64:ff9b::127.0.0.1]", "http://[1:2:3]"),
    # host names
    *(
        "https://home.example.",
        "http://localhost.",
        "https://.home.example",
        "https://home..example",
        "https://.",
    ),
    *(
        "https://-home.example",
        "https://home-.example",
        "https://home.-example",
        "https://ho+me.example",
        "http://...",
    ),
    *(
        "https://HOME.example",
        "https://Home.Example",
        "http://LOCALHOST",
        "https://münchen.example",
        "https://ｈome.example",
    ),
    *(
        "https://xn--a.example",
        "https://xn--.example",
        "https://xn--mnchen-3YA.example",
        "https://xn--zzzzzz99999.example",
    ),
    *(
        "https://home.example,evil.example",
        "https://home.example;evil",
        "https://home!.example",
        "https://*.example",
    ),
    *(
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 127 + "example",
        "https://ex ample",
        "https://a|b.example",
    ),
    *(
        "https://home.example<script>",
        'https://home.example"',
        "https://home.example'",
        "https://{home}.example",
    ),
    # paths
    *(
        "https://home.example//",
        "https://home.example//evil.example",
        "https://home.example/a//b",
        "https://home.example/.",
    ),
    *(
        "https://home.example/..",
        "https://home.example/a/../b",
        "https://home.example/./a",
        "https://home.example/a/./",
    ),
    *(
        "https://home.example/;/x",
        "https://home.example/..;/x",
        "https://home.example/a,b",
        "https://home.example/a:b",
    ),
    *(
        "https://home.example/.hidden",
        "https://home.example/a=b",
        "https://home.example/a&b",
        "https://home.example/(a)",
    ),
    *(
        "https://home.example/<x>",
        'https://home.example/"x',
        "https://home.example/é",
        "https://home.example/a/b//",
    ),
    *(
        "https://home.example//auth/callback",
        "https://home.example/auth/callback?x",
    ),
    # length
    "https://home.example/" + "a" * 492,
]


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
