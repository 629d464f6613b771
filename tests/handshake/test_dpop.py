"""A proof of possession holds for one key, one request and one minute, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from trackeep.errors import TokenRefused
from trackeep.handshake import dpop

URL, NOW = "https://login.example/par", 1_800_000_000
ALICE = ECKey.generate_key("P-256")
MALLORY = ECKey.generate_key("P-256")
KEYS = [ECKey.generate_key("P-256") for _ in range(4)]


def read(proof: str, **changes: Any) -> dpop.Proof:
    return dpop.read_proof(proof, **{"method": "POST", "url": URL, "now": NOW, **changes})


def forged(
    key: Any = MALLORY,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    algorithm: str = "ES256",
) -> str:
    """A well-signed proof with some members changed; None takes one out."""
    head = {"typ": "dpop+jwt", "alg": algorithm, "jwk": key.as_dict(private=False), **(header or {})}
    body = {"jti": "one", "htm": "POST", "htu": URL, "iat": NOW, **(claims or {})}
    head, body = ({n: v for n, v in part.items() if v is not None} for part in (head, body))
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jws.serialize_compact(head, json.dumps(body), key, registry=registry)


def by_hand(header: dict[str, Any], secret: bytes = b"") -> str:
    """A proof whose header says what mallory likes, signed with HMAC when there is a secret."""
    claims = {"jti": "one", "htm": "POST", "htu": URL, "iat": NOW}
    parts = [json.dumps(part).encode() for part in ({"typ": "dpop+jwt", **header}, claims)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.digest(secret, text.encode(), hashlib.sha256) if secret else b"x"
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


PATHS = st.from_regex(r"(/[A-Za-z0-9._~-]{1,12}){0,4}", fullmatch=True)


@given(
    key=st.sampled_from(KEYS),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    host=st.sampled_from(["login.example", "localhost:9090", "[::1]:8080", "192.168.1.5"]),
    path=PATHS,
    late_s=st.integers(-60, 60),
    query=st.sampled_from(["", "?a=b", "?a=b#c", "#c"]),
)
def test_a_proof_says_whose_key_made_it(
    key: ECKey, method: str, host: str, path: str, late_s: int, query: str
) -> None:
    """Any key, method and address, up to a minute off, whatever the query: the thumbprint of that key."""
    url = f"https://{host}{path}"
    proof = dpop.make_proof(key, method, url + query, NOW, "number")
    assert len(proof) < 800
    read_back = dpop.read_proof(proof, method=method, url=url, now=NOW + late_s)
    assert read_back == dpop.Proof(key.thumbprint(), "number")


@given(st.data())
def test_no_changed_character_goes_unnoticed(data: st.DataObject) -> None:
    """A proof in which any one character was replaced is refused, and nothing else is ever raised."""
    proof = dpop.make_proof(ALICE, "POST", URL, NOW, "number")
    place = data.draw(st.integers(0, len(proof) - 3))
    other = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda letter: letter != proof[place]))
    with pytest.raises(TokenRefused):
        read(proof[:place] + other + proof[place + 1 :])


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_nonsense_is_refused(text: str) -> None:
    """Whatever stands in the header, the answer is one kind of error."""
    with pytest.raises(TokenRefused):
        read(text)


def test_the_thumbprint_of_the_standard() -> None:
    """RFC 7638 by hand: the members in order, hashed; the private part plays no role."""
    members = {name: ALICE.as_dict(private=False)[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    assert dpop.thumbprint(ALICE) == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert dpop.public_key(ALICE.as_dict(private=False)).thumbprint() == dpop.thumbprint(ALICE)


def test_the_proof_of_the_standard() -> None:
    """The example of RFC 9449 section 4.1, at its own time, and its thumbprint of section 6.1."""
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    assert dpop.thumbprint(dpop.public_key(jwk)) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize("algorithm", ["Ed25519", "EdDSA"])
def test_ed25519_is_taken_too(algorithm: str) -> None:
    """Programs in other languages often have only this kind of key at hand, under either name."""
    key = OKPKey.generate_key("Ed25519")
    assert read(forged(key, algorithm=algorithm)).thumbprint == key.thumbprint()


@pytest.mark.parametrize(
    "claims",
    [
        {"htu": "https://login.example/token"},
        {"htu": "https://mallory.example/par"},
        {"htu": "http://login.example/par"},
        {"htu": "https://login.example:8443/par"},
        {"htu": "https://login.example/PAR"},
        {"htu": "https://login.example/par/"},
        {"htu": "https://login.example@mallory.example/par"},
        {"htu": "https://mallory@login.example/par"},
        {"htu": "https://login.example:x/par"},
        {"htu": "https://[login.example/par"},
        {"htu": ""},
        {"htu": None},
        {"htu": 7},
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"iat": NOW - 61},
        {"iat": NOW + 61},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"iat": float(NOW) + 0.5},
        {"iat": 10**400},
        {"jti": ""},
        {"jti": None},
        {"jti": 1},
        {"jti": "x" * 257},
    ],
)
def test_a_proof_of_something_else(claims: dict[str, Any]) -> None:
    """Another address, method or time, or a claim that is missing or of another type."""
    with pytest.raises(TokenRefused):
        read(forged(claims=claims))


@pytest.mark.parametrize("htu", ["https://LOGIN.example/par", "https://login.example:443/par", f"{URL}?a#b"])
def test_the_same_address_in_another_spelling(htu: str) -> None:
    """Host in capitals, the port that goes without saying, query and fragment: the same request."""
    assert read(forged(claims={"htu": htu})).jti == "one"


PRIVATE = MALLORY.as_dict(private=True)
PUBLIC = MALLORY.as_dict(private=False)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "trackeep+jwt"},
        {"typ": "DPOP+JWT"},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"jwk": None},
        {"jwk": {}},
        {"jwk": PRIVATE},
        {"jwk": ALICE.as_dict(private=False)},
        {"jwk": {**PUBLIC, "crv": "P-384"}},
        {"jwk": {**PUBLIC, "x": PUBLIC["y"]}},
        {"jwk": {**PUBLIC, "x": None}},
        {"jwk": {**PUBLIC, "x": f"{PUBLIC['x']}="}},
        {"jwk": {**PUBLIC, "x": "A" * 3_000}},
    ],
)
def test_a_header_that_is_not_believed(header: dict[str, Any]) -> None:
    """Wrong typ, critical extensions, no key, a private key, another's key, a key off its curve."""
    try:
        proof = forged(header=header)
    except Exception:  # what the library does not sign is put together by hand
        proof = by_hand({"alg": "ES256", "jwk": PUBLIC, **header})
    with pytest.raises(TokenRefused):
        read(proof)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "HS256", "ES384", "EdDSA", "RS256", None, 7, ["ES256"]]
)
def test_an_algorithm_of_mallorys_choice(algorithm: Any) -> None:
    """Unsigned, or signed with HMAC and the public key that the header itself shows."""
    public = json.dumps(PUBLIC).encode()
    for secret in (b"", public, MALLORY.as_pem(private=False)):
        with pytest.raises(TokenRefused):
            read(by_hand({"alg": algorithm, "jwk": PUBLIC}, secret))


