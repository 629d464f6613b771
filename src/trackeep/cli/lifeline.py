"""Ties a program to the one that started it: it ends when its standard input closes."""

from __future__ import annotations

import os
import signal
import threading
import time

PATIENCE_S = 10.0


def hold() -> None:
    """End this program as SIGTERM does once stdin closes, which happens however the other end dies."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    # os.read, not sys.stdin: its lock, held by a waiting thread, would break the interpreter's end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os._exit(1)
