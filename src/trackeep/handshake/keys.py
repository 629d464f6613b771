"""Signing and sealing keys of the OAuth service: made, kept in one file, found by name and age."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey

from trackeep.errors import SecretsError

DAY_S = 86_400
LEAST_SECRET_BYTES = 32
LEAST_DISTINCT_BYTES = 8
SIGNING_KEY_KEPT_S = 7 * DAY_S + 300

# How long a key still opens what it sealed after a newer one took over; None: until retired by hand.
KEPT_S: Mapping[str, int | None] = {
    "flow": 3600,
    "consent": 90 * DAY_S,
    "refresh": 214 * DAY_S,
    "registration": None,
}
PLACEHOLDERS = ("changeme", "change-me", "change_me", "your-", "your_", "placeholder", "default", "xxxxxxxx")


class _SealingEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    made_at: int
    secret: str


class _SigningEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    made_at: int
    use_from: int
    private_jwk: dict[str, str]


class _KeysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    signing: list[_SigningEntry]
    sealing: dict[str, list[_SealingEntry]]


@dataclass(frozen=True)
class SealingKey:
    """256 bits for AES-GCM, named by `id`; `made_at` in unix seconds."""

    id: str
    made_at: int
    secret: bytes
    cipher: AESGCM


@dataclass(frozen=True)
class SigningKey:
    """A P-256 key pair; `use_from` is the unix second from which it signs, it is published before."""

    id: str
    made_at: int
    use_from: int
    key: ECKey


@dataclass(frozen=True)
class KeyRing:
    """All keys of one service, newest last in every list."""

    signing: tuple[SigningKey, ...]
    sealing: Mapping[str, tuple[SealingKey, ...]]

    def sealing_key(self, family: str) -> SealingKey:
        """The key that seals new blobs of `family`."""
        return self.sealing[family][-1]

    def find_sealing_key(self, family: str, key_id: str, now: float) -> SealingKey | None:
        """The key of `family` named `key_id`, or None when it is unknown or too old at `now`."""
        keys = self.sealing[family]
        kept_s = KEPT_S[family]
        for place, key in enumerate(keys):
            if key.id != key_id:
                continue
            if place == len(keys) - 1 or kept_s is None:
                return key
            return key if now <= keys[place + 1].made_at + kept_s else None
        return None

    def signing_key(self, now: float) -> SigningKey:
        """The newest key whose time to sign has come at `now`."""
        usable = [key for key in self.signing if key.use_from <= now]
        return usable[-1] if usable else self.signing[0]

    def published(self, now: float) -> tuple[SigningKey, ...]:
        """The keys whose signatures are accepted at `now`: the next one, the current one, recent old ones."""
        kept = []
        for place, key in enumerate(self.signing):
            successor = self.signing[place + 1] if place + 1 < len(self.signing) else None
            if successor is None or now <= successor.use_from + SIGNING_KEY_KEPT_S:
                kept.append(key)
        return tuple(kept)

    def jwks(self, now: float) -> dict[str, list[dict[str, object]]]:
        """The public half of `published` as a JSON Web Key Set (RFC 7517)."""
        keys: list[dict[str, object]] = [dict(key.key.as_dict(private=False)) for key in self.published(now)]
        return {"keys": keys}


def make_ring(now: int) -> KeyRing:
    """A ring of fresh keys: one to sign and one for every family."""
    return KeyRing(
        signing=(_new_signing_key(now),),
        sealing={family: (_new_sealing_key(now),) for family in KEPT_S},
    )


def write(ring: KeyRing, path: Path) -> None:
    """Writes `ring` to a new file of mode 600; raises SecretsError when the file is there already."""
    content = msgspec.json.format(msgspec.json.encode(_as_file(ring)), indent=2) + b"\n"
    try:
        # O_EXCL: two starts at once, or a second `init`, must not replace keys that are in use.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SecretsError(
            f"The keys file {path} exists already and was left as it is.",
            "Keep it, or move it away first: everything sealed with it is lost without it.",
        ) from None
    except OSError as error:
        raise SecretsError(f"The keys file {path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> KeyRing:
    """Reads the ring from `path`; raises SecretsError when it is missing, damaged or too weak."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SecretsError(
            f"The keys file {path} does not exist.", "Make one with `trackeep broker init`."
        ) from None
    except OSError as error:
        raise SecretsError(f"The keys file {path} cannot be read: {error.strerror}.") from None
    try:
        return _from_file(msgspec.json.decode(content, type=_KeysFile), path)
    except (msgspec.MsgspecError, ValueError, KeyError):
        raise SecretsError(
            f"The keys file {path} is damaged or not a keys file.",
            "Restore it from a backup, or move it away and make a new one with `trackeep broker init`.",
        ) from None


