"""The messages between service and instance: written and read alike, everything else refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from trackeep.errors import LoginDenied, LoginError, UsageError
from trackeep.handshake import messages

CHALLENGE = messages.code_challenge("v" * 43)
BASE = ("redirect_uri", "https://home.example")
S256 = ("code_challenge_method", "S256")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_a_start_link_is_read_as_it_was_written(state: str) -> None:
    """Whatever is in `state`, the service reads exactly what the instance wrote."""
    request = messages.StartRequest(
        "https://home.example/t", state, CHALLENGE, "Nora's tracker", ("read:user", "read:org")
    )
    url = urlsplit(messages.start_url("https://login.example/", request))
    assert (url.netloc, url.path) == ("login.example", "/auth/github")
    assert messages.parse_start(parse_qsl(url.query, keep_blank_values=True)) == request


def test_the_published_link_asks_for_a_token_and_the_three_scopes() -> None:
    """A link with nothing but `redirect_uri` keeps its meaning."""
    request = messages.parse_start([BASE])
    assert not request.wants_code
    assert request.scopes == ("user:email", "read:user", "repo")


@pytest.mark.parametrize(
    "query",
    [
        [],
        [("redirect_uri", "")],
        [BASE, BASE],
        [BASE, ("state", "a"), ("state", "b")],
        [BASE, ("state", "s" * 513)],
        [BASE, ("state", "ü" * 257)],
        [BASE, ("code_challenge", CHALLENGE)],
        [BASE, ("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        [BASE, ("code_challenge", "short"), S256],
        [BASE, ("code_challenge", CHALLENGE + "="), S256],
        [BASE, S256],
        [BASE, ("scope", "repo delete_repo")],
        [BASE, ("scope", "admin:org")],
        [BASE, ("jwe_jwk", "{")],
        [BASE, ("jwe_jwk", "[]")],
        [BASE, ("jwe_jwk", '{"kty":"oct","k":"AAAA"}')],
        [BASE, ("jwe_jwk", '{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}')],
        [BASE, ("jwe_jwk", '{"kty":["EC"],"crv":{}}')],
        # A point of small order: every secret agreed with it would be zero.
        [BASE, ("jwe_jwk", json.dumps({"kty": "OKP", "crv": "X25519", "x": "A" * 43}))],
    ],
)
def test_a_start_link_with_a_mistake_is_refused(query: list[tuple[str, str]]) -> None:
    """Every mistake is a refusal that says what to change."""
    with pytest.raises(UsageError) as refused:
        messages.parse_start(query)
    assert refused.value.hint


@pytest.mark.parametrize("key", [OKPKey.generate_key("X25519"), ECKey.generate_key("P-256")])
def test_a_public_key_is_taken_without_what_is_not_needed(key: ECKey | OKPKey) -> None:
    """Only the members that make the key are kept."""
    public: dict[str, Any] = {**key.as_dict(private=False), "kid": "x", "note": "y"}
    kept = json.loads(messages.parse_start([BASE, ("jwe_jwk", json.dumps(public))]).jwe_jwk)
    assert "note" not in kept
    assert kept["x"] == public["x"]


def test_a_private_or_unsuitable_key_is_refused() -> None:
    """Whoever sends a private key by mistake is told so, and no other kind is used."""
    for jwk in (OKPKey.generate_key("X25519").as_dict(private=True), RSAKey.generate_key(2048).as_dict()):
        with pytest.raises(UsageError):
            messages.parse_start([BASE, ("jwe_jwk", json.dumps(jwk))])


def test_a_callback_gives_code_state_and_issuer() -> None:
    """The answer of code mode has exactly three parts."""
    query = [("code", "c"), ("state", "s"), ("iss", "https://login.example")]
    assert messages.parse_callback(query) == messages.Callback("c", "s", "https://login.example")


@pytest.mark.parametrize(
    "query",
    [
        [],
        [("code", "c"), ("state", "s")],
        [("code", "c"), ("iss", "i")],
        [("code", "c"), ("code", "d"), ("state", "s"), ("iss", "i")],
        [("code", "c"), ("state", "s"), ("iss", "i"), ("token", "t")],
        [("token", "t"), ("user", "mallory")],
    ],
)
def test_an_incomplete_or_unasked_callback_is_refused(query: list[tuple[str, str]]) -> None:
    """A missing issuer, a repeated code, and a token nobody asked for are all refused."""
    with pytest.raises(LoginError):
        messages.parse_callback(query)


@pytest.mark.parametrize("error", ["access_denied", "temporarily_unavailable", "server_error", "<b>x</b>"])
def test_an_error_that_comes_back_is_a_sentence(error: str) -> None:
    """The instance can say what happened, and never repeats foreign text."""
    with pytest.raises(LoginDenied) as denied:
        messages.parse_callback([("error", error), ("state", "s"), ("iss", "i")])
    assert "<" not in str(denied.value)


def test_the_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert messages.code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert messages.is_verifier(verifier)
    assert not messages.is_verifier("short")


def test_the_pairing_code_is_short_stable_and_bound_to_both() -> None:
    """Both sides show the same eight characters; another login or address shows others."""
    code = messages.pairing_code(CHALLENGE, "http://nas.lan:8080")
    assert len(code) == 9
    assert code[4] == "-"
    assert not set(code) & set("ILOU")
    assert code == messages.pairing_code(CHALLENGE, "http://nas.lan:8080")
    assert code != messages.pairing_code(CHALLENGE, "http://nas.lan:8081")
    assert code != messages.pairing_code(messages.code_challenge("w" * 43), "http://nas.lan:8080")


@given(st.text(max_size=200))
def test_a_free_name_holds_nothing_that_hides_or_reorders(text: str) -> None:
    """No control, format or separator characters, and never longer than sixty."""
    name = messages.plain_name(text)
    assert len(name) <= 60
    assert all(char == " " or char.isprintable() for char in name)
    assert "\u202e" not in name


def test_bidirectional_controls_in_a_name_are_removed() -> None:
    """A name cannot turn the text around it."""
    assert messages.plain_name("Nora\u202e's \n tracker") == "Nora 's tracker"
