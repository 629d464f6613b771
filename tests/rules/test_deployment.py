"""Container, compose files, unit and release: only what the program understands, no more than it needs."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from rules.source import ROOT

from trackeep.cli import COMMANDS
from trackeep.environment import KNOWN_NAMES

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = ("compose.yaml", "compose.postgres.yaml")
UNIT = "deploy/trackeep.service"
DEPLOYMENT = ("Dockerfile", *COMPOSE, UNIT, "docs/deploy.md")


def instructions(text: str) -> list[tuple[str, str]]:
    """Word and rest of each instruction of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        found.append((word, rest.strip()))
    return found


def last_stage() -> list[tuple[str, str]]:
    every = instructions(DOCKERFILE)
    begins = max(n for n, (word, _) in enumerate(every) if word == "FROM")
    return every[begins:]


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / name).read_text())["services"]
    return found


def ours(name: str) -> dict[str, dict[str, Any]]:
    return {key: service for key, service in services(name).items() if service["image"] == "trackeep"}


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read(ROOT / UNIT)
    return parser


@pytest.mark.parametrize("name", DEPLOYMENT)
def test_only_known_settings_are_given(name: str) -> None:
    """Whatever looks like a setting is one; of secrets and addresses with a password a file may be given."""
    text = (ROOT / name).read_text()
    named = set(re.findall(r"\bTRACKEEP_[A-Z_]+\b", text))
    assert {one for one in named if one.removesuffix("_FILE") not in KNOWN_NAMES} == set()


def test_the_container_is_not_root() -> None:
    """It runs under a number that is not 0, and keeps everything in /data."""
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert stage["VOLUME"] == "/data"
    assert [rest for word, rest in last_stage() if word == "VOLUME"] == ["/data"]
    assert "TRACKEEP_DATA_DIR=/data" in stage["ENV"]


def test_the_container_checks_itself_with_its_own_command() -> None:
    """No curl, no shell: start, check and default are commands of the program."""
    stage = dict(last_stage())
    check = re.search(r'CMD \["trackeep", "(\w+)"\]', stage["HEALTHCHECK"])
    default = re.fullmatch(r'\["(\w+)"\]', stage["CMD"])
    assert check and default
    assert stage["ENTRYPOINT"] == '["trackeep"]'
    assert {check[1], default[1]} <= set(COMMANDS)


def test_the_image_is_made_of_what_the_lock_names() -> None:
    """Every install is by hash or without an index, every base has a tag, nothing is fetched by address."""
    every = instructions(DOCKERFILE)
    bases = [rest.split()[0] for word, rest in every if word == "FROM"]
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    assert not [rest for word, rest in every if word == "ADD" or "http" in rest]
    scripts = " && ".join(rest for word, rest in every if word == "RUN")
    installs = re.findall(r"bin/pip (?:install|wheel)[^&]*", scripts)
    assert len(installs) == 4, installs
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install, install
    copied = [rest.split()[:-1] for word, rest in every if word == "COPY" and "--from" not in rest]
    assert not [path for paths in copied for path in paths if not (ROOT / path).exists()]


def test_the_locks_of_the_container_are_parts_of_the_lock() -> None:
    """What is tested is what is shipped, without what only tests need; the tool would write the same."""
    command = [sys.executable, str(ROOT / "tools" / "lock_parts.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""
    shipped = (ROOT / "deploy" / "runtime.lock").read_text()
    assert re.search(r"^asyncpg==", shipped, re.M)
    assert not re.search(r"^(pytest|mypy|playwright|django|dulwich)==", shipped, re.M)


@pytest.mark.parametrize("name", COMPOSE)
def test_a_service_of_ours_may_do_nothing_special(name: str) -> None:
    """Read-only, without capabilities, reached from this computer only, and never with Docker's socket."""
    assert ours(name)
    for service in ours(name).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert not {"privileged", "network_mode", "user", "cap_add"} & set(service)
        for volume in service.get("volumes", ()):
            assert volume.split(":")[1:] == ["/data"]
    assert "docker.sock" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_runs_our_commands_and_names_what_exists(name: str) -> None:
    """Commands are ours; each volume, secret and file of a secret that a service names is declared."""
    whole = yaml.safe_load((ROOT / name).read_text())
    for service in whole["services"].values():
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in whole["volumes"]
        secrets = set(service.get("secrets", ()))
        assert secrets <= set(whole.get("secrets", {}))
        given = [value for key, value in service.get("environment", {}).items() if key.endswith("_FILE")]
        assert set(given) == {f"/run/secrets/{secret}" for secret in secrets}
    for service in ours(name).values():
        assert service.get("command", ["serve"])[0] in COMMANDS


def test_with_postgres_workers_are_apart() -> None:
    """Pages in one container, the sync in at least two, each asked about itself; nothing starts too early."""
    found = services("compose.postgres.yaml")
    assert "--no-worker" in found["trackeep"]["command"]
    assert found["worker"]["deploy"]["replicas"] >= 2
    assert found["worker"]["healthcheck"]["test"] == ["CMD", "trackeep", "healthcheck", "--worker"]
    for name in ("trackeep", "worker"):
        assert found[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "healthcheck" in found["postgres"]
    # In the files and nowhere else.
    assert "POSTGRES_PASSWORD" not in found["postgres"]["environment"]
    assert not any("TRACKEEP_DATABASE_URL" in one["environment"] for one in found.values())


def test_the_unit_is_locked_down() -> None:
    """A user of its own, one folder to write to, no way to more rights, restarted when it fails."""
    service = unit()["Service"]
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "trackeep"
    assert service["CapabilityBoundingSet"] == ""
    assert service["Restart"] == "on-failure"
    program, command = service["ExecStart"].split()[:2]
    assert program.endswith("/trackeep")
    assert command in COMMANDS
    assert unit()["Install"]["WantedBy"] == "multi-user.target"


def test_a_release_can_be_checked() -> None:
    """Two processors, a list of what is inside, where it came from, and a signature over the digest."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    release = yaml.safe_load(text)
    assert release["permissions"] == {}
    for word in ("linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=max", "cosign sign --yes"):
        assert word in text
    # An expression in a script would be run as part of it; the environment is only text.
    scripts = [step["run"] for step in release["jobs"]["image"]["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script]
