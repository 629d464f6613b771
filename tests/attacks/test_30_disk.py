"""Attack 30: mallory gets a copy of the service's disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from local_broker import broker_environment
from programs import Program, run, start
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio


async def test_a_copy_of_the_disk_holds_no_person_and_no_token(sandbox: Program, tmp_path: Path) -> None:
    """After logins in both modes the folder holds the keys file as it was, and nothing else."""
    assert run("broker", "init", cwd=tmp_path).returncode == 0
    keys_before = (tmp_path / "trackeep-broker-keys.json").read_bytes()
    here = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    env = {**broker_environment(sandbox.url), **here}
    program = start("broker", "serve", "--port", "0", env=env, cwd=tmp_path)
    try:
        secrets = await _log_in_both_ways(program.url)
        written = _files_open_for_writing(program.pid)
    finally:
        program.stop()
    assert written == []
    assert [path.name for path in tmp_path.rglob("*")] == ["trackeep-broker-keys.json"]
    assert (tmp_path / "trackeep-broker-keys.json").read_bytes() == keys_before
    said = program.stderr_text()
    assert "request" in said
    for secret in [*secrets, "alice"]:
        assert secret not in said


async def _log_in_both_ways(broker_url: str) -> list[str]:
    """Every secret that passed through the service."""
    first, second = Start(), Start(with_code=False)
    async with Visitor(broker_url) as alice:
        code = (await alice.log_in(first)).query["code"]
        redeemed = json.loads((await alice.redeem(first, code)).text)
        token = (await alice.log_in(second)).query["token"]
    return [code, token, redeemed["access_token"], redeemed["token"], first.verifier, first.state]


def _files_open_for_writing(pid: int) -> list[str]:
    """Ordinary files only: sockets have no name, and standard error is searched by the test itself."""
    if sys.platform != "linux":
        return []
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(link.readlink())
            flags = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split("flags:")[1].split()[0]
        except FileNotFoundError:
            continue  # a connection that ended meanwhile
        is_file = name.startswith("/") and not name.startswith("/dev/") and int(link.name) > 2
        if is_file and int(flags, 8) & 3:
            found.append(name)
    return found
