"""How a ring changes: what is renewed by itself, what is dropped, and what may be taken out by hand."""

from __future__ import annotations

import pytest

from trackeep.errors import NotFound, UsageError
from trackeep.handshake import keys, rotation

NOW = 1_800_000_000
DAY_S = 86_400


def ids(ring: keys.KeyRing, family: str) -> list[str]:
    return [key.id for key in ring.of(family)]


def test_each_family_is_renewed_at_its_own_age() -> None:
    """Flow keys daily, those of consents and refresh tokens monthly, signing keys after 90 days."""
    ring = keys.make_ring(NOW)
    assert rotation.due(ring, NOW + DAY_S - 1) == []
    assert rotation.due(ring, NOW + DAY_S) == ["flow"]
    assert rotation.due(ring, NOW + 30 * DAY_S) == ["flow", "consent", "refresh"]
    assert set(rotation.due(ring, NOW + 90 * DAY_S)) == set(keys.FAMILIES) - {"registration"}


def test_what_was_renewed_is_not_due() -> None:
    """The age of the newest key counts, also while it waits for its time."""
    ring = rotation.rotate(keys.make_ring(NOW), rotation.BY_DEFAULT, NOW + 90 * DAY_S)
    assert rotation.due(ring, NOW + 90 * DAY_S) == []


def test_years_of_renewal_leave_few_keys() -> None:
    """Keys that nothing needs any more are dropped, and those that are needed are not."""
    ring = keys.make_ring(NOW)
    for day in range(1, 400):
        now = NOW + day * DAY_S
        # RSA keys are slow to make, and are renewed by the same rule as the others.
        old = [name for name in rotation.due(ring, now) if name in keys.SEALING]
        ring = rotation.rotate(ring, old, now)
    counts = {name: len(ring.of(name)) for name in keys.SEALING}
    assert counts == {"flow": 2, "consent": 4, "refresh": 8, "registration": 1}


def test_a_rotation_completes_an_older_ring() -> None:
    """A file made before id_tokens existed gets their keys, in use at once."""
    whole = keys.make_ring(NOW)
    older = keys.with_keys(whole, "id-rs256", [])
    assert rotation.missing(older) == ["id-rs256"]
    ring = rotation.rotate(older, ["flow"], NOW + 5)
    assert rotation.missing(ring) == []
    assert ring.id_token_key("RS256", NOW + 5).use_from == NOW + 5


def test_a_key_with_a_successor_can_be_retired() -> None:
    """The next key takes its place at once, and no other key is touched."""
    before = keys.make_ring(NOW)
    ring = rotation.rotate(before, ["flow"], NOW)
    old, new = ids(ring, "flow")
    ring, family = rotation.retire(ring, old, NOW)
    assert family == "flow"
    assert ids(ring, "flow") == [new]
    assert ring.sealing_key("flow", NOW).id == new
    assert ring.signing == before.signing


def test_a_waiting_key_can_be_retired() -> None:
    """A key that somebody saw before it was used goes without harm."""
    ring = rotation.rotate(keys.make_ring(NOW), ["flow"], NOW)
    old, new = ids(ring, "flow")
    assert ids(rotation.retire(ring, new, NOW)[0], "flow") == [old]


@pytest.mark.parametrize("family", ["login", "id-rs256", "flow", "refresh"])
def test_the_current_key_is_not_retired_without_a_newer_one(family: str) -> None:
    """The service could not sign or seal; the refusal says which command comes first."""
    ring = keys.make_ring(NOW)
    with pytest.raises(UsageError, match=f"rotate --family {family}"):
        rotation.retire(ring, ids(ring, family)[0], NOW)


def test_registrations_end_only_when_that_is_said() -> None:
    """Client ids and secrets stand in other people's settings: no plain `retire` ends them."""
    ring = rotation.rotate(keys.make_ring(NOW), ["registration"], NOW)
    old, new = ids(ring, "registration")
    with pytest.raises(UsageError, match="every client id and secret"):
        rotation.retire(ring, old, NOW)
    assert ids(rotation.retire(ring, old, NOW, registrations=True)[0], "registration") == [new]


def test_a_key_that_is_not_there_is_named() -> None:
    """A mistyped name changes nothing."""
    with pytest.raises(NotFound, match="no key deadbeef"):
        rotation.retire(keys.make_ring(NOW), "deadbeef", NOW)


def test_retiring_a_successor_does_not_bring_an_old_key_back() -> None:
    """A key whose time is over stays over, even when the key that ended it is taken out."""
    ring = rotation.rotate(keys.make_ring(NOW), ["flow"], NOW)
    first, second = ids(ring, "flow")
    ring = keys.with_key(ring, "flow", NOW + 2 * DAY_S)
    ring, _ = rotation.retire(ring, second, NOW + 2 * DAY_S)
    assert first not in ids(ring, "flow")
