"""Writes examples/test-vectors.json: login tokens, good and forged, with the verdict every receiver owes.

Run it after a change of the contract: `.venv/bin/python tools/make_test_vectors.py`. The keys are made for
one run and thrown away, so that nobody can sign anything else with them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from trackeep.handshake import messages, token

TARGET = Path(__file__).resolve().parents[1] / "examples" / "test-vectors.json"
ABOUT = (
    "Test data, no real keys. A receiver at `audience` that trusts `issuer`, whose key set is `jwks`, is "
    "given each token at `now` (unix seconds) in the login whose nonce is `nonce`; it accepts those with "
    "`accepted` true and no other. Two minutes are allowed for delivery and one for clocks that differ."
)
ISSUER, AUDIENCE, NOW = "https://login.example", "https://home.example", 1_800_000_000
NONCE = messages.nonce_of("the state of this login")
EC = {
    name: ECKey.generate_key("P-256", private=True, auto_kid=False) for name in ("current", "next", "mallory")
}
RSA = RSAKey.generate_key(2048, private=True, auto_kid=False)
HEADER = {"alg": "ES256", "typ": token.TYPE, "kid": "current"}
CLAIMS: dict[str, Any] = {
    "user_id": 7,
    "github_id": 7,
    "username": "alice",
    "email": "alice@example.org",
    "access_token": "gho_" + "a" * 36,
    "token_type": "bearer",
    "expires_at": NOW + token.LIFETIME_S,
    "exp": NOW + token.LIFETIME_S,
    "iat": NOW,
    "name": "Alice",
    "avatar_url": "",
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "7",
    "jti": "one",
    "nonce": NONCE,
}


def main() -> None:
    """Write the file."""
    vectors = [
        {"name": name, "accepted": accepted, "reason": reason, "token": given}
        for accepted, cases in ((True, good()), (False, bad_claims()), (False, bad_signatures()))
        for name, reason, given in cases
    ]
    written = {
        "about": ABOUT,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "now": NOW,
        "nonce": NONCE,
        "jwks": {"keys": published()},
        "vectors": vectors,
    }
    TARGET.write_text(json.dumps(written, indent=2) + "\n")


def published() -> list[dict[str, Any]]:
    """The issuer's key set: the present key, the next one, and one for another purpose."""
    use = {"use": "sig", "alg": "ES256"}
    return [
        {**EC["current"].as_dict(private=False), **use, "kid": "current"},
        {**EC["next"].as_dict(private=False), **use, "kid": "next"},
        {**RSA.as_dict(private=False), "use": "sig", "alg": "RS256", "kid": "rsa"},
    ]


def good() -> Iterator[tuple[str, str, str]]:
    """(name, reason, token) of what must be accepted."""
    yield "fresh", "everything is right", signed()
    yield "the next key", "any published key may sign", signed(HEADER | {"kid": "next"}, key=EC["next"])
    yield "slow delivery", "made 110 seconds ago", signed(iat=NOW - 110)
    yield "a clock ahead", "made in 50 seconds: the clocks differ a little", signed(iat=NOW + 50)
    yield "no e-mail address", "GitHub need not tell one", signed(email="")
    yield "a claim of tomorrow", "claims that we do not know are ignored", signed(more=1)


