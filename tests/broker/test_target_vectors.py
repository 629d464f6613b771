"""A thousand addresses with their verdicts, what another URL parser makes of them, and what chance finds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import idna
import playwright
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from target_vectors import vectors

from trackeep.broker import answers
from trackeep.broker.targets import Network, Rules, Target, check, parse, parse_exact, same_but_port
from trackeep.errors import UsageError

ISSUER = "https://login.example"
# The Node.js that comes with the browsers of the tests.
NODE_PROGRAM = Path(playwright.__file__).parent / "driver" / "node"
# What a browser's parser makes of each line; the whole address too, because nothing may be rewritten.
READ_ALL = """
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean).map(JSON.parse);
const read = (text) => { try { const u = new URL(text); return [u.origin, u.href]; } catch { return null; } };
console.log(JSON.stringify(lines.map(read)));
"""


def accepted(read: Callable[[str], Target], text: str, *, wants_code: bool = True) -> Target | None:
    try:
        target = read(text)
        check(target, Rules(), wants_code=wants_code, has_key=False)
    except UsageError as refused:
        assert refused.status == 400 and refused.hint
        return None
    return target


def test_each_address_gets_its_verdict() -> None:
    """As a base URL with a code, as one with a bare token, and as a registered address."""
    wrong = []
    for each in vectors():
        modes = (
            accepted(parse, each.address) is not None,
            accepted(parse, each.address, wants_code=False) is not None,
            accepted(parse_exact, each.address) is not None,
        )
        if modes != (each.code, each.token, each.exact):
            wrong.append((each, modes))
    assert not wrong


def test_there_are_many_different_ones() -> None:
    """No address is there twice, and both verdicts are well represented."""
    found = vectors()
    assert len({each.address for each in found}) == len(found) > 1_100
    assert sum(not (each.code or each.exact) for each in found) > 800
    assert sum(each.code for each in found) > 140


def test_a_browser_goes_where_the_page_says() -> None:
    """The parser that browsers share finds our origin in every accepted address, and rewrites none."""
    pairs = [
        (target, target.callback_url)
        for each in vectors()
        for read in (parse, parse_exact)
        if (target := accepted(read, each.address))
    ]
    lines = "\n".join(json.dumps(url) for _, url in pairs)
    node = subprocess.run(
        [NODE_PROGRAM, "-e", READ_ALL], input=lines, capture_output=True, text=True, check=True
    )
    for (target, url), seen in zip(pairs, json.loads(node.stdout), strict=True):
        assert seen is not None, url
        assert seen[0] == target.origin
        # Nothing is added but the slash of an empty path.
        assert seen[1] == (url if urlsplit(url).path else url.replace(target.origin, f"{target.origin}/"))


HOSTS = (
    "localhost a.localhost 127.0.0.1 127.1 home.example HOME.example [::1] [::0001] [fd00::1] nas nas.lan "
    "10.0.0.1 evil.example xn--mnchen-3ya.example xn--a.example my_xn--b.example m\u00fcnchen.example"
)
JOINTS = (
    "https:// http:// HTTP:// / // \\ @ : :8080 :443 :0 . .. ./ ../ ..; %2e %2F %5c %00 %0a %63ode ? # & ; = "
    "code= state iss error token /auth/callback [ ] \t \n \x00 \u202e \u3002 \uff0f"
)
PIECES = st.sampled_from([*HOSTS.split(" "), *JOINTS.split(" ")])
PATCHWORK = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=9).map("".join)
TEXTS = st.one_of(PATCHWORK, PATCHWORK.map(lambda text: f"https://home.example{text}"), st.text(max_size=600))
LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@settings(max_examples=300)
@given(TEXTS)
def test_a_base_url_is_read_the_same_a_second_time(text: str) -> None:
    """Only UsageError ever leaves the parser, and what it accepted it accepts again, unchanged."""
    target = accepted(parse, text)
    if target is not None:
        again = parse(target.base_url)
        assert again == target
        assert again.base_url == target.base_url
        assert target.readable_host


@settings(max_examples=300)
@given(TEXTS)
def test_a_base_url_is_also_a_good_registered_address(text: str) -> None:
    """The two parsers never differ about who gets the answer."""
    target = accepted(parse, text)
    if target is not None:
        exact = parse_exact(target.callback_url)
        assert (exact.origin, exact.network) == (target.origin, target.network)
        assert exact.callback_url == target.callback_url


@given(TEXTS, st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_an_answer_has_each_parameter_once(text: str, state: str, code: str) -> None:
    """The origin stays, the client's own parameters stay, and nobody can have brought ours along."""
    target = accepted(parse_exact, text)
    if target is None:
        return
    for url in (
        answers.code_url(target, ISSUER, state, code),
        answers.error_url(target, ISSUER, state, "access_denied"),
    ):
        assert url.startswith(text)
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == target.origin
        given_back = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        expected = {"iss": 1, "state": bool(state), "code": "code=" in url, "error": "error=" in url}
        assert {name: given_back.count(name) for name in expected} == expected


@given(st.lists(LABELS, min_size=1, max_size=3))
def test_every_international_name_is_taken_whole_or_not_at_all(labels: list[str]) -> None:
    """The letters that are shown always lead back to the very name that gets the login."""
    try:
        host = idna.encode(".".join(labels)).decode()
    except UnicodeError:
        host = ".".join(f"xn--{label.encode('punycode').decode()}" for label in labels)
    target = accepted(parse, f"https://{host}")
    if target is not None and "xn--" in host:
        assert idna.encode(target.readable_host).decode() == host


@given(TEXTS, TEXTS)
def test_only_loopback_addresses_may_differ_in_their_port(one: str, other: str) -> None:
    """A port of somebody else's computer is somebody else."""
    if one != other and same_but_port(one, other):
        first, second = parse_exact(one), parse_exact(other)
        assert first.network is second.network is Network.LOOPBACK
        assert first.host == second.host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_program_on_ones_own_computer_chooses_its_port(host: str) -> None:
    """Everything but the port has to be what was registered (RFC 8252 section 7.3)."""
    registered = f"http://{host}:1024/cb?a=b"
    assert same_but_port(registered, f"http://{host}:65535/cb?a=b")
    for other in (
        f"http://{host}:1024/cb?a=c",
        f"http://{host}:1024/cb",
        f"https://{host}:1024/cb?a=b",
        f"http://{host}:1024/cb?a=b&code=x",
        "http://10.0.0.1:1024/cb?a=b",
    ):
        assert not same_but_port(registered, other)
