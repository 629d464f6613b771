"""Runs the sandbox, the broker and an instance together, each a program of its own."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trackeep.errors import TrackeepError

CLIENT_ID = "Ov23sandbox0000000001"
CLIENT_SECRET = "sandbox-client-secret-0123456789abcdef01234567"  # noqa: S105 - the sandbox is no secret
# Everybody of the sandbox but mallory, who shows what it is like to be refused.
PEOPLE = ("alice", "bob", "carol", "zoe-l")
FOLDER_PREFIX = "trackeep-demo-"
ENDS_WITHIN_S = 4.0


@dataclass(frozen=True)
class Ports:
    """Where the three programs listen; 0 lets the system choose."""

    sandbox: int = 9100
    broker: int = 9090
    instance: int = 8080


@dataclass(frozen=True)
class Running:
    """The addresses of the three programs."""

    sandbox: str
    broker: str
    instance: str


class _Stopped(Exception):
    """Somebody asked for the end."""


def run(
    environ: Mapping[str, str],
    ports: Ports,
    size: str,
    on_ready: Callable[[Running], None],
    stopped: threading.Event,
) -> None:
    """Start all three in a folder of their own, call `on_ready`, stay until `stopped` is set.

    However this ends, the programs end before the folder is deleted. Raises TrackeepError when one of
    them ends by itself.
    """
    _clear_left_behind()
    ours = {name: value for name, value in environ.items() if not name.startswith(("TRACKEEP_", "GITHUB_"))}
    ours |= {"TRACKEEP_LOG_LEVEL": environ.get("TRACKEEP_LOG_LEVEL", "warning")}
    with _folder() as folder, _Programs(ours, folder, stopped) as programs, contextlib.suppress(_Stopped):
        on_ready(_start(programs, ports, size, folder))
        while not stopped.wait(0.2):
            programs.check()


def _start(programs: _Programs, ports: Ports, size: str, folder: Path) -> Running:
    where = ("--port", str(ports.sandbox), "--data-dir", str(folder / "github"))
    sandbox = programs.start("sandbox", "serve", "--quiet", "--size", size, *where)
    github = {"GITHUB_URL": sandbox, "GITHUB_API_URL": f"{sandbox}/api/v3", "GITHUB_GIT_URL": sandbox}
    broker = programs.start(
        *("broker", "serve", "--dev", "--port", str(ports.broker)),
        **{**github, "GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET},
    )
    instance = programs.start(
        *("serve", "--demo", "--port", str(ports.instance)),
        **{**github, "TRACKEEP_BROKER_URL": broker, "TRACKEEP_DATA_DIR": str(folder / "data")},
        TRACKEEP_ALLOWED_USERS=",".join(PEOPLE),
    )
    return Running(sandbox, broker, instance)


class _Programs:
    """The programs of one demo; leaving the context ends them all."""

    def __init__(self, environ: Mapping[str, str], folder: Path, stopped: threading.Event) -> None:
        self._environ = environ
        self._folder = folder
        self._stopped = stopped
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> _Programs:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        end = time.monotonic() + ENDS_WITHIN_S
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            # One that still builds its world takes longer; nothing of it is kept anyway.
            process.kill()
            # Also closes both pipes.
            process.communicate()

    def start(self, *words: str, **more: str) -> str:
        """Start `trackeep WORDS` and return the address it says it is at. Raises _Stopped, TrackeepError."""
        process = subprocess.Popen(
            [sys.executable, "-m", "trackeep", "--until-stdin-closes", *words],
            # Nothing is ever written to it: when this program is gone, however, it closes.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**self._environ, **more},
            cwd=self._folder,
            # A group of its own: Ctrl-C reaches this program alone, which ends the others in good order.
            process_group=0,
        )
        self._processes.append(process)
        address = re.search(rb"https?://\S+", self._first_line(process))
        if address is None:
            raise TrackeepError(
                f"`trackeep {' '.join(words[:2])}` did not start.", "Its reason stands above."
            )
        return address.group().decode()

    def check(self) -> None:
        """Raises TrackeepError when one of them has ended."""
        if any(process.poll() is not None for process in self._processes):
            self._unless_stopped()
            raise TrackeepError("One of the demo's programs ended by itself.", "Its last words stand above.")

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], 0.1)[0]:
            if self._stopped.is_set():
                raise _Stopped
        line = process.stdout.readline()
        if not line:
            self._unless_stopped()
        return line

    def _unless_stopped(self) -> None:
        """Raises _Stopped when the end was asked for, also when the news of it come a moment later."""
        if self._stopped.wait(0.5):
            raise _Stopped


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        _delete(folder)


def _delete(folder: Path) -> None:
    # A git of the sandbox may write one last file into it.
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _clear_left_behind() -> None:
    """Delete our folders of demos that were killed; each carries the number of its process."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*-*"):
        number = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
