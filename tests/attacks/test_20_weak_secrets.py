"""Attack 20: a service started with a default, a short or no secret, so that anybody could sign as it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from local_broker import CLIENT_ID, CLIENT_SECRET
from programs import run

GITHUB = {"GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET}


def refusal(tmp_path: Path, *flags: str, **env: str) -> str:
    """What `broker serve` says when it refuses to start: exactly one line."""
    ended = run("broker", "serve", "--port", "0", *flags, env={**GITHUB, **env}, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    "secret", ["secret", "changeme" * 5, "x" * 40, "your-github-client-secret-goes-here-1234"]
)
def test_a_weak_client_secret_is_refused(tmp_path: Path, secret: str) -> None:
    """Example values and short ones do not get into use, not even with --dev."""
    assert "GITHUB_CLIENT_SECRET" in refusal(tmp_path, "--dev", GITHUB_CLIENT_SECRET=secret)


def test_a_missing_registration_is_refused(tmp_path: Path) -> None:
    """Both missing settings are named at once."""
    said = refusal(tmp_path, GITHUB_CLIENT_ID="", GITHUB_CLIENT_SECRET="")
    assert "GITHUB_CLIENT_ID" in said
    assert "GITHUB_CLIENT_SECRET" in said


def test_missing_keys_are_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    """There are no built-in keys to fall back on."""
    assert "trackeep broker init" in refusal(tmp_path)


@pytest.mark.parametrize(
    "secret", [bytes(32), b"a" * 32, b"0123456789abcdef", b"changeme-changeme-changeme-12345"]
)
def test_weak_keys_are_refused(tmp_path: Path, secret: bytes) -> None:
    """A keys file with a short or typed secret does not start a service."""
    assert run("broker", "init", cwd=tmp_path).returncode == 0
    path = tmp_path / "trackeep-broker-keys.json"
    content = json.loads(path.read_text())
    content["sealing"]["flow"][0]["secret"] = base64.b64encode(secret).decode()
    path.write_text(json.dumps(content))
    assert "flow key" in refusal(tmp_path)


def test_init_never_replaces_keys(tmp_path: Path) -> None:
    """The second `init` says so and leaves the file as it is."""
    assert run("broker", "init", cwd=tmp_path).returncode == 0
    path = tmp_path / "trackeep-broker-keys.json"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    again = run("broker", "init", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert path.read_bytes() == before