def bad_claims() -> Iterator[tuple[str, str, str]]:
    """(name, reason, token) of what the right key signed, yet not for this receiver, login or moment."""
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("another issuer", "a login at another service", {"iss": "https://mallory.example"}),
        ("issuer with a slash", "compared exactly", {"iss": ISSUER + "/"}),
        (
            "another audience",
            "made for another instance, whose owner may be mallory",
            {"aud": "https://b.example"},
        ),
        ("audience with a slash", "compared exactly", {"aud": AUDIENCE + "/"}),
        ("several audiences", "made for somebody else as well", {"aud": [AUDIENCE, "https://b.example"]}),
        ("old", "made ten minutes ago: found in a log or a history", {"iat": NOW - 600}),
        ("from the future", "made in five minutes", {"iat": NOW + 300}),
        ("expired", "its time ended five minutes ago", {"exp": NOW - 300}),
        ("another login", "its nonce is of another state", {"nonce": messages.nonce_of("mallory's state")}),
        ("empty nonce", "of a login without a state", {"nonce": ""}),
        (
            "the bare state",
            "the nonce is a digest, not the state itself",
            {"nonce": "the state of this login"},
        ),
        ("another subject", "sub and github_id are one number", {"sub": "8"}),
        ("another number", "sub and github_id are one number", {"github_id": 8}),
        ("empty jti", "could not be told from its replay", {"jti": ""}),
        ("iat in words", "times are numbers", {"iat": "now"}),
    ]
    for name, reason, change in changes:
        yield name, reason, signed(**change)
    for name in (
        "iss",
        "aud",
        "exp",
        "iat",
        "jti",
        "sub",
        "nonce",
        "github_id",
        "access_token",
        "expires_at",
    ):
        payload = {claim: value for claim, value in CLAIMS.items() if claim != name}
        yield f"no {name}", f"{name} is missing", signed(payload=payload)
    for kind in ("JWT", "dpop+jwt", "at+jwt"):
        yield f"typ {kind}", "a token of another kind", signed(HEADER | {"typ": kind})
    yield "no typ", "a token of no kind", signed({"alg": "ES256", "kid": "current"})


def bad_signatures() -> Iterator[tuple[str, str, str]]:
    """(name, reason, token) of what the issuer never signed."""
    for none in ("none", "None", "NONE", "nOnE"):
        yield f"alg {none}", "not signed at all", by_hand(HEADER | {"alg": none})
    pem, jwk = EC["current"].as_pem(private=False), json.dumps(published()[0]).encode()
    for form, secret in (("PEM", pem), ("JWK", jwk), ("nothing", b"")):
        header = HEADER | {"alg": "HS256"}
        yield f"HS256 with {form}", "signed with what everybody can read", by_hand(header, secret)
    yield (
        "RS256",
        "signed by a published key, but not in our way",
        signed(HEADER | {"alg": "RS256", "kid": "rsa"}, RSA),
    )
    yield "ES256 with an RSA key", "the named key cannot have signed it", signed(HEADER | {"kid": "rsa"})
    yield "foreign key", "a key under the name of ours", signed(key=EC["mallory"])
    yield "swapped key", "signed by one published key, named after another", signed(HEADER | {"kid": "next"})
    yield "unknown kid", "a key that nobody published", signed(HEADER | {"kid": "mallory"}, EC["mallory"])
    yield "no kid", "which key is not for the receiver to guess", signed({"alg": "ES256", "typ": token.TYPE})
    own = EC["mallory"].as_dict(private=False)
    yield (
        "key in the header",
        "mallory's suggestion",
        signed(HEADER | {"kid": "mallory", "jwk": own}, EC["mallory"]),
    )
    right = signed()
    head, body, signature = right.split(".")
    other = encode(json.dumps(CLAIMS | {"github_id": 8, "sub": "8", "user_id": 8}).encode())
    yield "tampered payload", "the signature is of another text", f"{head}.{other}.{signature}"
    yield "tampered header", "the signature is of another text", f"{encode(b'{}')}.{body}.{signature}"
    yield "cut signature", "half of a signature is none", f"{head}.{body}.{signature[:40]}"
    yield "empty signature", "the signature is missing", f"{head}.{body}."
    yield "zero signature", "r and s are zero", f"{head}.{body}.{encode(bytes(64))}"
    yield "two parts", "not a signed token", f"{head}.{body}"
    yield "not a token", "not a signed token", "mallory"
    yield "nothing", "not a signed token", ""


def signed(
    header: dict[str, Any] = HEADER,
    key: ECKey | RSAKey = EC["current"],
    payload: dict[str, Any] = CLAIMS,
    **changes: Any,
) -> str:
    """The claims with `changes`, signed by the library that the service itself signs with."""
    return jws.serialize_compact(header, json.dumps(payload | changes).encode(), key, ["ES256", "RS256"])


def by_hand(header: dict[str, Any], secret: bytes | None = None) -> str:
    """The right claims under a header that a library would not write; with HMAC when there is a secret."""
    text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(CLAIMS).encode())}"
    mac = b"" if secret is None else hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{encode(mac)}"


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
