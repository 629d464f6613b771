"""Worker processes as an operator would run them, to be killed, suspended and replaced."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import leaks
from programs import environment


@dataclass
class WorkerProcess:
    """A running worker that has said that it is ready."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def kill(self) -> tuple[float, float]:
        """End it as a power cut would; between which moments (of the monotonic clock) it ended."""
        before = time.monotonic()
        self.process.kill()
        self.process.wait()
        self._close()
        return before, time.monotonic()

    def stop(self) -> int:
        """End it as an operator would; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        code = self.process.wait(60)
        self._close()
        return code

    def suspend(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        """What it has logged so far."""
        self.log.seek(0)
        return self.log.read().decode()

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()


def start_worker(env: dict[str, str], command: Sequence[str] = ("-m", "trackeep", "worker")) -> WorkerProcess:
    """Start a worker with `env` and wait until it says that it is ready."""
    log = leaks.new_log(("worker",))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *command], stdout=subprocess.PIPE, stderr=log, env=environment(env)
    )
    started = WorkerProcess(process, log)
    assert process.stdout is not None
    line = process.stdout.readline()
    if b"ready" not in line:
        said = started.said()
        started.kill()
        raise RuntimeError(f"the worker did not start: {line!r}\n{said}")
    return started
