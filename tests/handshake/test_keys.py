"""The rules of every family of keys: known before it is used, kept after, and one algorithm for each key."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from trackeep.errors import SecretsError
from trackeep.handshake import keys
from trackeep.handshake.rotation import rotate
from trackeep.handshake.sealed import Purpose, SealBroken, derived_secret, seal, unseal

NOW = 1_800_000_000
DAY_S = 86_400
MONTH_S = 30 * DAY_S


class Note(msgspec.Struct, frozen=True):
    text: str


def opens(ring: keys.KeyRing, purpose: Purpose, blob: str, now: int) -> bool:
    """True when what was sealed earlier can still be read."""
    try:
        return unseal(ring, purpose, blob, Note, now).text == "hello"
    except SealBroken:
        return False


@pytest.mark.parametrize(
    "secret", ["", "secret", "x" * 40, "your-client-secret-from-github-goes-here", "changeme" * 5]
)
def test_weak_client_secrets_are_refused(secret: str) -> None:
    """Example values from documentation are not secrets."""
    with pytest.raises(SecretsError):
        keys.require_strong("GITHUB_CLIENT_SECRET", secret)


def test_signing_keys_are_published_before_and_after_they_sign() -> None:
    """The next key is known to everybody a day before it is used, and the old one for seven days after."""
    ring = keys.make_ring(NOW)
    (old,) = ring.login_keys(NOW)
    ring = rotate(ring, [keys.LOGIN], NOW)
    _, coming = ring.login_keys(NOW)
    assert coming.use_from == NOW + DAY_S
    assert ring.signing_key(NOW + DAY_S - 1) is old
    assert ring.signing_key(NOW + DAY_S) is coming
    assert ring.login_keys(NOW + 8 * DAY_S) == (old, coming)
    assert ring.login_keys(NOW + 8 * DAY_S + 301) == (coming,)
    assert old.id not in {key["kid"] for key in ring.jwks(NOW + 9 * DAY_S)["keys"]}


@pytest.mark.parametrize("family", keys.SEALING)
def test_a_sealing_key_opens_at_once_and_seals_a_minute_later(family: str) -> None:
    """Replicas read the file at different moments: none of them meets a blob that it cannot open."""
    before = keys.make_ring(NOW)
    ring = rotate(before, [family], NOW + 100)
    new = ring.of(family)[-1]
    assert ring.find_sealing_key(family, new.id, NOW + 100) is new
    assert ring.sealing_key(family, NOW + 159) is before.sealing_key(family, NOW)
    assert ring.sealing_key(family, NOW + 160) is new


def test_a_refresh_token_of_six_months_ago_still_opens_after_six_rotations() -> None:
    """What an instance holds as long as GitHub lets it live is never lost to a rotation."""
    ring = keys.make_ring(NOW)
    blob = seal(ring, Purpose.REFRESH_TOKEN, Note("hello"), NOW)
    for month in range(1, 7):
        ring = rotate(ring, ["refresh"], NOW + month * MONTH_S)
    assert len(ring.of("refresh")) == 7
    assert opens(ring, Purpose.REFRESH_TOKEN, blob, NOW + 183 * DAY_S)
    assert not opens(ring, Purpose.REFRESH_TOKEN, blob, NOW + MONTH_S + 60 + 214 * DAY_S + 1)


def test_a_login_under_way_survives_a_rotation_for_an_hour() -> None:
    """Flow keys open for an hour after the next one took over, and no longer."""
    ring = keys.make_ring(NOW)
    blob = seal(ring, Purpose.TRANSACTION, Note("hello"), NOW)
    ring = rotate(ring, ["flow"], NOW)
    late = seal(ring, Purpose.CODE, Note("hello"), NOW + 59)
    assert opens(ring, Purpose.TRANSACTION, blob, NOW + 60 + 3600)
    assert opens(ring, Purpose.CODE, late, NOW + 60 + 3600)
    assert not opens(ring, Purpose.TRANSACTION, blob, NOW + 60 + 3601)


def test_a_consent_is_remembered_for_ninety_days_whatever_is_rotated() -> None:
    """Rotating every month forgets nothing that the person was promised."""
    ring = keys.make_ring(NOW)
    blob = seal(ring, Purpose.REMEMBERED_CONSENT, Note("hello"), NOW)
    for month in range(1, 4):
        ring = rotate(ring, ["consent"], NOW + month * MONTH_S)
    assert opens(ring, Purpose.REMEMBERED_CONSENT, blob, NOW + 90 * DAY_S)


def test_a_client_id_and_its_secret_outlive_every_rotation() -> None:
    """Programs keep both in their settings: ten years later they are the same."""
    ring = keys.make_ring(NOW)
    client_id = seal(ring, Purpose.REGISTRATION, Note("hello"), NOW)
    secret = derived_secret(ring, Purpose.REGISTRATION, client_id, NOW)
    for year in range(1, 11):
        ring = rotate(ring, ["registration"], NOW + year * 365 * DAY_S)
    later = NOW + 3650 * DAY_S
    assert opens(ring, Purpose.REGISTRATION, client_id, later)
    assert derived_secret(ring, Purpose.REGISTRATION, client_id, later) == secret


def test_every_kind_of_token_has_keys_of_its_own() -> None:
    """An id_token's key is never one of a login token, and each key names its one algorithm."""
    ring = keys.make_ring(NOW)
    rsa, curve = ring.id_token_key("RS256", NOW), ring.id_token_key("ES256", NOW)
    assert (rsa.algorithm, curve.algorithm, ring.signing_key(NOW).algorithm) == ("RS256", "ES256", "ES256")
    assert ring.login_keys(NOW) == (ring.signing_key(NOW),)
    assert {key["kid"]: (key["alg"], key["use"]) for key in ring.jwks(NOW)["keys"]} == {
        ring.signing_key(NOW).id: ("ES256", "sig"),
        rsa.id: ("RS256", "sig"),
        curve.id: ("ES256", "sig"),
    }


