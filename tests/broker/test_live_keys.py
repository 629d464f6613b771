"""The keys of a running service: they follow their file, outlive a broken one and are renewed in time."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import keys_in_time
import pytest
from local_broker import broker_environment
from programs import Program, run, start
from structlog.testing import capture_logs
from visitor import Start, Visitor

from trackeep.broker.live_keys import LiveKeys
from trackeep.handshake import keys, keys_file, token
from trackeep.handshake.client import BrokerClient
from trackeep.handshake.messages import nonce_of
from trackeep.handshake.rotation import due, retire, rotate

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
DAY_S = 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A keys file as `init` makes it."""
    path = tmp_path / "keys.json"
    keys_file.write(keys.make_ring(NOW), path)
    return path


def live(path: Path | None, now: float = NOW) -> LiveKeys:
    return LiveKeys(keys_file.load(path) if path else keys.make_ring(NOW), path, lambda: now)


def test_a_changed_file_is_read(path: Path) -> None:
    """New keys come into use and retired ones go, without a new start."""
    running = live(path)
    running.look()
    old = running.ring.sealing_key("flow", NOW).id
    ring = keys_file.change(path, lambda ring: rotate(ring, ["flow"], NOW))
    running.look()
    assert [key.id for key in running.ring.of("flow")] == [key.id for key in ring.of("flow")]
    keys_file.change(path, lambda ring: retire(ring, old, NOW)[0])
    running.look()
    assert running.ring.find_sealing_key("flow", old, NOW) is None


def test_an_unchanged_file_is_not_read_again(path: Path) -> None:
    """Looking costs one question to the file system: the ring stays the very same."""
    running = live(path)
    running.look()
    ring = running.ring
    running.look()
    assert running.ring is ring


@pytest.mark.parametrize("damage", ["cut", "gone", "incomplete"])
def test_a_damaged_file_keeps_the_keys_in_use_and_is_told_once(path: Path, damage: str) -> None:
    """Logins go on; the log has one error; a repaired file is taken up again."""
    whole = path.read_bytes()
    running = live(path)
    running.look()
    ring = running.ring
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "gone":
        path.unlink()
    else:
        keys_file.change(path, lambda ring: keys.with_keys(ring, "id-rs256", []))
    with capture_logs() as said:
        running.look()
        running.look()
    assert [(line["log_level"], line["event"]) for line in said] == [("error", "keys not read")]
    assert running.ring is ring
    path.write_bytes(whole)
    running.look()
    assert running.ring is not ring
    assert running.ring.jwks(NOW) == ring.jwks(NOW)


def test_old_keys_are_renewed_in_the_file_once(path: Path) -> None:
    """Two replicas that share the file make one new key between them, and both use it."""
    first, second = live(path, NOW + DAY_S), live(path, NOW + DAY_S)
    first.look()
    second.look()
    assert len(keys_file.load(path).of("flow")) == 2
    assert first.ring.of("flow")[1].id == second.ring.of("flow")[1].id
    assert len(second.ring.of("consent")) == 1


def test_throw_away_keys_are_renewed_in_memory() -> None:
    """`--dev` needs no file for it."""
    running = live(None, NOW + 90 * DAY_S)
    running.look()
    assert len(running.ring.of("login")) == len(running.ring.of("flow")) == 2
    assert due(running.ring, NOW + 90 * DAY_S) == []


async def test_a_running_service_renews_its_file_by_itself(sandbox: Program, path: Path) -> None:
    """Nobody has to type anything: a day after `init` the file has its second flow key."""
    keys_in_time.age(
        path, tuple(keys.FAMILIES), keys_file.load(path).of("flow")[0].made_at - int(time.time())
    )
    keys_in_time.age(path, ("flow",), DAY_S + 1)
    env = broker_environment(sandbox.url, TRACKEEP_BROKER_KEYS_FILE=str(path))
    program = start("broker", "serve", "--port", "0", env=env)
    try:
        end = time.monotonic() + 60
        while len(keys_file.load(path).of("flow")) == 1 and time.monotonic() < end:
            await asyncio.sleep(0.1)
    finally:
        program.stop()
    assert {name: len(keys_file.load(path).of(name)) for name in keys.FAMILIES} == {
        name: 1 + (name == "flow") for name in keys.FAMILIES
    }
    assert "keys renewed" in program.stderr_text()


