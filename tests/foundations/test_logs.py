"""Nothing that opens a door is ever written to a log."""

import time

import pytest

from trackeep.logs import redact


@pytest.mark.parametrize(
    "secret",
    [
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghu_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0123456789_abcdefghijklmnop",
        "tk_abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_tokens_are_removed(secret: str) -> None:
    """GitHub's tokens, our own and signed ones vanish wherever they stand in a line."""
    assert secret not in redact(f'GET /x failed: header "{secret}", again')


@pytest.mark.parametrize("name", ["code", "token", "state", "code_verifier"])
def test_secrets_in_a_query_are_removed(name: str) -> None:
    """The values of a login's parameters vanish, their names stay."""
    assert redact(f"/auth/callback?a=1&{name}=abc-DEF_1&b=2") == f"/auth/callback?a=1&{name}=[removed]&b=2"


def test_ordinary_words_stay() -> None:
    """Redaction leaves what is needed to understand a line."""
    assert redact("GET /r/alice/atlas 200 in 12 ms") == "GET /r/alice/atlas 200 in 12 ms"


def test_a_long_text_of_beginnings_takes_no_time() -> None:
    """180 kB that begin a signed token 60,000 times, as an address may, are read in a moment."""
    began = time.process_time()
    assert redact("eyJ" * 60_000) == "eyJ" * 60_000
    assert time.process_time() - began < 2


def test_an_encrypted_token_with_its_long_head_is_removed() -> None:
    """The head of a JWE holds a key; it is found all the same."""
    assert redact(f"token was eyJ{'a' * 400}..{'b' * 16}.{'c' * 900}.{'d' * 22} here") == (
        "token was [removed] here"
    )
