"""Login tokens: what a receiver accepts, and every change that it refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey, OKPKey

from trackeep.errors import TokenRefused, UnknownSigningKey
from trackeep.handshake import keys, messages, token

NOW = 1_800_000_000
RING = keys.make_ring(NOW)
KEYS = token.public_keys(RING.jwks(NOW))
CLAIMS = token.SignedClaims(
    user_id=7,
    github_id=7,
    username="alice",
    email="alice@example.org",
    access_token="gho_" + "a" * 36,
    token_type="bearer",
    expires_at=NOW + token.LIFETIME_S,
    exp=NOW + token.LIFETIME_S,
    iat=NOW,
    name="Alice",
    avatar_url="",
    iss="https://login.example",
    aud="https://home.example",
    sub="7",
    jti="one",
    nonce=messages.nonce_of("the state"),
)


def signed(**changes: Any) -> str:
    return token.sign(msgspec.structs.replace(CLAIMS, **changes), RING.signing_key(NOW))


def verify(unverified: str, now: float = NOW) -> token.SignedClaims:
    nonce = messages.nonce_of("the state")
    return token.verify(
        unverified,
        KEYS,
        issuer="https://login.example",
        audience="https://home.example",
        now=now,
        nonce=nonce,
    )


def forged(header: dict[str, Any], secret: bytes | None = None) -> str:
    """A token with the right claims and a header of mallory's choice."""
    parts = [json.dumps(header).encode(), msgspec.json.encode(CLAIMS)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.digest(secret, text.encode(), hashlib.sha256) if secret else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_fresh_token_is_accepted_with_its_claims() -> None:
    """What the service signs, the instance reads."""
    assert verify(signed()) == CLAIMS


def test_claims_of_the_published_contract_are_all_there() -> None:
    """The names that integrators rely on, their types, and exactly seven days."""
    payload = json.loads(base64.urlsafe_b64decode(signed().split(".")[1] + "=="))
    for name in ("user_id", "github_id", "expires_at", "exp", "iat"):
        assert isinstance(payload[name], int)
    assert payload["exp"] - payload["iat"] == 604_800
    assert {"username", "email", "access_token", "name", "avatar_url"} <= set(payload)
    assert payload["token_type"] == "bearer"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "https://other.example"},
        {"aud": "https://home.example/"},
        {"exp": NOW - 61},
        {"iat": NOW - 181},
        {"iat": NOW + 61},
        {"nonce": ""},
        {"nonce": messages.nonce_of("another state")},
        {"jti": ""},
        {"sub": "8"},
    ],
)
def test_one_wrong_claim_is_enough_to_refuse(changes: dict[str, Any]) -> None:
    """Issuer, audience, times, nonce and subject all have to be right."""
    with pytest.raises(TokenRefused):
        verify(signed(**changes))


def test_a_minute_of_clock_difference_is_tolerated() -> None:
    """Two honest computers whose clocks differ a little still understand each other."""
    assert verify(signed(iat=NOW + 60)).jti == "one"
    assert verify(signed(iat=NOW - 180)).jti == "one"


def test_the_algorithm_is_never_the_tokens_choice() -> None:
    """`none`, and HMAC with the public key as its secret, are refused."""
    key_id = RING.signing[0].id
    pem = RING.signing[0].key.as_pem(private=False)
    with pytest.raises(TokenRefused):
        verify(forged({"alg": "none", "typ": token.TYPE, "kid": key_id}))
    for secret in (pem, json.dumps(RING.jwks(NOW)["keys"][0]).encode()):
        with pytest.raises(TokenRefused):
            verify(forged({"alg": "HS256", "typ": token.TYPE, "kid": key_id}, secret))


def test_an_ed25519_key_signs_and_verifies_with_its_own_algorithm() -> None:
    """A service that chose EdDSA is understood by the same receiver."""
    ring = keys.make_ring(NOW, keys.EDDSA)
    signed_ = token.sign(CLAIMS, ring.signing_key(NOW))
    assert json.loads(base64.urlsafe_b64decode(signed_.split(".")[0] + "=="))["alg"] == "EdDSA"
    known = token.public_keys(ring.jwks(NOW))
    assert token.read(signed_, known, issuer=CLAIMS.iss, now=NOW) == CLAIMS
    with pytest.raises(TokenRefused, match="no valid signature"):
        token.read(signed_[:-4] + "AAAA", known, issuer=CLAIMS.iss, now=NOW)