async def test_a_service_that_signs_with_ed25519(sandbox: Program, tmp_path: Path) -> None:
    """The whole way: keys made by `init`, a login, the key set, a token that the instance's code takes."""
    path = tmp_path / "ed25519.json"
    assert run("broker", "init", "--algorithm", "EdDSA", "--keys-file", str(path)).returncode == 0
    env = broker_environment(sandbox.url, TRACKEEP_BROKER_KEYS_FILE=str(path))
    program = start("broker", "serve", "--port", "0", env=env)
    login = Start()
    try:
        async with Visitor(program.url) as alice, aiohttp.ClientSession() as http:
            code = (await alice.log_in(login)).query["code"]
            issued = json.loads((await alice.redeem(login, code)).text)["token"]
            known = await BrokerClient(http, program.url).signing_keys()
            bearer = {"Authorization": f"Bearer {issued}"}
            assert (await alice.ask("GET", f"{program.url}/api/v1/user/me", bearer)).status == 200
    finally:
        program.stop()
    header = json.loads(base64.urlsafe_b64decode(issued.partition(".")[0] + "=="))
    assert (header["alg"], known[header["kid"]].key_type) == ("EdDSA", "OKP")
    claims = token.verify(
        issued,
        known,
        issuer=program.url,
        audience=login.base_url,
        now=time.time(),
        nonce=nonce_of(login.state),
    )
    assert claims.username == "alice"


# Looks four times: twice at one moment, half a day and a whole day later.
WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from trackeep.broker.live_keys import LiveKeys
from trackeep.handshake import keys_file
path, now = Path(sys.argv[1]), int(sys.argv[2])
running = LiveKeys(keys_file.load(path), path, lambda: now)
for wait_s in (0, 0, 43_200, 43_200):
    now += wait_s
    running.look()
print(len(running.ring.of("flow")))
"""


@pytest.fixture
def closed(path: Path) -> Iterator[Path]:
    """A keys file in a folder where nothing may be written."""
    path.parent.chmod(0o555)
    yield path
    path.parent.chmod(0o755)


def without_rights(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a program; without the rights of root, to which no folder is closed."""
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*without, sys.executable, "-W", "error", *command],
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("TRACKEEP_")},
            **env,
        },
        timeout=60,
        check=False,
    )


def test_a_file_that_cannot_be_written_is_asked_for_once_a_day(closed: Path) -> None:
    """The warning names the command to run; the old keys stay in use."""
    before = closed.read_bytes()
    ended = without_rights("-c", WITHOUT_RIGHTS, str(closed), str(NOW + DAY_S))
    lines = ended.stdout.splitlines()
    assert lines[-1] == "1", ended.stderr
    assert len(lines) == 3
    assert all("keys are old" in line and "trackeep broker keys rotate" in line for line in lines[:2])
    assert closed.read_bytes() == before


def test_a_service_does_not_start_with_keys_missing_that_it_cannot_add(closed: Path) -> None:
    """One sentence says what is missing and which command adds it; no key is made up in memory."""
    closed.parent.chmod(0o755)
    keys_file.change(closed, lambda ring: keys.with_keys(ring, "id-rs256", []))
    closed.parent.chmod(0o555)
    ended = without_rights(
        *("-m", "trackeep", "broker", "serve", "--port", "0"),
        TRACKEEP_BROKER_KEYS_FILE=str(closed),
        GITHUB_CLIENT_ID="Ov23sandbox0000000001",
        GITHUB_CLIENT_SECRET="sandbox-client-secret-0123456789abcdef01234567",
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "no id-rs256 key" in ended.stderr
    assert "`trackeep broker keys rotate`" in ended.stderr
