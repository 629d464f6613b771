"""Sealed blobs open only here, only unchanged and only for the purpose they were made for."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.handshake import keys
from trackeep.handshake.sealed import Purpose, SealBroken, mark, read_mark, seal, unseal

NOW = 1_800_000_000
RING = keys.make_ring(NOW)


class Note(msgspec.Struct, frozen=True):
    text: str


@given(st.text(max_size=2000), st.sampled_from(Purpose))
def test_what_was_sealed_comes_back(text: str, purpose: Purpose) -> None:
    """Any content comes back unchanged, and the blob needs no encoding in a URL or cookie."""
    blob = seal(RING, purpose, Note(text), NOW)
    assert unseal(RING, purpose, blob, Note, NOW) == Note(text)
    assert set(blob) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("other", Purpose)
def test_a_blob_is_good_for_one_purpose(purpose: Purpose, other: Purpose) -> None:
    """A blob in another blob's place is refused, also within one family of keys."""
    blob = seal(RING, purpose, Note("hello"), NOW)
    if purpose is other:
        assert unseal(RING, other, blob, Note, NOW).text == "hello"
        return
    with pytest.raises(SealBroken):
        unseal(RING, other, blob, Note, NOW)


# Sealed once: a blob is random, and examples that cannot be made again confuse the search for one.
SEALED = seal(RING, Purpose.CODE, Note("hello"), NOW)


@given(st.data())
def test_any_changed_character_breaks_the_seal(data: st.DataObject) -> None:
    """There is no second spelling of a blob: every edit of a single character is refused."""
    place = data.draw(st.integers(0, len(SEALED) - 1))
    letter = data.draw(st.sampled_from("ABab01-_.%= \n").filter(lambda char: char != SEALED[place]))
    with pytest.raises(SealBroken):
        unseal(RING, Purpose.CODE, SEALED[:place] + letter + SEALED[place + 1 :], Note, NOW)


@given(st.text(max_size=300))
def test_nonsense_is_refused_and_never_crashes(text: str) -> None:
    """Whatever arrives as a blob or as a mark ends in a refusal."""
    with pytest.raises(SealBroken):
        unseal(RING, Purpose.CODE, text, Note, NOW)
    with pytest.raises(SealBroken):
        read_mark(RING, Purpose.TRANSACTION, text, NOW)


def test_a_mark_is_bound_to_its_key_purpose_and_name() -> None:
    """`state` values cannot be made, renamed or used for another purpose."""
    marked = mark(RING, Purpose.TRANSACTION, "abc", NOW)
    key_id, name, mac = marked.split(".")
    assert read_mark(RING, Purpose.TRANSACTION, marked, NOW) == "abc"
    for wrong in (f"{key_id}.abd.{mac}", f"{key_id}.{name}.{mac[:-1]}", f"ffffffff.{name}.{mac}"):
        with pytest.raises(SealBroken):
            read_mark(RING, Purpose.TRANSACTION, wrong, NOW)
    with pytest.raises(SealBroken):
        read_mark(RING, Purpose.CODE, marked, NOW)


def test_an_old_key_opens_for_an_hour_after_a_newer_one_took_over() -> None:
    """Logins under way survive a rotation of the flow keys; later the old key is refused."""
    blob = seal(RING, Purpose.CODE, Note("hello"), NOW)
    newer = keys.make_ring(NOW + 100).sealing["flow"]
    rotated = dataclasses.replace(RING, sealing={**RING.sealing, "flow": RING.sealing["flow"] + newer})
    assert unseal(rotated, Purpose.CODE, blob, Note, NOW + 3600).text == "hello"
    assert seal(rotated, Purpose.CODE, Note("new"), NOW + 100).startswith(newer[0].id)
    with pytest.raises(SealBroken):
        unseal(rotated, Purpose.CODE, blob, Note, NOW + 100 + 3601)


def test_content_of_another_shape_is_refused() -> None:
    """A blob that opens but holds something else is a refusal, not an error of the program."""

    class Number(msgspec.Struct):
        number: int

    with pytest.raises(SealBroken):
        unseal(RING, Purpose.CODE, seal(RING, Purpose.CODE, Note("x"), NOW), Number, NOW)
