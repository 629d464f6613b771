"""Starts the real programs as their own processes, and ends exactly those."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
import urllib.request
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import leaks

READY_WITHIN_S = 120.0


@dataclass
class Program:
    """A running `trackeep` command; `url` is the address it printed when it was ready."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    url: str = ""
    line: str = field(default="")
    said: str = field(default="", repr=False)
    is_sandbox: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> int:
        """End it as an operator would; returns its exit code."""
        self._note_secrets()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._close()
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self._note_secrets()
        self.process.kill()
        self.process.wait()
        self._close()

    def stderr_text(self) -> str:
        if not self.stderr.closed:
            self.stderr.seek(0)
            self.said = self.stderr.read().decode(errors="replace")
        return self.said

    def _note_secrets(self) -> None:
        """What a local GitHub has given out must stand in nobody's log."""
        if not self.is_sandbox or self.process.poll() is not None:
            return
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/_sandbox/issued", timeout=60) as answer:
            leaks.issued.add(*json.load(answer)["values"])

    def _close(self) -> None:
        """Keeps what it wrote, and gives both files back."""
        self.stderr_text()
        self.stderr.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(*args: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Program:
    """Start `trackeep ARGS` with a clean environment plus `env` and wait until it is ready."""
    # A file, not a pipe: nobody reads it while the program runs, and a full pipe would stop it.
    stderr = leaks.new_log(args)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "trackeep", *args],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(env),
        cwd=cwd,
    )
    program = Program(process, stderr, is_sandbox=args[:1] == ("sandbox",))
    weakref.finalize(program, stderr.close)
    program.line = _first_line(program)
    match = re.search(r"https?://\S+", program.line)
    if match is None and "ready" not in program.line:
        process.kill()
        process.wait()
        raise RuntimeError(
            f"trackeep {' '.join(args)} did not start: {program.line!r}\n{program.stderr_text()}"
        )
    program.url = match.group().rstrip(".") if match else ""
    return program


def run(
    *args: str,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    largest_file_kb: int = 0,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run `trackeep ARGS` to its end; `largest_file_kb` makes the disk full for it at that size."""
    limit = ["bash", "-c", f'ulimit -f {largest_file_kb} && exec "$@"', "bash"] if largest_file_kb else []
    finished = subprocess.run(
        [*limit, sys.executable, "-W", "error", "-m", "trackeep", *args],
        capture_output=True,
        text=True,
        env=environment(env),
        cwd=cwd,
        timeout=timeout_s,
        check=False,
    )
    with leaks.new_log(args) as log:
        log.write(finished.stderr.encode())
    return finished


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """This environment without anything that would configure Trackeep, plus `more`."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("TRACKEEP_", "GITHUB_"))}
    return {**ours, "PYTHONUNBUFFERED": "1", **(more or {})}


def github_environment(sandbox_url: str) -> dict[str, str]:
    """The settings that point a program at a sandbox instead of github.com."""
    return {
        "GITHUB_URL": sandbox_url,
        "GITHUB_API_URL": f"{sandbox_url}/api/v3",
        "GITHUB_GIT_URL": sandbox_url,
    }


def _first_line(program: Program) -> str:
    stdout = program.process.stdout
    assert stdout is not None
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if select.select([stdout], [], [], 0.2)[0]:
            return stdout.readline().decode().strip()
        if program.process.poll() is not None:
            return ""
    return ""
