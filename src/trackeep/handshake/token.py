"""The login token: its claims, how it is signed and encrypted, and how a receiver verifies it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from trackeep.errors import TokenRefused, UnknownSigningKey
from trackeep.handshake.keys import EDDSA, KINDS, LOGIN_ALGORITHMS, SigningKey, algorithm_of

TYPE = "trackeep+jwt"
LIFETIME_S = 604_800
SKEW_S = 60
LONGEST_DELIVERY_S = 120
LONGEST_TOKEN = 8_192

VerifyingKey = ECKey | OKPKey
# Whatever is handed in: what cannot have signed a login token is refused when it is met.
VerifyingKeys = Mapping[str, VerifyingKey | RSAKey]


class SignedClaims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a login token says; times in unix seconds, `expires_at` is that of the GitHub token."""

    user_id: int
    github_id: int
    username: str
    email: str
    access_token: str
    token_type: str
    expires_at: int
    exp: int
    iat: int
    name: str
    avatar_url: str
    iss: str
    aud: str
    sub: str
    jti: str
    nonce: str = ""

    def __repr__(self) -> str:
        # Claims end up in tracebacks and logs; the GitHub token inside must not.
        return f"SignedClaims(username={self.username!r}, aud={self.aud!r}, jti={self.jti!r})"


def sign(claims: SignedClaims, key: SigningKey) -> str:
    """`claims` as a compact JWT, signed with the algorithm that belongs to the key."""
    header = {"alg": key.algorithm, "typ": TYPE, "kid": key.id}
    return jws.serialize_compact(
        header, msgspec.json.encode(claims), key.key, registry=_REGISTRIES[key.algorithm]
    )


def verify(
    unverified_token: str,
    keys: VerifyingKeys,
    *,
    issuer: str,
    audience: str,
    now: float,
    nonce: str | None = None,
) -> SignedClaims:
    """The claims of a token that was just delivered to `audience`, each check for one attack.

    `keys` are the issuer's by key id, `nonce` is `messages.nonce_of(state)` of the login that was begun.
    Raises UnknownSigningKey (fetch the issuer's keys once and try again) or TokenRefused. The caller
    still has to remember `jti` for `exp`, so that no token is accepted twice.
    """
    claims = read(unverified_token, keys, issuer=issuer, now=now)
    # A token for one instance must not open another: its operator could be the attacker.
    if not hmac.compare_digest(claims.aud.encode(), audience.encode()):
        raise _refused("was made for another address")
    # A token found later, in a log or a history, is worthless.
    if claims.iat < now - LONGEST_DELIVERY_S - SKEW_S:
        raise _refused("was made too long ago")
    # Login forgery: a token of the attacker's own login does not belong to the login begun here.
    if nonce is not None and not hmac.compare_digest(claims.nonce.encode(), nonce.encode()):
        raise _refused("belongs to another login")
    return claims


def read(unverified_token: str, keys: VerifyingKeys, *, issuer: str, now: float) -> SignedClaims:
    """The claims of a token that `issuer` signed and that has not expired, whoever it was made for."""
    header, payload = _verified(unverified_token, keys)
    # The same key may sign other kinds of token one day; only this kind is a login.
    if header.get("typ") != TYPE:
        raise _refused("is of another kind")
    try:
        claims = msgspec.json.decode(payload, type=SignedClaims)
    except msgspec.MsgspecError:
        raise _refused("lacks claims that it needs") from None
    # Mix-up: a key set shared by mistake must not let one service speak for another.
    if not hmac.compare_digest(claims.iss.encode(), issuer.encode()):
        raise _refused("was made by another service")
    if claims.exp < now - SKEW_S or claims.iat > now + SKEW_S:
        raise _refused("is expired, or the clocks differ by more than a minute")
    if not claims.jti or claims.sub != str(claims.github_id):
        raise _refused("lacks claims that it needs")
    return claims


def public_keys(jwks: Mapping[str, Any]) -> dict[str, VerifyingKey]:
    """The keys of a JSON Web Key Set that can have signed a login token, by key id; others are skipped."""
    found: dict[str, VerifyingKey] = {}
    entries = jwks.get("keys")
    for entry in entries if isinstance(entries, list) else []:
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(key_id, str) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = _public_key(entry)
        except (JoseError, KeyError, ValueError, TypeError):
            continue
        if key is not None:
            found[key_id] = key
    return found


def _public_key(entry: Mapping[str, Any]) -> VerifyingKey | None:
    # Only P-256 and Ed25519: a symmetric, RSA or other key in the set must never become a way to verify.
    if entry.get("kty") not in ("EC", "OKP"):
        return None
    kind = KINDS.get((entry["kty"], str(entry.get("crv"))))
    # One kind of key, one algorithm: a key that says another is none of ours.
    if kind is None or entry.get("alg", kind[0]) != kind[0]:
        return None
    shape = OKPKey if entry["kty"] == "OKP" else ECKey
    return shape.import_key({name: entry[name] for name in ("kty", *kind[2]) if name != "d"})


def encrypt(signed_token: str, public_jwk: str) -> str:
    """`signed_token` inside a JWE (ECDH-ES, A256GCM) that only the holder of the private key reads."""
    jwk = json.loads(public_jwk)
    key = OKPKey.import_key(jwk) if jwk["kty"] == "OKP" else ECKey.import_key(jwk)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT"}
    return jwe.encrypt_compact(header, signed_token, key, ["ECDH-ES", "A256GCM"])


def decrypt(encrypted_token: str, private_key: ECKey | OKPKey) -> str:
    """The signed token inside a JWE; raises TokenRefused when it was encrypted to somebody else."""
    try:
        content = jwe.decrypt_compact(encrypted_token, private_key, ["ECDH-ES", "A256GCM"])
    except (JoseError, ValueError):
        raise _refused("was encrypted to another key") from None
    return (content.plaintext or b"").decode("ascii", "replace")


def _verified(unverified_token: str, keys: VerifyingKeys) -> tuple[Mapping[str, Any], bytes]:
    if len(unverified_token) > LONGEST_TOKEN:
        raise _refused("is too long")
    try:
        unverified = jws.extract_compact(unverified_token.encode("ascii", "strict"))
        header = unverified.headers()
        # The algorithm is ours to choose, never the token's: `none`, or HMAC with the public key as secret.
        if header.get("alg") not in LOGIN_ALGORITHMS:
            raise _refused("is signed in a way that is not accepted")
        key = keys.get(str(header.get("kid")))
        if key is None:
            raise UnknownSigningKey("The login token is signed by a key that is not known here.")
        # Of the two that we use, the kind of the key says which: one key, one algorithm.
        if isinstance(key, RSAKey) or header["alg"] != algorithm_of(key):
            raise _refused("is signed in a way that is not accepted")
        content = jws.deserialize_compact(unverified_token, key, registry=_REGISTRIES[header["alg"]])
    except (JoseError, ValueError, RecursionError):
        # Also thousands of brackets inside each other.
        raise _refused("has no valid signature") from None
    return content.headers(), content.payload


class _Registry(jws.JWSRegistry):
    """The library's, without its warning that RFC 9864 renamed EdDSA: common readers know the old name."""

    def get_alg(self, name: str) -> Any:
        if name == EDDSA and name in (self.allowed or ()):
            return self.algorithms[name]
        return super().get_alg(name)


_REGISTRIES = {name: _Registry(algorithms=[name]) for name in LOGIN_ALGORITHMS}


def _refused(why: str) -> TokenRefused:
    return TokenRefused(f"The login token {why}.", "Start the login again.")
