"""The keys file: private, whole at every moment, and refused when it is weak or damaged."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trackeep.errors import SecretsError
from trackeep.handshake import keys, keys_file
from trackeep.handshake.rotation import rotate

NOW = 1_800_000_000

# Another process that renews two families again and again, as fast as it can.
ROTATING = """
import sys, time
from pathlib import Path
from trackeep.handshake import keys_file
from trackeep.handshake.rotation import rotate
for _ in range(int(sys.argv[2])):
    keys_file.change(Path(sys.argv[1]), lambda ring: rotate(ring, ["flow", "registration"], int(time.time())))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A keys file as `init` makes it."""
    path = tmp_path / "keys.json"
    keys_file.write(keys.make_ring(NOW), path)
    return path


def rotating(path: Path, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-W", "error", "-c", ROTATING, str(path), str(times)])


def edited(path: Path, **changes: object) -> None:
    """Writes over parts of the file, as a hand might."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("algorithm", keys.LOGIN_ALGORITHMS)
def test_a_ring_comes_back_from_its_file(tmp_path: Path, algorithm: str) -> None:
    """What was written is what is read, and only the owner may read the file."""
    path = tmp_path / "keys.json"
    ring = rotate(keys.make_ring(NOW, algorithm), ["flow", "login"], NOW + 5)
    keys_file.write(ring, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = keys_file.load(path)
    assert again.jwks(NOW) == ring.jwks(NOW)
    for family in keys.FAMILIES:
        assert [(key.id, key.made_at, key.use_from) for key in again.of(family)] == [
            (key.id, key.made_at, key.use_from) for key in ring.of(family)
        ]
    assert {key.secret for each in again.sealing.values() for key in each} == {
        key.secret for each in ring.sealing.values() for key in each
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
    """Nothing that is not a keys file is taken for one, and nothing is written over it."""
    path = tmp_path / "keys.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SecretsError, match=r"damaged or not a keys file\. Restore"):
        keys_file.load(path)
    with pytest.raises(SecretsError, match="damaged"):
        keys_file.change(path, lambda ring: rotate(ring, ["flow"], NOW))
    assert path.read_bytes() == content.encode("latin-1")


def test_keys_of_a_family_that_is_not_known_are_not_lost(path: Path) -> None:
    """A file of a newer version is refused: read and written again, it would be less than it was."""
    content = json.loads(path.read_text())
    edited(path, sealing={**content["sealing"], "later": content["sealing"]["flow"]})
    with pytest.raises(SecretsError, match="damaged"):
        keys_file.load(path)


def test_an_rsa_key_never_signs_logins(path: Path) -> None:
    """A key in the wrong family is refused, whoever put it there."""
    content = json.loads(path.read_text())
    for entry in content["signing"]:
        entry["family"] = "login"
    edited(path, signing=content["signing"])
    with pytest.raises(SecretsError, match="damaged"):
        keys_file.load(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """The first start tells the operator the one command that is missing."""
    for act in (keys_file.load, lambda path: keys_file.change(path, lambda ring: ring)):
        with pytest.raises(SecretsError, match="trackeep broker init"):
            act(tmp_path / "none.json")


@pytest.mark.parametrize("secret", [b"a" * 32, b"short", b"changeme-changeme-changeme-12345", bytes(32)])
def test_weak_sealing_secrets_are_refused(path: Path, secret: bytes) -> None:
    """A keys file that somebody typed by hand does not get into use."""
    content = json.loads(path.read_text())
    content["sealing"]["flow"][0]["secret"] = base64.b64encode(secret).decode()
    edited(path, sealing=content["sealing"])
    with pytest.raises(SecretsError, match=r"shorter than 32 bytes|default or placeholder"):
        keys_file.load(path)


def older(path: Path) -> None:
    """Takes out what files of the first version did not have."""
    content = json.loads(path.read_text())
    signing = [entry for entry in content["signing"] if entry.pop("family") == "login"]
    for entries in content["sealing"].values():
        for entry in entries:
            del entry["use_from"]
    edited(path, signing=signing, sealing=content["sealing"])


def test_a_file_of_the_first_version_is_read_and_completed_once(path: Path) -> None:
    """The keys of id_tokens are added to the file, so that all replicas sign with the same ones."""
    login = keys_file.load(path).signing_key(NOW).id
    older(path)
    ring = keys_file.load_complete(path, NOW + 5)
    assert ring.signing_key(NOW + 5).id == login
    assert ring.sealing_key("flow", NOW).use_from == NOW
    assert keys_file.load_complete(path, NOW + 6).jwks(NOW + 6) == ring.jwks(NOW + 6)
    assert keys_file.load(path).id_token_key("RS256", NOW + 6).id == ring.id_token_key("RS256", NOW + 6).id


def test_a_change_keeps_the_rights_and_the_link(path: Path, tmp_path: Path) -> None:
    """A file that a group may read stays so, and a link to it still leads to the keys."""
    path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    ring = keys_file.change(link, lambda ring: rotate(ring, ["flow"], NOW))
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert keys_file.load(path).of("flow")[-1].id == ring.of("flow")[-1].id


def test_an_edit_that_changes_or_refuses_writes_nothing(path: Path) -> None:
    """Asking for nothing, or for something impossible, leaves the very same file."""

    def refuse(ring: keys.KeyRing) -> keys.KeyRing:
        raise SecretsError("No.")

    before = path.stat()
    keys_file.change(path, lambda ring: ring)
    with pytest.raises(SecretsError, match=r"No\."):
        keys_file.change(path, refuse)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(path.parent.iterdir()) == [path]


def test_two_processes_never_lose_each_others_keys(path: Path) -> None:
    """Three programs that rotate at once: every key that one of them made is there at the end."""
    others = [rotating(path, 15) for _ in range(3)]
    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert len(keys_file.load(path).of("registration")) == 1 + 45
    assert list(path.parent.iterdir()) == [path]


def test_a_process_killed_half_way_leaves_a_whole_file_and_no_lock(path: Path) -> None:
    """Whenever the power fails, the file is the old one or the new one, and the next change works."""
    known = 1
    for wait_s in (0.0, 0.003, 0.007, 0.011, 0.02, 0.035):
        other = rotating(path, 10_000)
        while len(keys_file.load(path).of("registration")) == known:
            time.sleep(0.002)
        time.sleep(wait_s)
        other.kill()
        other.wait()
        ring = keys_file.change(path, lambda ring: rotate(ring, ["registration"], NOW))
        assert len(ring.of("registration")) > known
        known = len(ring.of("registration"))
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_a_folder_that_cannot_be_written_says_so(path: Path) -> None:
    """What stands in the way of the new file is named, and the old one is left as it is."""
    before = path.read_bytes()
    blocked = path.with_name(f".{path.name}.new")
    blocked.mkdir()
    with pytest.raises(SecretsError, match="cannot be written"):
        keys_file.change(path, lambda ring: rotate(ring, ["flow"], NOW))
    assert path.read_bytes() == before
