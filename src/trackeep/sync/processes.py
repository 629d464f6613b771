"""Names of processes, by which a lease tells who holds it and whether that one still lives."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
from functools import lru_cache
from pathlib import Path


def process_name() -> str:
    """Computer, process and a random mark: enough to see later whether the holder of a lease still lives."""
    return f"{_computer()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_of_this_computer(name: str) -> bool:
    """Whether `name` is a process of this computer or, in a container, of this container."""
    return name.partition(":")[0] == _computer()


def is_dead(name: str) -> bool:
    """Whether `name` was a process of this computer that has ended; others are trusted to live."""
    computer, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if computer != _computer() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@lru_cache(maxsize=1)
def _computer() -> str:
    """Where process numbers mean the same; containers may share a host's name, but not its numbers."""
    marks = [socket.gethostname()]
    with contextlib.suppress(OSError):  # not every system has these
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return f"{socket.gethostname()}/{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:8]}"
