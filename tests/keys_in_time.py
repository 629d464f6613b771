"""Makes the keys of a file older than they are, so that a real service meets their future at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from programs import run

from trackeep.handshake import keys, keys_file


def rotate(path: Path, *more: str) -> None:
    """What an operator types."""
    ended = run("broker", "keys", "rotate", "--keys-file", str(path), *more)
    assert ended.returncode == 0, ended.stderr


def age(path: Path, families: tuple[str, ...], by_s: int) -> keys.KeyRing:
    """Moves every key of `families` into the past; returns the ring as it is now."""

    def edit(ring: keys.KeyRing) -> keys.KeyRing:
        for family in families:
            older = [
                replace(key, made_at=key.made_at - by_s, use_from=key.use_from - by_s)
                for key in ring.of(family)
            ]
            ring = keys.with_keys(ring, family, older)
        return ring

    return keys_file.change(path, edit)


def rotate_into_use(path: Path) -> keys.KeyRing:
    """A rotation of every family, as it is when the new keys have just come into use."""
    rotate(path, *(word for family in keys.FAMILIES for word in ("--family", family)))
    age(path, tuple(keys.SIGNING), 86_401)
    return age(path, tuple(keys.SEALING), 61)
