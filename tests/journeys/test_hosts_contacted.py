"""No telemetry: the instance opens connections to the hosts that its privacy page lists, and to no other."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from local_instance import Guest
from programs import Program, environment, github_environment, start
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.environment import InstanceSettings, instance_settings
from trackeep.instance.contacts import addresses, contacts
from trackeep.store.tables_fetched import commit, pull_request
from trackeep.store.tables_sync import run

pytestmark = pytest.mark.anyio
WITHIN_S = 300

# Python runs this before the program, in its process: whatever opens a connection or asks for a host's
# address, in whichever library, is written down. Programs it would start are, too.
WITNESS = """
import os, sys

_log = os.open(os.environ["TRACKEEP_TEST_WITNESS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def _note(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        os.write(_log, f"{event} {args[1]!r}\\n".encode())
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        os.write(_log, f"{event} {args[0]!r}\\n".encode())
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        os.write(_log, f"{event} {args[0]!r}\\n".encode())

sys.addaudithook(_note)
"""


def endpoints(names: frozenset[str]) -> set[tuple[str, int]]:
    """What the listed hosts and ports are to a socket."""
    found = set()
    for name in names:
        host, _, port = name.rpartition(":")
        found |= {(info[4][0], int(port)) for info in socket.getaddrinfo(host, int(port))}
    return {(str(host), port) for host, port in found}


async def until_synced(url: str, program: Program) -> None:
    """Returns when commits and pull requests are there and the runs have ended."""
    db = await Database.open(url)
    try:
        while True:
            assert program.process.poll() is None, program.stderr_text()
            async with db.read() as conn:
                stored = [
                    await conn.scalar(select(func.count()).select_from(t)) for t in (commit, pull_request)
                ]
                running = await conn.scalar(select(func.count()).where(run.c.finished_at.is_(None)))
            if all(stored) and not running:
                return
            await asyncio.sleep(0.2)
    finally:
        await db.close()


async def live_with(program: Program, broker: Program, database_url: str, github: Sandbox) -> None:
    """Signs in, follows, syncs, looks at every page, downloads, makes a token and leaves."""
    code = next(
        json.loads(line)["setup_code"] for line in program.stderr_text().splitlines() if "setup_code" in line
    )
    async with Guest(program.url, broker.url) as alice:
        await alice.set_up(str(code))
        assert (await alice.sign_in()).location == "/repos/choose"
        number = str(github.repository("fernhill/atlas")["id"])
        while f'name="repo" value="{number}"' not in (await alice.open("/repos/choose")).text:
            assert program.process.poll() is None, program.stderr_text()
            await asyncio.sleep(0.2)
        form = {"shown": number, "repo": number}
        assert (await alice.send("/repos/choose", form)).status == 303
        await until_synced(database_url, program)
        for path in ("/", "/repos", "/pulls", "/commits", "/activity", "/sync", "/settings", "/api/docs"):
            assert (await alice.open(path)).status == 200, path
        assert (await alice.open("/api/v1/export")).status == 200
        for path in ("/settings/danger/reset-sync", "/sync/now", "/settings/disconnect"):
            assert (await alice.send(path, {})).status == 303
        await alice.send("/settings/danger/delete", {"confirm": "alice"})


def told(witness: Path, event: str) -> set[str]:
    lines = witness.read_text().splitlines()
    return {line.partition(" ")[2] for line in lines if line.startswith(event)}


@pytest.fixture
def settings_env(sandbox: Program, broker: Program, database_url: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    return {
        **github_environment(sandbox.url),
        "TRACKEEP_BROKER_URL": broker.url,
        "TRACKEEP_DATA_DIR": str(tmp_path / "data"),
        "TRACKEEP_DATABASE_URL": database_url,
        "TRACKEEP_LOG_FORMAT": "json",
        "TRACKEEP_POLL_SECONDS": "1",
        "TRACKEEP_BACKUP_HOURS": "1" if database_url.startswith("sqlite") else "0",
        "TRACKEEP_TEST_WITNESS": str(tmp_path / "witness"),
        "PYTHONPATH": str(tmp_path),
    }


async def test_no_other_host_is_ever_contacted(
    settings_env: dict[str, str], broker: Program, sandbox: Program, tmp_path: Path
) -> None:
    """From the first page to the last, with sign-in, sync, export and the end of it all."""
    program = start("serve", "--port", "0", env=settings_env)
    try:
        async with asyncio.timeout(WITHIN_S):
            await live_with(program, broker, settings_env["TRACKEEP_DATABASE_URL"], Sandbox(sandbox.url))
    finally:
        program.stop()
    witness, chosen = tmp_path / "witness", settings(settings_env)
    seen = {eval(line)[:2] for line in told(witness, "socket.connect")}
    # The same set: what is listed is used, so this witness sees what it has to.
    assert seen == endpoints(addresses(chosen))
    assert not told(witness, "socket.send") and not told(witness, "subprocess") and not told(witness, "os.")
    listed = {urlsplit(f"//{contact.host}").hostname for contact in contacts(chosen)}
    asked = {str(eval(line)) for line in told(witness, "socket.get")}
    assert asked <= {*listed, "127.0.0.1", "localhost"}


def settings(env: dict[str, str]) -> InstanceSettings:
    return instance_settings(environment(env))
