"""How a ring of keys changes: new keys, keys whose time is over, and one taken out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trackeep.errors import NotFound, UsageError
from trackeep.handshake.keys import FAMILIES, LOGIN, REGISTRATION, KeyRing, KeyState, with_key, with_keys

BY_DEFAULT = tuple(name for name in FAMILIES if name != REGISTRATION)


def rotate(ring: KeyRing, families: Iterable[str], now: int, login_algorithm: str = "") -> KeyRing:
    """`ring` with a new key for each of `families`, without the keys that nothing needs any more.

    Families that have no key yet get one in any case.
    """
    for family in dict.fromkeys((*families, *missing(ring))):
        ring = with_key(ring, family, now, login_algorithm if family == LOGIN else "")
    return pruned(ring, now)


def due(ring: KeyRing, now: float) -> list[str]:
    """The families whose newest key has reached the age at which the service makes the next one."""
    old = []
    for name, family in FAMILIES.items():
        newest = max((key.made_at for key in ring.of(name)), default=0)
        if family.renewed_after_s is not None and now >= newest + family.renewed_after_s:
            old.append(name)
    return old


def missing(ring: KeyRing) -> list[str]:
    """The families that an older version of the program made no key for."""
    return [name for name in FAMILIES if not ring.of(name)]


def pruned(ring: KeyRing, now: float) -> KeyRing:
    """`ring` without the keys that are gone at `now`; the very same ring when there are none."""
    gone = [each for each in ring.states(now) if each.state == "gone"]
    for family in dict.fromkeys(each.family for each in gone):
        ring = _without(ring, family, [each.key.id for each in gone])
    return ring


def retire(ring: KeyRing, key_id: str, now: float, *, registrations: bool = False) -> tuple[KeyRing, str]:
    """`ring` without the key named `key_id`, and the family it was of.

    Raises NotFound for an unknown name; UsageError for the last key of a family, for a current one that
    has no successor, and for one that holds registrations unless `registrations` says that this is meant.
    """
    # First the ones that are over: an older key must not come back to life when its successor goes.
    ring = pruned(ring, now)
    states = ring.states(now)
    found = next((each for each in states if each.key.id == key_id), None)
    if found is None:
        raise NotFound(f"There is no key {key_id} in the file.", "See `trackeep broker keys list`.")
    if found.family == REGISTRATION and not registrations:
        raise UsageError(
            "This key holds registrations: every client id and secret made with it would stop working.",
            "Say --registrations if that is what you want.",
        )
    if not _has_successor(found, states):
        raise UsageError(
            f"This is the current {found.family} key, and no newer one exists.",
            f"Make one first: `trackeep broker keys rotate --family {found.family}`.",
        )
    return _without(ring, found.family, [key_id]), found.family


def _has_successor(found: KeyState, states: Sequence[KeyState]) -> bool:
    """True when its family can do without it."""
    others = [each for each in states if each.family == found.family and each.key is not found.key]
    wanted = ("next",) if found.state == "current" else ("next", "current")
    return any(each.state in wanted for each in others)


def _without(ring: KeyRing, family: str, key_ids: Sequence[str]) -> KeyRing:
    return with_keys(ring, family, [key for key in ring.of(family) if key.id not in key_ids])
