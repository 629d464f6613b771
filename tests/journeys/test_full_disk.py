"""A disk that fills up while an instance serves and syncs, and has room again later."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from programs import Program, environment, github_environment, run, start

ALICE = "ghp_sandboxalice".ljust(40, "0")
LARGEST_FILE = 1_228_800


def limit(program: Program, size: int) -> None:
    """No file of this program may become larger from now on, as if the disk were full."""
    hard = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size, hard))


def wait_until(condition: Callable[[], bool]) -> None:
    # A pass that failed but could still say so is tried again after a minute.
    end = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def get(url: str, token: str) -> int:
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        json.load(answer)
        return int(answer.status)


def test_a_full_disk_stops_the_sync_and_nothing_else(sandbox: Program, tmp_path: Path) -> None:
    """One sentence says so, what is stored can be read, and with room again all of GitHub is here."""
    env = {
        **github_environment(sandbox.url),
        "TRACKEEP_DATA_DIR": str(tmp_path),
        "TRACKEEP_POLL_SECONDS": "1",
    }
    words = [sys.executable, "-m", "trackeep", "login", "--token-stdin"]
    subprocess.run(words, env=environment(env), input=ALICE, text=True, check=True, capture_output=True)
    full = run("sync", "-q", env=env, largest_file_kb=LARGEST_FILE // 1_024)
    assert full.returncode == 1 and "room on the disk" in full.stderr and "Traceback" not in full.stderr
    token = run("token", "create", "reader", env=env).stdout.strip()
    server = start("serve", "--port", "0", "--no-worker", env=env)
    worker = start("worker", env=env)
    try:
        for program in (server, worker):
            limit(program, LARGEST_FILE)
        wait_until(lambda: f"{tmp_path / 'trackeep.db'} cannot be used" in worker.stderr_text())
        assert "Traceback" not in worker.stderr_text()
        assert [get(f"{server.url}/api/v1/{path}", token) for path in ("me", "repos", "commits")] == [200] * 3
        assert run("status", env=env).returncode == 0
        for program in (server, worker):
            limit(program, resource.RLIM_INFINITY)
        wait_until(lambda: '"event": "synced"' in worker.stderr_text())
    finally:
        server.stop()
        worker.stop()
    assert run("db", "check", env=env).returncode == 0
