"""Proofs that a request comes from the holder of a key (DPoP, RFC 9449): made, and checked."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey

from trackeep.errors import TokenRefused

HEADER = "DPoP"
TYPE = "dpop+jwt"
# What each kind of key signs with here; the header may only repeat it. EdDSA is the older name of Ed25519
# (https://www.rfc-editor.org/rfc/rfc9864), which most libraries still write.
ALGORITHMS = {("EC", "P-256"): ("ES256",), ("OKP", "Ed25519"): ("Ed25519", "EdDSA")}
OFFERED = tuple(name for names in ALGORITHMS.values() for name in names)
AROUND_S = 60
LONGEST_PROOF = 4_096
LONGEST_JTI = 256
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proof:
    """A proof that held: whose key it was (RFC 7638), and the number of the proof itself."""

    thumbprint: str
    jti: str


class _Claims(msgspec.Struct):
    jti: str
    htm: str
    htu: str
    iat: int


def make_proof(key: ECKey, method: str, url: str, now: int, jti: str) -> str:
    """The value of the `DPoP` header for one request; `now` in unix seconds, `jti` is never used twice."""
    header = {"typ": TYPE, "alg": "ES256", "jwk": _public_members(key)}
    claims = _Claims(jti, method, url.partition("?")[0].partition("#")[0], now)
    return jws.serialize_compact(header, msgspec.json.encode(claims), key, ["ES256"])


def read_proof(proof: str, *, method: str, url: str, now: float) -> Proof:
    """Whose key signed `proof` for exactly this request within the last minute; raises TokenRefused.

    The caller compares the thumbprint with the one that it expects.
    """
    # Two headers arrive joined by a comma: which of them counts would be a matter of taste.
    if len(proof) > LONGEST_PROOF or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", proof, re.ASCII):
        raise _refused("is not one signed token")
    key, payload = _verified(proof)
    try:
        claims = msgspec.json.decode(payload, type=_Claims)
    except (msgspec.MsgspecError, RecursionError):
        raise _refused("lacks claims that it needs") from None
    if not 0 < len(claims.jti) <= LONGEST_JTI:
        raise _refused("has no usable jti")
    # A proof for another address or method was made for somebody else, who now tries it here.
    if claims.htm != method or _address(claims.htu) != _address(url):
        raise _refused("was made for another request")
    if not now - AROUND_S <= claims.iat <= now + AROUND_S:
        raise _refused("is not of this minute")
    return Proof(thumbprint(key), claims.jti)


def thumbprint(key: ECKey | OKPKey) -> str:
    """The SHA-256 thumbprint of the public key (RFC 7638), base64url."""
    return key.thumbprint()


def public_key(jwk: Mapping[str, Any]) -> ECKey | OKPKey:
    """The public key that signs proofs, out of a JWK; raises TokenRefused for any other kind of key."""
    kind = (str(jwk.get("kty")), str(jwk.get("crv")))
    # A private key in the open belongs to everybody who saw it, and proves nothing.
    if kind not in ALGORITHMS or "d" in jwk:
        raise _refused("names no public key of a kind that is accepted")
    names = ("kty", "crv", "x", "y") if kind[0] == "EC" else ("kty", "crv", "x")
    members: dict[str, str | list[str]] = {name: str(jwk.get(name)) for name in names}
    # Spare bits in the base64 would give one key several thumbprints.
    if not all(_is_canonical(str(members[name])) for name in names[2:]):
        raise _refused("names a key that is not in its usual form")
    try:
        return ECKey.import_key(members) if kind[0] == "EC" else OKPKey.import_key(members)
    except (JoseError, ValueError, TypeError):
        raise _refused("names a key that cannot be read") from None


def _verified(proof: str) -> tuple[ECKey | OKPKey, bytes]:
    try:
        unverified = jws.extract_compact(proof.encode(), registry=_REGISTRY)
        header = unverified.headers()
        if header.get("typ") != TYPE:
            raise _refused("is of another kind")
        # Nothing critical is understood here, and a payload is always base64url (RFC 7797 can change that).
        if "crit" in header or "b64" in header:
            raise _refused("asks for something that is not supported")
        key = public_key(header["jwk"] if isinstance(header.get("jwk"), dict) else {})
        if header.get("alg") not in ALGORITHMS[(str(key["kty"]), str(key["crv"]))]:
            raise _refused("is signed in a way that is not accepted")
        if jws.validate_compact(unverified, key, registry=_REGISTRY):
            return key, unverified.payload
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        # The last one for thousands of brackets inside each other, which fit into a header.
        pass
    raise _refused("has no valid signature")


class _Registry(jws.JWSRegistry):
    """joserfc's, with room for a public key in the header, and silent about the older name of Ed25519."""

    max_header_length = LONGEST_PROOF

    def get_alg(self, name: str) -> Any:
        if name not in OFFERED:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=OFFERED, strict_check_header=False)


def _public_members(key: ECKey) -> dict[str, str]:
    members = key.as_dict(private=False)
    return {name: str(members[name]) for name in ("kty", "crv", "x", "y")}


def _address(url: str) -> tuple[str, str, int | None, str]:
    """What is compared of a URL: no query, no fragment, and one spelling of host and port (RFC 9449 4.3)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        raise _refused("names an address that cannot be read") from None
    if "@" in parts.netloc:
        raise _refused("names an address with a user in it")
    return parts.scheme, parts.hostname or "", port, parts.path or "/"


def _is_canonical(text: str) -> bool:
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return False
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode() == text


def _refused(why: str) -> TokenRefused:
    return TokenRefused(f"The DPoP proof {why}.", "Make a fresh proof for each request; check the clock.")
