"""The keys file: written once, private, and refused when it is weak or damaged."""

from __future__ import annotations

import base64
import dataclasses
import json
import stat
from pathlib import Path

import pytest

from trackeep.errors import SecretsError
from trackeep.handshake import keys, keys_file

NOW = 1_800_000_000
DAY_S = 86_400


def test_a_ring_comes_back_from_its_file(tmp_path: Path) -> None:
    """What was written is what is read, and only the owner may read the file."""
    path = tmp_path / "keys.json"
    ring = keys.make_ring(NOW)
    keys_file.write(ring, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = keys_file.load(path)
    assert again.jwks(NOW) == ring.jwks(NOW)
    assert {family: again.sealing_key(family).secret for family in keys.KEPT_S} == {
        family: ring.sealing_key(family).secret for family in keys.KEPT_S
    }


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    """A second `init` cannot destroy keys that are in use."""
    path = tmp_path / "keys.json"
    path.write_text("precious")
    with pytest.raises(SecretsError, match="exists already"):
        keys_file.write(keys.make_ring(NOW), path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"format":2,"signing":[],"sealing":{}}', "\x00\xff", '{"format":1}']
)
def test_a_damaged_file_is_refused_with_one_sentence(tmp_path: Path, content: str) -> None:
    """Nothing that is not a keys file is taken for one."""
    path = tmp_path / "keys.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SecretsError, match=r"damaged or not a keys file\. Restore"):
        keys_file.load(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """The first start tells the operator the one command that is missing."""
    with pytest.raises(SecretsError, match="trackeep broker init"):
        keys_file.load(tmp_path / "none.json")


@pytest.mark.parametrize("secret", [b"a" * 32, b"short", b"changeme-changeme-changeme-12345", bytes(32)])
def test_weak_sealing_secrets_are_refused(tmp_path: Path, secret: bytes) -> None:
    """A keys file that somebody typed by hand does not get into use."""
    path = tmp_path / "keys.json"
    keys_file.write(keys.make_ring(NOW), path)
    content = json.loads(path.read_text())
    content["sealing"]["flow"][0]["secret"] = base64.b64encode(secret).decode()
    path.write_text(json.dumps(content))
    with pytest.raises(SecretsError, match=r"shorter than 32 bytes|default or placeholder"):
        keys_file.load(path)


@pytest.mark.parametrize(
    "secret", ["", "secret", "x" * 40, "your-client-secret-from-github-goes-here", "changeme" * 5]
)
def test_weak_client_secrets_are_refused(secret: str) -> None:
    """Example values from documentation are not secrets."""
    with pytest.raises(SecretsError):
        keys.require_strong("GITHUB_CLIENT_SECRET", secret)


def test_signing_keys_are_published_before_and_after_they_sign() -> None:
    """The next key is known to everybody before it is used, and the old one for seven days after."""
    old = keys.make_ring(NOW).signing[0]
    coming = dataclasses.replace(keys.make_ring(NOW).signing[0], use_from=NOW + DAY_S)
    ring = dataclasses.replace(keys.make_ring(NOW), signing=(old, coming))
    assert ring.published(NOW) == (old, coming)
    assert ring.signing_key(NOW) is old
    assert ring.signing_key(NOW + DAY_S) is coming
    assert ring.published(NOW + 8 * DAY_S) == (old, coming)
    assert ring.published(NOW + 9 * DAY_S) == (coming,)


def test_published_keys_hold_no_private_part() -> None:
    """The key set is public: it must never contain `d`."""
    for key in keys.make_ring(NOW).jwks(NOW)["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
