"""Sealed blobs: content that only the service itself can read or make, each good for one purpose."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from enum import Enum
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag

from trackeep.errors import LoginError
from trackeep.handshake.keys import KeyRing, SealingKey

T = TypeVar("T", bound=msgspec.Struct)

NONCE_BYTES = 12
LONGEST_BLOB = 8_192
MARK_BYTES = 16
_PARTS = re.compile(r"([0-9A-Za-z_-]{1,32})\.([0-9A-Za-z_-]+)")


class Purpose(Enum):
    """What a blob is for, and the family of keys that seals it."""

    TRANSACTION = ("transaction", "flow")
    CODE = ("code", "flow")
    CONSENT_FORM = ("consent-form", "flow")
    REMEMBERED_CONSENT = ("remembered-consent", "consent")
    REFRESH_TOKEN = ("refresh-token", "refresh")
    PUSHED_REQUEST = ("pushed-request", "flow")
    ACCESS_TOKEN = ("access-token", "flow")
    REGISTRATION = ("registration", "registration")

    def __init__(self, label: str, family: str) -> None:
        self.label = label
        self.family = family


class SealBroken(LoginError):
    """Made by somebody else, changed on the way, for another purpose, or by a key that is gone."""

    code = "seal_broken"


def seal(ring: KeyRing, purpose: Purpose, content: msgspec.Struct, now: float) -> str:
    """`content` as `<key id>.<base64url>`, safe in URLs, forms and cookies."""
    key = ring.sealing_key(purpose.family, now)
    # 96 random bits for each blob: reusing one under AES-GCM would give the key's secrets away.
    nonce = os.urandom(NONCE_BYTES)
    box = key.cipher.encrypt(nonce, msgspec.json.encode(content), _context(purpose, key.id))
    return f"{key.id}.{_encode(nonce + box)}"


def unseal(ring: KeyRing, purpose: Purpose, blob: str, shape: type[T], now: float) -> T:
    """The content of `blob`; raises SealBroken unless this ring sealed exactly this for `purpose`."""
    parts = _PARTS.fullmatch(blob) if len(blob) <= LONGEST_BLOB else None
    key = ring.find_sealing_key(purpose.family, parts[1], now) if parts else None
    if parts is None or key is None:
        raise _broken()
    box = _decode(parts[2])
    try:
        content = key.cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _context(purpose, key.id))
        return msgspec.json.decode(content, type=shape)
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        raise _broken() from None


def mark(ring: KeyRing, purpose: Purpose, name: str, now: float) -> str:
    """`<key id>.<name>.<MAC>`: a short public value that only this service can have made."""
    key = ring.sealing_key(purpose.family, now)
    return f"{key.id}.{name}.{_encode(_mac(key, purpose, name))}"


def read_mark(ring: KeyRing, purpose: Purpose, marked: str, now: float) -> str:
    """The name inside a value made by `mark`; raises SealBroken for anything else."""
    parts = marked.split(".") if len(marked) <= 256 else []
    if len(parts) != 3 or not all(re.fullmatch(r"[0-9A-Za-z_-]+", part) for part in parts):
        raise _broken()
    key = ring.find_sealing_key(purpose.family, parts[0], now)
    # Compared in constant time: a MAC must not be found byte by byte.
    if key is None or not hmac.compare_digest(_encode(_mac(key, purpose, parts[1])), parts[2]):
        raise _broken()
    return parts[1]


def derived_secret(ring: KeyRing, purpose: Purpose, blob: str, now: float) -> str:
    """A secret that belongs to `blob` and that only this service can work out, as 43 characters.

    Raises SealBroken when the key that sealed `blob` is unknown; `blob` itself is not opened.
    """
    key_id = blob.partition(".")[0]
    key = ring.find_sealing_key(purpose.family, key_id, now)
    if key is None:
        raise _broken()
    message = b"secret\0" + _context(purpose, key.id) + b"\0" + blob.encode()
    return _encode(hmac.digest(key.secret, message, hashlib.sha256))


def _context(purpose: Purpose, key_id: str) -> bytes:
    # The purpose is authenticated: a transaction is never accepted as a code, nor a code as a refresh token.
    return f"trackeep 1 {purpose.label} {key_id}".encode()


def _mac(key: SealingKey, purpose: Purpose, name: str) -> bytes:
    message = b"mark\0" + _context(purpose, key.id) + b"\0" + name.encode()
    return hmac.digest(key.secret, message, hashlib.sha256)[:MARK_BYTES]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _broken() from None
    # Base64 leaves spare bits at the end; only the one canonical spelling is taken.
    if _encode(content) != text or len(content) <= NONCE_BYTES:
        raise _broken()
    return content


def _broken() -> SealBroken:
    return SealBroken("This value was not made here, was changed, or is too old.", "Start the login again.")
