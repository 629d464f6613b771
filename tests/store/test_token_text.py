"""What a token looks like."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from trackeep import logs
from trackeep.store.token_text import SECRET_BYTES, is_well_formed, token_of

DIGITS = string.digits + string.ascii_letters
SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


@given(SECRETS)
def test_every_token_has_one_shape(secret: bytes) -> None:
    """`tk_` and 49 letters and digits, whatever the secret; it fits its own checksum."""
    token = token_of(secret)
    assert token.startswith("tk_") and len(token) == 52
    assert set(token[3:]) <= set(DIGITS)
    assert is_well_formed(token)


@given(SECRETS, SECRETS)
def test_two_secrets_have_two_tokens(one: bytes, other: bytes) -> None:
    """No bit of the secret is lost on the way into the text."""
    assert (token_of(one) == token_of(other)) is (one == other)


@given(SECRETS, st.integers(3, 51), st.sampled_from(DIGITS))
def test_one_wrong_letter_is_noticed(secret: bytes, place: int, letter: str) -> None:
    """A scanner for secrets tells a token from a text that only looks like one."""
    token = token_of(secret)
    changed = token[:place] + letter + token[place + 1 :]
    assert is_well_formed(changed) is (changed == token)


@given(st.text(max_size=60))
def test_other_text_is_no_token(text: str) -> None:
    """Whatever comes in the header, it is looked at without an error."""
    assert not is_well_formed(text)


@given(SECRETS, st.sampled_from(["{}", "Bearer {}", '{{"token": "{}"}}', "GET /?t={} HTTP/1.1"]))
def test_the_log_never_has_one(secret: bytes, around: str) -> None:
    """The log takes a token out wherever it stands."""
    token = token_of(secret)
    assert token not in logs.redact(around.format(token))


def test_the_format_stays() -> None:
    """Tokens that people have, and scanners that look for them, go on working."""
    assert token_of(bytes(32)) == "tk_" + "0" * 43 + "1LBmmQ"
