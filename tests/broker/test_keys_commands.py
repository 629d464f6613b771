"""`trackeep broker keys`: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from programs import run

from trackeep.handshake import keys, keys_file

BY_DEFAULT = {"login", "id-rs256", "id-es256", "flow", "consent", "refresh"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    keys_file.write(keys.make_ring(int(time.time()) - 60), path)
    return path


def command(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `trackeep broker keys ...` on this file, found as the service finds it."""
    return run("broker", "keys", *words, env={"TRACKEEP_BROKER_KEYS_FILE": str(path)})


def listed(path: Path) -> list[dict[str, object]]:
    ended = command(path, "list", "--json")
    assert ended.returncode == 0, ended.stderr
    return list(json.loads(ended.stdout))


def test_the_list_shows_every_key_and_no_secret(path: Path) -> None:
    """Names, times and states for people and for programs; the file's secrets in neither."""
    text = command(path, "list").stdout
    rows = listed(path)
    assert {row["family"] for row in rows} == set(keys.FAMILIES)
    assert {row["state"] for row in rows} == {"current"}
    assert [row["algorithm"] for row in rows[:3]] == ["ES256", "RS256", "ES256"]
    assert set(rows[0]) == {"id", "family", "algorithm", "made_at", "use_from", "kept_until", "state"}
    assert all(str(row["id"]) in text for row in rows)
    content = json.loads(path.read_text())
    for entry in content["signing"]:
        assert entry["private_jwk"]["d"] not in text + json.dumps(rows)
    for entry in content["sealing"]["flow"]:
        assert entry["secret"] not in text + json.dumps(rows)


def test_a_rotation_adds_to_every_family_but_registrations(path: Path) -> None:
    """It says what it made and from when it is used; the old keys are still there."""
    before = {row["id"] for row in listed(path)}
    ended = command(path, "rotate")
    assert ended.returncode == 0, ended.stderr
    new = [row for row in listed(path) if row["id"] not in before]
    assert {row["family"] for row in new} == BY_DEFAULT
    assert {row["state"] for row in new} == {"next"}
    assert before < {row["id"] for row in listed(path)}
    assert all(str(row["id"]) in ended.stdout for row in new)
    assert path.stat().st_mode & 0o777 == 0o600


def test_programs_are_told_the_same(tmp_path: Path) -> None:
    """init, rotate and retire say with `--json` which keys there are, are new, and are gone."""
    path = tmp_path / "keys.json"
    made = json.loads(run("broker", "init", "--json", "--keys-file", str(path)).stdout)
    assert (made["file"], made["keys"]) == (str(path), listed(path))
    (old,) = [row for row in listed(path) if row["family"] == "refresh"]
    (new,) = json.loads(command(path, "rotate", "--family", "refresh", "--json").stdout)
    assert new == [row for row in listed(path) if row["family"] == "refresh"][1]
    gone = json.loads(command(path, "retire", str(old["id"]), "--json").stdout)
    assert (gone["id"], gone["family"]) == (old["id"], "refresh")
    assert "are refused" in gone["consequence"]


def test_single_families_and_the_algorithm_of_logins(path: Path) -> None:
    """`--family` may be repeated, and EdDSA is chosen for login tokens alone."""
    assert (
        command(path, "rotate", "--family", "flow", "--family", "login", "--algorithm", "EdDSA").returncode
        == 0
    )
    new = [(row["family"], row["algorithm"]) for row in listed(path) if row["state"] == "next"]
    assert new == [("login", "EdDSA"), ("flow", None)]
    refused = command(path, "rotate", "--family", "flow", "--algorithm", "EdDSA")
    assert (refused.returncode, "--family login" in refused.stderr) == (2, True)
    unknown = command(path, "rotate", "--family", "other")
    assert (unknown.returncode, "Choose from login" in unknown.stderr) == (2, True)


def test_init_chooses_how_logins_are_signed(tmp_path: Path) -> None:
    """A new service may begin with Ed25519."""
    path = tmp_path / "new.json"
    assert run("broker", "init", "--algorithm", "eddsa", "--keys-file", str(path)).returncode == 0
    assert [row["algorithm"] for row in listed(path)][:3] == ["EdDSA", "RS256", "ES256"]


def test_retiring_says_what_breaks(path: Path) -> None:
    """The current key is refused first; with a newer one it goes, and the sentence says for whom."""
    old = next(str(row["id"]) for row in listed(path) if row["family"] == "refresh")
    refused = command(path, "retire", old)
    assert (refused.returncode, "rotate --family refresh" in refused.stderr) == (2, True)
    assert command(path, "rotate", "--family", "refresh").returncode == 0
    done = command(path, "retire", old)
    assert done.returncode == 0, done.stderr
    assert "Refresh tokens sealed with it are refused" in done.stdout
    assert old not in {row["id"] for row in listed(path)}
    assert command(path, "retire", old).returncode == 6


def test_registrations_need_their_own_word(path: Path) -> None:
    """Without `--registrations` nothing happens, and the refusal says what would."""
    old = next(str(row["id"]) for row in listed(path) if row["family"] == "registration")
    assert command(path, "rotate", "--family", "registration").returncode == 0
    refused = command(path, "retire", old)
    assert (refused.returncode, "every client id and secret" in refused.stderr) == (2, True)
    done = command(path, "retire", old, "--registrations")
    assert (done.returncode, "stopped working" in done.stdout) == (0, True)


def test_a_name_that_begins_with_a_hyphen_is_a_name(path: Path) -> None:
    """Thumbprints are base64url: one in 64 looks like an option."""
    ended = command(path, "retire", "-Xk2")
    assert (ended.returncode, "There is no key -Xk2" in ended.stderr) == (6, True)


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    """What cannot be written whole is not written at all."""
    before = path.read_bytes()
    ended = run("broker", "keys", "rotate", "--keys-file", str(path), largest_file_kb=1)
    assert ended.returncode == 2
    assert "cannot be written" in ended.stderr
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    """The same sentence from every command."""
    for words in (("list",), ("rotate",), ("retire", "x")):
        ended = command(tmp_path / "none.json", *words)
        assert (ended.returncode, "trackeep broker init" in ended.stderr) == (2, True)
