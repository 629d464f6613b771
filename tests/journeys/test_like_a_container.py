"""What the container promises, without a container: its settings, its check, its end, one folder."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Program, run, start
from rules.source import ROOT

STOPS_WITHIN_S = 8.0


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """The environment of the Dockerfile, with a folder and a port of this test, and nowhere else to write."""
    told = re.search(r"^ENV PATH=.*?(?<!\\)$", (ROOT / "Dockerfile").read_text(), re.M | re.S)
    assert told
    given = dict(re.findall(r"(\w+)=(\S+)", told[0].replace("\\\n", " ")))
    given.pop("PATH")
    assert given["TRACKEEP_DATA_DIR"] == "/data"
    nowhere = str(tmp_path / "nowhere")
    return given | {
        "TRACKEEP_DATA_DIR": str(tmp_path / "data"),
        "TRACKEEP_PORT": _free_port(),
        "HOME": nowhere,
        "TMPDIR": nowhere,
    }


@pytest.fixture
def served(settings: dict[str, str], tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "data").mkdir(mode=0o700)
    program = start("serve", env=settings, cwd=tmp_path / "data")
    yield program
    program.stop()


def test_it_starts_answers_and_checks_itself(
    settings: dict[str, str], served: Program, tmp_path: Path
) -> None:
    """Both checks succeed while it runs and fail afterwards; all that it wrote is in its folder."""
    cwd = tmp_path / "data"
    url = f"http://127.0.0.1:{settings['TRACKEEP_PORT']}"
    with urllib.request.urlopen(f"{url}/readyz", timeout=60) as answer:
        assert json.load(answer)["status"] == "ready"
    healthy = run("healthcheck", "--json", env=settings, cwd=cwd)
    assert (healthy.returncode, json.loads(healthy.stdout)) == (0, {"ready": True, "problem": ""})
    assert _worker_is_heard(settings, cwd)
    began = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert time.monotonic() - began < STOPS_WITHIN_S
    assert run("healthcheck", env=settings, cwd=cwd).returncode == 1
    assert run("healthcheck", "--worker", env=settings, cwd=cwd).returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert {path.name for path in cwd.iterdir()} <= {
        *("trackeep.db", "trackeep.db-wal", "trackeep.db-shm", "secret.key"),
    }


def test_a_worker_is_asked_about_itself(settings: dict[str, str], tmp_path: Path) -> None:
    """`trackeep worker` listens nowhere: its check succeeds while it runs, that of a server does not."""
    cwd = tmp_path / "data"
    cwd.mkdir()
    program = start("worker", env=settings, cwd=cwd)
    try:
        assert _worker_is_heard(settings, cwd)
        assert run("healthcheck", env=settings, cwd=cwd).returncode == 1
    finally:
        assert program.stop() == 0
    assert run("healthcheck", "--worker", env=settings, cwd=cwd).returncode == 1


def _worker_is_heard(settings: dict[str, str], cwd: Path) -> bool:
    """A worker says that it lives right after it is ready; a container asks more than once, too."""
    return any(run("healthcheck", "--worker", env=settings, cwd=cwd).returncode == 0 for _ in range(10))


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