def readable_by_others(path: Path) -> bool:
    """True when group or world may read the file; worth a warning, yet mounted secrets often look so."""
    return bool(path.stat().st_mode & 0o077)


def require_strong(name: str, secret: str | bytes) -> None:
    """Raises SecretsError when `secret` is short, repetitive or a placeholder from some example."""
    content = secret.encode() if isinstance(secret, str) else secret
    hint = "Make one with `openssl rand -hex 32`, or copy the one that GitHub shows."
    if len(content) < LEAST_SECRET_BYTES:
        raise SecretsError(f"{name} is shorter than {LEAST_SECRET_BYTES} bytes and can be guessed.", hint)
    words = content.decode("ascii", "ignore").lower()
    if len(set(content)) < LEAST_DISTINCT_BYTES or any(word in words for word in PLACEHOLDERS):
        raise SecretsError(f"{name} is a default or placeholder that everybody knows.", hint)


def _new_signing_key(now: int) -> SigningKey:
    key = ECKey.generate_key("P-256", private=True, auto_kid=False)
    key_id = key.thumbprint()
    return SigningKey(key_id, now, now, _import_signing_key(key_id, key.as_dict(private=True)))


def _import_signing_key(key_id: str, private_jwk: Mapping[str, object]) -> ECKey:
    plain = {name: str(private_jwk[name]) for name in ("kty", "crv", "x", "y", "d")}
    key = ECKey.import_key({**plain, "kid": key_id, "use": "sig", "alg": "ES256"})
    if key.curve_name != "P-256":
        raise ValueError("not a P-256 key")
    return key


def _new_sealing_key(now: int) -> SealingKey:
    secret = secrets.token_bytes(32)
    return SealingKey(secrets.token_hex(4), now, secret, AESGCM(secret))


def _as_file(ring: KeyRing) -> _KeysFile:
    return _KeysFile(
        format=1,
        signing=[
            _SigningEntry(
                key.id,
                key.made_at,
                key.use_from,
                {name: str(key.key.as_dict(private=True)[name]) for name in ("kty", "crv", "x", "y", "d")},
            )
            for key in ring.signing
        ],
        sealing={
            family: [
                _SealingEntry(key.id, key.made_at, base64.b64encode(key.secret).decode()) for key in keys
            ]
            for family, keys in ring.sealing.items()
        },
    )


def _from_file(file: _KeysFile, path: Path) -> KeyRing:
    if file.format != 1 or not file.signing:
        raise ValueError("unknown format")
    return KeyRing(
        signing=tuple(
            SigningKey(
                entry.id, entry.made_at, entry.use_from, _import_signing_key(entry.id, entry.private_jwk)
            )
            for entry in sorted(file.signing, key=lambda entry: entry.use_from)
        ),
        sealing={family: _sealing_keys(file.sealing[family], family, path) for family in KEPT_S},
    )


def _sealing_keys(entries: Sequence[_SealingEntry], family: str, path: Path) -> tuple[SealingKey, ...]:
    keys = []
    for entry in sorted(entries, key=lambda entry: entry.made_at):
        secret = base64.b64decode(entry.secret, validate=True)
        require_strong(f"The {family} key {entry.id} in {path}", secret)
        if len(secret) != 32:
            raise ValueError("not an AES-256 key")
        keys.append(SealingKey(entry.id, entry.made_at, secret, AESGCM(secret)))
    if not keys:
        raise ValueError(f"no key for {family}")
    return tuple(keys)