def test_kinds_of_keys_that_are_not_taken() -> None:
    """RSA, another curve, and a symmetric key whose secret stands in the header."""
    octets = OctKey.generate_key(256)
    others = [
        forged(RSAKey.generate_key(2048), algorithm="RS256"),
        forged(ECKey.generate_key("P-384"), algorithm="ES384"),
        forged(octets, {"jwk": octets.as_dict(private=True)}, algorithm="HS256"),
    ]
    for proof in others:
        with pytest.raises(TokenRefused):
            read(proof)


def test_two_proofs_are_none() -> None:
    """Two proofs in one header are refused instead of one of them being picked."""
    one, two = (dpop.make_proof(key, "POST", URL, NOW, "n") for key in (ALICE, MALLORY))
    for joined in (f"{one},{two}", f"{one}, {two}", f"{one} {two}", f"{one}.{two}", one + "\n"):
        with pytest.raises(TokenRefused):
            read(joined)


@pytest.mark.parametrize("part", ["header", "payload"])
def test_brackets_in_brackets_are_no_proof(part: str) -> None:
    """Nested deeper than any parser goes, in what is signed or before: refused like everything else."""
    deep = '"x":' + "[" * 1_200
    if part == "payload":
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": MALLORY.as_dict(private=False)}
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        proof = jws.serialize_compact(head, f'{{"jti":"one",{deep}', MALLORY, registry=registry)
    else:
        text = f'{{"typ":"dpop+jwt","alg":"ES256",{deep}'
        proof = f"{base64.urlsafe_b64encode(text.encode()).rstrip(b'=').decode()}.e30.AAAA"
    assert len(proof) < dpop.LONGEST_PROOF
    with pytest.raises(TokenRefused):
        read(proof)
