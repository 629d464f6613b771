"""The keys file: written whole or not at all, changed under a lock, refused when damaged or weak."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.errors import JoseError

from trackeep.errors import SecretsError
from trackeep.handshake.keys import (
    LOGIN,
    SEALING,
    SIGNING,
    Key,
    KeyRing,
    SealingKey,
    SigningKey,
    algorithms,
    import_signing_key,
    require_strong,
    with_keys,
)
from trackeep.handshake.rotation import missing, rotate

FORMAT = 1
LOCK_WITHIN_S = 10.0
LOCK_AGAIN_S = 0.05


class _SealingEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    made_at: int
    secret: str
    # Files of the first version lack it: their keys were used at once.
    use_from: int = 0


class _SigningEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    made_at: int
    use_from: int
    private_jwk: dict[str, str]
    family: str = LOGIN


class _KeysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    signing: list[_SigningEntry]
    sealing: dict[str, list[_SealingEntry]]


def write(ring: KeyRing, path: Path) -> None:
    """Writes `ring` to a new file of mode 600; raises SecretsError when the file is there already."""
    try:
        # O_EXCL: two starts at once, or a second `init`, must not replace keys that are in use.
        _write_new(path, _encoded(ring))
    except FileExistsError:
        raise SecretsError(
            f"The keys file {path} exists already and was left as it is.",
            "Keep it, or move it away first: everything sealed with it is lost without it.",
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from None


def load(path: Path) -> KeyRing:
    """Reads the ring from `path`; raises SecretsError when it is missing, damaged or too weak."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _no_file(path) from None
    except OSError as error:
        raise SecretsError(f"The keys file {path} cannot be read: {error.strerror}.") from None
    try:
        return _from_file(msgspec.json.decode(content, type=_KeysFile), path)
    except (msgspec.MsgspecError, JoseError, ValueError, KeyError):
        raise SecretsError(
            f"The keys file {path} is damaged or not a keys file.",
            "Restore it from a backup, or move it away and make a new one with `trackeep broker init`.",
        ) from None


def load_complete(path: Path, now: int) -> KeyRing:
    """The ring of `path` with a key of every family; what an older file lacks is added to the file.

    Never in memory alone: replicas that share the file would each sign with a key of their own.
    Raises SecretsError, also when something is missing and the file cannot be written.
    """
    ring = load(path)
    if not missing(ring):
        return ring
    if not is_writable(path):
        raise SecretsError(
            f"The keys file {path} has no {' and no '.join(missing(ring))} key and cannot be written here.",
            "Run `trackeep broker keys rotate` where it can.",
        )
    return change(path, lambda current: rotate(current, (), now))


def change(path: Path, edit: Callable[[KeyRing], KeyRing]) -> KeyRing:
    """Puts what `edit` makes of the ring in place of the file, and returns it.

    One process at a time; whoever reads meanwhile sees the old file or the new one, whole, whatever
    happens to this process. Raises SecretsError as `load`, and when the file cannot be written or is locked
    for longer than ten seconds; what `edit` raises leaves the file as it is.
    """
    # Where a link leads to: replacing the link itself would leave the real file behind.
    path = path.resolve()
    try:
        with _locked(path):
            before = load(path)
            ring = edit(before)
            if ring is not before:
                _replace(path, _encoded(ring))
            return ring
    except FileNotFoundError:
        raise _no_file(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None


def is_writable(path: Path) -> bool:
    """True when this process may replace the file, for which its folder has to be writable too."""
    path = path.resolve()
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def readable_by_others(path: Path) -> bool:
    """True when group or world may read the file; worth a warning, yet mounted secrets often look so."""
    return bool(path.stat().st_mode & 0o077)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock of the file itself, so that nothing but the file lies in its folder."""
    handle = _lock(path)
    try:
        yield
    finally:
        os.close(handle)


def _lock(path: Path) -> int:
    end = time.monotonic() + LOCK_WITHIN_S
    while True:
        handle = os.open(path, os.O_RDWR)
        try:
            # flock, not lockf: that one ends as soon as the file is closed anywhere in this process.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Replaced while we waited: what we hold is the lock of a file that nobody reads any more.
            if os.path.samestat(os.fstat(handle), os.stat(path)):  # noqa: PTH116 - beside fstat
                return handle
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(handle)
                raise SecretsError(
                    f"The keys file {path} is being changed by another process.", "Try again."
                ) from None
            time.sleep(LOCK_AGAIN_S)
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    """The new file takes the old one's name in one step; a crash leaves one of the two."""
    new = path.with_name(f".{path.name}.new")
    # Left by a process that was ended half-way; it held the lock that we hold now.
    new.unlink(missing_ok=True)
    try:
        _write_new(new, content, like=path.stat())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_new(path: Path, content: bytes, like: os.stat_result | None = None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        if like is not None:
            # `keys rotate` run as root must not take the file away from the service's own account.
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, like.st_uid, like.st_gid)
            os.fchmod(handle, like.st_mode & 0o777)
        file.write(content)
        file.flush()
        os.fsync(handle)


def _encoded(ring: KeyRing) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_as_file(ring)), indent=2) + b"\n"