def test_login_tokens_change_their_algorithm_like_any_rotation() -> None:
    """A switch to EdDSA is published a day ahead, and the next rotation keeps to it."""
    ring = rotate(keys.make_ring(NOW), [keys.LOGIN], NOW, "EdDSA")
    assert ring.signing_key(NOW).algorithm == "ES256"
    assert ring.signing_key(NOW + DAY_S).algorithm == "EdDSA"
    again = rotate(ring, [keys.LOGIN], NOW + 90 * DAY_S)
    assert again.signing_key(NOW + 91 * DAY_S).algorithm == "EdDSA"
    assert keys.make_ring(NOW, "EdDSA").jwks(NOW)["keys"][0]["alg"] == "EdDSA"


@pytest.mark.parametrize("algorithm", keys.LOGIN_ALGORITHMS)
def test_published_keys_hold_no_private_part(algorithm: str) -> None:
    """The key set is public: only what the kind of key needs to verify is in it."""
    public = {
        "EC": {"crv", "x", "y"},
        "OKP": {"crv", "x"},
        "RSA": {"n", "e"},
    }
    for key in keys.make_ring(NOW, algorithm).jwks(NOW)["keys"]:
        assert set(key) == public[str(key["kty"])] | {"kty", "kid", "use", "alg"}


def test_the_states_of_a_life() -> None:
    """next, current, kept, gone: in that order, with the moment at which a key is over."""
    ring = rotate(keys.make_ring(NOW), ["flow"], NOW)

    def flow(now: int) -> list[tuple[str, int | None]]:
        return [(each.state, each.kept_until) for each in ring.states(now) if each.family == "flow"]

    over = NOW + 60 + 3600
    assert flow(NOW) == [("current", over), ("next", None)]
    assert flow(NOW + 60) == [("kept", over), ("current", None)]
    assert flow(over + 1) == [("gone", over), ("current", None)]


def test_with_no_key_in_use_yet_the_first_one_is() -> None:
    """A ring whose current key was retired, or a clock that runs behind, still signs and seals."""
    ring = keys.make_ring(NOW)
    assert ring.signing_key(NOW - DAY_S) is ring.signing_key(NOW)
    assert ring.sealing_key("flow", NOW - DAY_S) is ring.sealing_key("flow", NOW)


def test_an_rsa_key_of_1024_bits_is_refused() -> None:
    """A key that somebody else made does not get in when it can be broken."""
    good = keys.make_ring(NOW).id_token_key("RS256", NOW).key.as_dict(private=True)
    weak = {**good, "n": str(good["n"])[:171]}
    with pytest.raises(ValueError, match="broken"):
        keys.import_signing_key("weak", weak)
    with pytest.raises(ValueError, match="not a kind"):
        keys.import_signing_key("other", {"kty": "oct", "k": "AAAA"})


def test_a_key_can_be_replaced_in_its_family_alone() -> None:
    """Keys of other families stay as they are, and stay in order."""
    ring = keys.make_ring(NOW)
    later = dataclasses.replace(ring.signing_key(NOW), use_from=NOW + 1)
    changed = keys.with_keys(ring, keys.LOGIN, [later])
    assert changed.signing == (later, *ring.signing[1:])
