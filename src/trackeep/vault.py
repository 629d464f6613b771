"""Seals secrets at rest with AES-GCM, bound to the row they stand in, under a ring of keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trackeep.errors import SecretsError

_NONCE_BYTES = 12
_ID_BYTES = 4
KEY_FILE = "secret.key"


@dataclass(frozen=True)
class Vault:
    """Keys by id, newest first; seals under the newest and opens under any of them."""

    keys: Mapping[bytes, bytes]

    def seal(self, plaintext: str, place: str) -> bytes:
        """Encrypt `plaintext` for `place` ("table.column.row id"); only that place can open it."""
        key_id, key = next(iter(self.keys.items()))
        nonce = os.urandom(_NONCE_BYTES)
        return key_id + nonce + AESGCM(key).encrypt(nonce, plaintext.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """Decrypt what `seal` made for the same `place`; raises SecretsError otherwise."""
        key = self.keys.get(bytes(sealed[:_ID_BYTES]))
        if key is None:
            raise SecretsError(
                "A stored token was encrypted with a key that is not here any more.",
                "Start with the key file or TRACKEEP_SECRET_KEY used before, or connect GitHub again.",
            )
        nonce, body = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, body, place.encode()).decode()
        except InvalidTag:
            raise SecretsError(
                "A stored token was changed or moved to another row.", "Connect GitHub again to replace it."
            ) from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether `sealed` was sealed under the key that seals now."""
        return bytes(sealed[:_ID_BYTES]) == next(iter(self.keys))

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another purpose (such as sealing login state), from the newest key."""
        return _derive(next(iter(self.keys.values())), purpose)


def open_vault(secret_key: str, data_dir: Path) -> Vault:
    """The vault of `TRACKEEP_SECRET_KEY` (newest first, separated by commas) or of the key file.

    Without either, a key file with mode 600 is made in `data_dir`. A file has a key a line, newest first.
    """
    texts = [part for part in secret_key.split(",") if part] or _key_file(data_dir)
    return Vault({_key_id(key): key for key in (_derive(text.encode(), "vault") for text in texts)})


# ---- the key file -------------------------------------------------------------------------------


def generate() -> str:
    """A new key of 256 bits, as text for a file or a setting."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def add_key(data_dir: Path) -> None:
    """Put a new key in front of the others, unless there are several already: then one was put before."""
    keys = _key_file(data_dir)
    if len(keys) == 1:
        _replace(data_dir / KEY_FILE, [generate(), *keys])


def drop_old_keys(data_dir: Path, now: int) -> Path:
    """Leave the newest key alone in the file; returns the file that keeps the others, for older backups."""
    newest, *others = _key_file(data_dir)
    kept = data_dir / f"{KEY_FILE}.before-{now}"
    # Two rotations within one second share a file, so that neither loses the other's key.
    _replace(kept, [*others, *(_existing(kept) if kept.exists() else ())])
    _replace(data_dir / KEY_FILE, [newest])
    return kept


def _key_file(data_dir: Path) -> list[str]:
    path = data_dir / KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Written whole, then linked: of two programs that start together both read the same key.
            fresh = _written(path, [generate()])
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return _existing(path)
    except OSError as error:
        raise SecretsError(
            f"The key file {path} cannot be used: {error.strerror}.",
            "See that its folder may be read and written by this program, and that the disk has room.",
        ) from error


def _existing(path: Path) -> list[str]:
    keys = path.read_text().split()
    if not keys or min(map(len, keys)) < 32:
        raise SecretsError(f"The key file {path} is damaged.", "Put the saved copy back; tokens need it.")
    if path.stat().st_mode & 0o077:
        raise SecretsError(f"The key file {path} can be read by others.", f"Run `chmod 600 {path}`.")
    return keys


def _replace(path: Path, keys: Iterable[str]) -> None:
    try:
        _written(path, keys).replace(path)
    except OSError as error:
        raise SecretsError(
            f"The key file {path} cannot be written: {error.strerror}.", "It is as it was; make room for it."
        ) from error


def _written(path: Path, keys: Iterable[str]) -> Path:
    """A new file beside `path` that is on the disk as a whole, or none."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    # Never one that waits there under that name: it could be somebody else's.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        fresh.unlink()
        raise
    return fresh


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"trackeep " + purpose.encode()).derive(secret)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id" + key).digest()[:_ID_BYTES]
