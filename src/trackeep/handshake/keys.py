"""Signing and sealing keys of the OAuth service: their families, found by name and age."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, OKPKey, RSAKey

from trackeep.errors import SecretsError

DAY_S = 86_400
LEAST_SECRET_BYTES = 32
LEAST_DISTINCT_BYTES = 8
RSA_BITS = 2048
ES256, RS256, EDDSA = "ES256", "RS256", "EdDSA"
LOGIN = "login"
LOGIN_ALGORITHMS = (ES256, EDDSA)
ID_TOKEN_FAMILIES = {RS256: "id-rs256", ES256: "id-es256"}
REGISTRATION = "registration"
PLACEHOLDERS = ("changeme", "change-me", "change_me", "your-", "your_", "placeholder", "default", "xxxxxxxx")
# (kty, crv) -> the one algorithm for it, the class that reads it, the members of a private JWK.
KINDS: Mapping[tuple[str, str], tuple[str, type[ECKey] | type[OKPKey] | type[RSAKey], tuple[str, ...]]] = {
    ("EC", "P-256"): (ES256, ECKey, ("crv", "x", "y", "d")),
    ("OKP", "Ed25519"): (EDDSA, OKPKey, ("crv", "x", "d")),
    ("RSA", ""): (RS256, RSAKey, ("n", "e", "d", "p", "q", "dp", "dq", "qi")),
}


@dataclass(frozen=True)
class Family:
    """Keys of one purpose; None means never by itself.

    `kept_s`: how long a key still opens or verifies after a newer one took over. `ahead_s`: how long a new
    key is known everywhere before it is used. `renewed_after_s`: the age at which the service makes the next.
    """

    kept_s: int | None
    ahead_s: int
    renewed_after_s: int | None


# Receivers keep the key set for an hour and some for a day; a login token lasts seven days, clocks differ.
_SIGNING = Family(kept_s=7 * DAY_S + 300, ahead_s=DAY_S, renewed_after_s=90 * DAY_S)
# A running service reads a changed file within seconds; a minute covers a busy one.
_AHEAD_S = 60
SIGNING: Mapping[str, Family] = {LOGIN: _SIGNING, **dict.fromkeys(ID_TOKEN_FAMILIES.values(), _SIGNING)}
SEALING: Mapping[str, Family] = {
    # Nothing in a login lasts longer than an hour: a stolen key is worth a day.
    "flow": Family(3600, _AHEAD_S, DAY_S),
    # A remembered consent lasts 90 days from the moment it was given.
    "consent": Family(90 * DAY_S, _AHEAD_S, 30 * DAY_S),
    # GitHub's refresh tokens live about six months, and are replaced by each use.
    "refresh": Family(214 * DAY_S, _AHEAD_S, 30 * DAY_S),
    # Client ids and secrets stand in the settings of other people's programs: only a person may end them.
    REGISTRATION: Family(None, _AHEAD_S, None),
}
FAMILIES: Mapping[str, Family] = {**SIGNING, **SEALING}


@dataclass(frozen=True)
class Key:
    """`use_from` is the unix second from which the key is used; it is known, and accepted, before."""

    id: str
    made_at: int
    use_from: int


@dataclass(frozen=True)
class SealingKey(Key):
    """256 bits for AES-GCM."""

    secret: bytes
    cipher: AESGCM


@dataclass(frozen=True)
class SigningKey(Key):
    """A private key that signs one kind of token: `family` says which."""

    key: ECKey | OKPKey | RSAKey
    family: str = LOGIN

    @property
    def algorithm(self) -> str:
        """The one algorithm (RFC 7518) that this key is good for."""
        return algorithm_of(self.key)


K = TypeVar("K", bound=Key)


@dataclass(frozen=True)
class KeyState:
    """Where a key is in its life: next, current, kept or gone; `kept_until` is None while that is open."""

    key: Key
    family: str
    kept_until: int | None
    state: str


@dataclass(frozen=True)
class KeyRing:
    """All keys of one service, in every family in the order of their use."""

    signing: tuple[SigningKey, ...]
    sealing: Mapping[str, tuple[SealingKey, ...]]

    def of(self, family: str) -> Sequence[Key]:
        """The keys of one family."""
        return self._signing(family) if family in SIGNING else self.sealing.get(family, ())

    def sealing_key(self, family: str, now: float) -> SealingKey:
        """The key that seals new blobs of `family` at `now`."""
        return _current(self.sealing[family], now)

    def find_sealing_key(self, family: str, key_id: str, now: float) -> SealingKey | None:
        """The key of `family` named `key_id`, or None when it is unknown or too old at `now`."""
        keys = self.sealing[family]
        for place, key in enumerate(keys):
            if key.id == key_id:
                return None if _is_gone(keys, place, FAMILIES[family], now) else key
        return None

    def signing_key(self, now: float) -> SigningKey:
        """The key that signs login tokens at `now`."""
        return _current(self._signing(LOGIN), now)

    def id_token_key(self, algorithm: str, now: float) -> SigningKey:
        """The key that signs id_tokens with `algorithm` ("RS256" or "ES256") at `now`."""
        return _current(self._signing(ID_TOKEN_FAMILIES[algorithm]), now)

    def published(self, now: float) -> tuple[SigningKey, ...]:
        """The keys whose signatures are accepted at `now`: the next one, the current one, recent old ones."""
        return tuple(key for family in SIGNING for key in self._kept(family, now))

    def login_keys(self, now: float) -> tuple[SigningKey, ...]:
        """The published keys of login tokens alone: an id_token never passes for one."""
        return self._kept(LOGIN, now)

    def jwks(self, now: float) -> dict[str, list[dict[str, object]]]:
        """The public half of `published` as a JSON Web Key Set (RFC 7517)."""
        keys: list[dict[str, object]] = [dict(key.key.as_dict(private=False)) for key in self.published(now)]
        return {"keys": keys}

    def states(self, now: float) -> list[KeyState]:
        """Every key with what becomes of it, family by family."""
        found = []
        for name, family in FAMILIES.items():
            keys = self.of(name)
            for place, key in enumerate(keys):
                until = _kept_until(keys, place, family)
                found.append(KeyState(key, name, until, _state(keys, place, until, now)))
        return found

    def _signing(self, family: str) -> tuple[SigningKey, ...]:
        return tuple(key for key in self.signing if key.family == family)

    def _kept(self, family: str, now: float) -> tuple[SigningKey, ...]:
        keys = self._signing(family)
        rule = FAMILIES[family]
        return tuple(key for place, key in enumerate(keys) if not _is_gone(keys, place, rule, now))


def make_ring(now: int, login_algorithm: str = ES256) -> KeyRing:
    """A ring of fresh keys, one of every family, all in use from `now`."""
    ring = KeyRing(signing=(), sealing={})
    for family in FAMILIES:
        ring = with_key(ring, family, now, login_algorithm if family == LOGIN else "")
    return ring


def with_key(ring: KeyRing, family: str, now: int, algorithm: str = "") -> KeyRing:
    """`ring` with a new key of `family`: in use at once when it is the first, else once all know it.

    `algorithm` is for login keys; without one the new key signs as the one before it.
    """
    before = ring.of(family)
    use_from = now + FAMILIES[family].ahead_s if before else now
    if family in SEALING:
        return with_keys(ring, family, (*before, new_sealing_key(now, use_from)))
    if family == LOGIN and not algorithm:
        algorithm = ring.signing_key(use_from).algorithm if before else ES256
    chosen = algorithm if family == LOGIN else algorithms(family)[0]
    return with_keys(ring, family, (*before, new_signing_key(family, chosen, now, use_from)))


def with_keys(ring: KeyRing, family: str, keys: Sequence[Key]) -> KeyRing:
    """`ring` with `keys` in place of those that `family` had."""
    in_order = sorted(keys, key=lambda key: (key.use_from, key.made_at))
    if family in SEALING:
        sealing = tuple(key for key in in_order if isinstance(key, SealingKey))
        return replace(ring, sealing={**ring.sealing, family: sealing})
    others = [key for key in ring.signing if key.family != family]
    signing = [*others, *(key for key in in_order if isinstance(key, SigningKey))]
    names = list(SIGNING)
    return replace(ring, signing=tuple(sorted(signing, key=lambda key: names.index(key.family))))


def algorithms(family: str) -> tuple[str, ...]:
    """The algorithms that keys of a signing family may have."""
    if family == LOGIN:
        return LOGIN_ALGORITHMS
    return tuple(name for name, other in ID_TOKEN_FAMILIES.items() if other == family)


def new_sealing_key(now: int, use_from: int) -> SealingKey:
    """A random key, used from `use_from`."""
    secret = secrets.token_bytes(32)
    return SealingKey(secrets.token_hex(4), now, use_from, secret, AESGCM(secret))


def new_signing_key(family: str, algorithm: str, now: int, use_from: int) -> SigningKey:
    """A random key pair for one algorithm, named by its thumbprint (RFC 7638)."""
    key: ECKey | OKPKey | RSAKey
    if algorithm == RS256:
        key = RSAKey.generate_key(RSA_BITS, private=True, auto_kid=False)
    elif algorithm == EDDSA:
        key = OKPKey.generate_key("Ed25519", private=True, auto_kid=False)
    else:
        key = ECKey.generate_key("P-256", private=True, auto_kid=False)
    key_id = key.thumbprint()
    return SigningKey(key_id, now, use_from, import_signing_key(key_id, key.as_dict(private=True)), family)


def import_signing_key(key_id: str, private_jwk: Mapping[str, object]) -> ECKey | OKPKey | RSAKey:
    """The key pair of a JWK; raises ValueError or KeyError unless it is a private key of a kind we use."""
    kind = KINDS.get((str(private_jwk["kty"]), str(private_jwk.get("crv", ""))))
    if kind is None:
        raise ValueError("not a kind of key that signs here")
    algorithm, shape, names = kind
    plain = {name: str(private_jwk[name]) for name in ("kty", *names)}
    # Six bits in each character of base64url.
    if algorithm == RS256 and len(plain["n"]) * 6 < RSA_BITS:
        raise ValueError("a key that can be broken")
    return shape.import_key({**plain, "kid": key_id, "use": "sig", "alg": algorithm})


def algorithm_of(key: ECKey | OKPKey | RSAKey) -> str:
    """The algorithm that belongs to this kind of key; raises ValueError for a kind that is not used."""
    curve = "" if isinstance(key, RSAKey) else key.curve_name
    kind = KINDS.get((key.key_type, curve))
    if kind is None:
        raise ValueError("not a kind of key that signs here")
    return kind[0]


def require_strong(name: str, secret: str | bytes) -> None:
    """Raises SecretsError when `secret` is short, repetitive or a placeholder from some example."""
    content = secret.encode() if isinstance(secret, str) else secret
    hint = "Make one with `openssl rand -hex 32`, or copy the one that GitHub shows."
    if len(content) < LEAST_SECRET_BYTES:
        raise SecretsError(f"{name} is shorter than {LEAST_SECRET_BYTES} bytes and can be guessed.", hint)
    words = content.decode("ascii", "ignore").lower()
    if len(set(content)) < LEAST_DISTINCT_BYTES or any(word in words for word in PLACEHOLDERS):
        raise SecretsError(f"{name} is a default or placeholder that everybody knows.", hint)


def _current(keys: Sequence[K], now: float) -> K:
    # Before the first one's time, as after a retirement, it is that one: something has to sign and seal.
    return next((key for key in reversed(keys) if key.use_from <= now), keys[0])


def _kept_until(keys: Sequence[Key], place: int, family: Family) -> int | None:
    if family.kept_s is None or place + 1 == len(keys):
        return None
    return keys[place + 1].use_from + family.kept_s


def _is_gone(keys: Sequence[Key], place: int, family: Family, now: float) -> bool:
    until = _kept_until(keys, place, family)
    return until is not None and now > until


def _state(keys: Sequence[Key], place: int, until: int | None, now: float) -> str:
    if until is not None and now > until:
        return "gone"
    current = _current(keys, now)
    if keys[place] is current:
        return "current"
    return "next" if keys[place].use_from > current.use_from else "kept"