@pytest.mark.parametrize(("ours", "claimed"), [("ES256", "EdDSA"), ("EdDSA", "ES256")])
def test_each_key_is_good_for_one_algorithm(ours: str, claimed: str) -> None:
    """Another algorithm of ours, in the header of a token that names this key, is refused."""
    ring = keys.make_ring(NOW, ours)
    key = ring.signing_key(NOW)
    unverified = forged({"alg": claimed, "typ": token.TYPE, "kid": key.id})
    for known in (token.public_keys(ring.jwks(NOW)), {key.id: key.key}):
        with pytest.raises(TokenRefused, match="way that is not accepted"):
            token.read(unverified, known, issuer=CLAIMS.iss, now=NOW)


def test_an_rsa_key_never_verifies_a_login() -> None:
    """The key of id_tokens is published beside the others, and is not taken for one of them."""
    from joserfc import jws

    rsa = RING.id_token_key("RS256", NOW)
    header = {"alg": "RS256", "typ": token.TYPE, "kid": rsa.id}
    genuine = jws.serialize_compact(header, msgspec.json.encode(CLAIMS), rsa.key, ["RS256"])
    assert rsa.id not in KEYS
    for unverified in (genuine, forged({**header, "alg": "ES256"})):
        with pytest.raises(TokenRefused):
            token.read(unverified, {rsa.id: rsa.key}, issuer=CLAIMS.iss, now=NOW)


def test_a_key_that_is_not_published_is_named_as_unknown() -> None:
    """The receiver can tell a rotated key, worth one look at the key set, from a forgery."""
    stranger = keys.make_ring(NOW).signing_key(NOW)
    with pytest.raises(UnknownSigningKey):
        verify(token.sign(CLAIMS, stranger))


def test_another_kind_of_token_is_not_a_login() -> None:
    """A JWT of the same key with another `typ` does not pass."""
    from joserfc import jws

    header = {"alg": "ES256", "typ": "JWT", "kid": RING.signing[0].id}
    other = jws.serialize_compact(header, msgspec.json.encode(CLAIMS), RING.signing[0].key, ["ES256"])
    with pytest.raises(TokenRefused, match="another kind"):
        verify(other)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "x" * 9000, "ä.b.c", "e30.e30.", "e30.e30.e30"])
def test_nonsense_is_refused(text: str) -> None:
    """Whatever arrives as a token ends in a refusal."""
    with pytest.raises(TokenRefused):
        verify(text)


@pytest.mark.parametrize(
    "key", [OKPKey.generate_key("X25519"), ECKey.generate_key("P-256")], ids=["X25519", "P-256"]
)
def test_an_encrypted_token_is_read_by_its_key_alone(key: ECKey | OKPKey) -> None:
    """The JWE opens with the private key of the request and with no other."""
    sealed = token.encrypt(signed(), json.dumps(key.as_dict(private=False)))
    assert sealed.count(".") == 4
    assert verify(token.decrypt(sealed, key)) == CLAIMS
    with pytest.raises(TokenRefused):
        token.decrypt(sealed, type(key).generate_key("X25519" if isinstance(key, OKPKey) else "P-256"))


def test_a_claim_set_does_not_show_its_token() -> None:
    """Claims printed by accident do not give the GitHub token away."""
    assert "gho_" not in repr(CLAIMS)


def test_other_keys_in_a_key_set_are_skipped() -> None:
    """A symmetric key, another curve or nonsense in a key set never becomes a way to verify."""
    entries: list[Any] = [*RING.jwks(NOW)["keys"], {"kty": "oct", "kid": "h", "k": "AAAA"}, 7, {"kty": "EC"}]
    entries.append({"kty": "EC", "crv": "P-256", "kid": "bad", "x": "AA", "y": "AA"})
    entries.append({**entries[0], "kid": "other algorithm", "alg": "ES256K"})
    on_curves = {key.id for key in RING.signing if key.algorithm == "ES256"}
    assert set(token.public_keys({"keys": entries})) == on_curves
    assert token.public_keys({}) == {}