def _as_file(ring: KeyRing) -> _KeysFile:
    return _KeysFile(
        format=FORMAT,
        signing=[
            _SigningEntry(key.id, key.made_at, key.use_from, _private_jwk(key), key.family)
            for key in ring.signing
        ],
        sealing={
            family: [
                _SealingEntry(key.id, key.made_at, base64.b64encode(key.secret).decode(), key.use_from)
                for key in keys
            ]
            for family, keys in ring.sealing.items()
        },
    )


def _private_jwk(key: SigningKey) -> dict[str, str]:
    told_elsewhere = ("kid", "use", "alg")
    whole = key.key.as_dict(private=True)
    return {name: str(value) for name, value in whole.items() if name not in told_elsewhere}


def _from_file(file: _KeysFile, path: Path) -> KeyRing:
    if file.format != FORMAT:
        raise ValueError("unknown format")
    # Left out, they would be lost at the next change.
    if not set(file.sealing) <= set(SEALING) or not {each.family for each in file.signing} <= set(SIGNING):
        raise ValueError("unknown family")
    ring = KeyRing(signing=(), sealing={})
    for family in SIGNING:
        ring = with_keys(ring, family, [_signing_key(each) for each in file.signing if each.family == family])
    if not ring.of(LOGIN):
        raise ValueError("no key for login tokens")
    for family in SEALING:
        ring = with_keys(ring, family, _sealing_keys(file.sealing[family], family, path))
    return ring


def _signing_key(entry: _SigningEntry) -> SigningKey:
    key = import_signing_key(entry.id, entry.private_jwk)
    found = SigningKey(entry.id, entry.made_at, entry.use_from, key, entry.family)
    if found.algorithm not in algorithms(found.family):
        raise ValueError("not a kind of key for this family")
    return found


def _sealing_keys(entries: Sequence[_SealingEntry], family: str, path: Path) -> Sequence[Key]:
    keys = []
    for entry in entries:
        secret = base64.b64decode(entry.secret, validate=True)
        require_strong(f"The {family} key {entry.id} in {path}", secret)
        if len(secret) != 32:
            raise ValueError("not an AES-256 key")
        use_from = entry.use_from or entry.made_at
        keys.append(SealingKey(entry.id, entry.made_at, use_from, secret, AESGCM(secret)))
    if not keys:
        raise ValueError(f"no key for {family}")
    return keys


def _no_file(path: Path) -> SecretsError:
    return SecretsError(f"The keys file {path} does not exist.", "Make one with `trackeep broker init`.")


def _unwritable(path: Path, error: OSError) -> SecretsError:
    return SecretsError(
        f"The keys file {path} cannot be written: {error.strerror}.",
        "Its folder must be writable too: a change is a new file that takes the old one's name.",
    )
