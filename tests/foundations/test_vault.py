"""Secrets at rest open only in their own row and under their own key."""

import os
from pathlib import Path

import pytest

from trackeep.errors import SecretsError
from trackeep.vault import add_key, drop_old_keys, open_vault


def test_what_was_sealed_opens_in_the_same_place(tmp_path: Path) -> None:
    """A token comes back exactly, and its sealed form does not contain it."""
    vault = open_vault("", tmp_path)
    sealed = vault.seal("gho_secret", "connection.access_token.1")
    assert b"gho_secret" not in sealed
    assert vault.open(sealed, "connection.access_token.1") == "gho_secret"


def test_a_row_swapped_by_hand_is_noticed(tmp_path: Path) -> None:
    """Mallory copies alice's sealed token into her own row and gets an error, not the token."""
    vault = open_vault("", tmp_path)
    sealed = vault.seal("gho_alice", "connection.access_token.1")
    with pytest.raises(SecretsError, match="moved to another row"):
        vault.open(sealed, "connection.access_token.666")


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The second start uses the same key; a file that others can read is refused."""
    sealed = open_vault("", tmp_path).seal("token", "place")
    assert open_vault("", tmp_path).open(sealed, "place") == "token"
    path = tmp_path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(SecretsError, match="chmod 600"):
        open_vault("", tmp_path)


def test_an_older_key_still_opens_after_a_new_one_is_put_in_front(tmp_path: Path) -> None:
    """Keys are a ring: the newest seals, every one of them opens, a foreign one does not."""
    old, new = "o" * 40, "n" * 40
    sealed = open_vault(old, tmp_path).seal("token", "place")
    assert open_vault(f"{new},{old}", tmp_path).open(sealed, "place") == "token"
    with pytest.raises(SecretsError, match="not here any more"):
        open_vault(new, tmp_path).open(sealed, "place")


def test_two_rotations_in_one_second_lose_no_key(tmp_path: Path) -> None:
    """What is kept for older backups holds the keys of both."""
    open_vault("", tmp_path)
    used = []
    for _ in range(2):
        used += (tmp_path / "secret.key").read_text().split()
        add_key(tmp_path)
        kept = drop_old_keys(tmp_path, now=1_000)
    assert sorted(kept.read_text().split()) == sorted(used)


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    """A file cut short is an error: a new key would make every stored token unreadable for good."""
    path = tmp_path / "secret.key"
    path.write_text("cut")
    os.chmod(path, 0o600)  # noqa: PTH101
    with pytest.raises(SecretsError, match="damaged"):
        open_vault("", tmp_path)
    assert path.read_text() == "cut"


def test_a_new_key_is_never_written_into_a_file_that_waits_for_it(tmp_path: Path) -> None:
    """In a folder that others can write to, a planted link must not lead the key to somebody else's file."""
    theirs = tmp_path / "mallory"
    theirs.touch()
    (tmp_path / f".secret.key.{os.getpid()}").symlink_to(theirs)
    open_vault("", tmp_path)
    assert theirs.read_text() == ""
    assert not (tmp_path / "secret.key").is_symlink()


def test_a_key_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where no folder can be there is one sentence that names the file, and nothing is left behind."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SecretsError, match=r"secret\.key cannot be used: .*may be read and written"):
        open_vault("", tmp_path / "taken")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
