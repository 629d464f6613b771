"""Runs the real program on a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass

from programs import environment

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Screen:
    """What came to the terminal until the program ended with `code`."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without colours and moves of the cursor."""
        return ESCAPES.sub("", self.raw)


def on_terminal(
    *args: str,
    env: dict[str, str],
    columns: int = 120,
    stop_when: Callable[[str], bool] | None = None,
    timeout_s: float = 120.0,
) -> Screen:
    """Run `trackeep ARGS`; once `stop_when` is true of what was seen, Ctrl-C is pressed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "trackeep", *args],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment({"TERM": "xterm-256color", **env}),
        start_new_session=True,
    )
    os.close(slave)
    seen, has_stopped, end = b"", False, time.monotonic() + timeout_s
    # The terminal gives an error once the last one who held its other end is gone.
    with contextlib.suppress(OSError):
        while time.monotonic() < end and (block := os.read(master, 65_536)):
            seen += block
            if stop_when and not has_stopped and stop_when(ESCAPES.sub("", seen.decode(errors="replace"))):
                has_stopped = True
                process.send_signal(signal.SIGINT)
    os.close(master)
    return Screen(process.wait(60), seen.decode(errors="replace"))
