"""Names of processes, by which a lease tells who holds it and whether that one still lives."""

from __future__ import annotations

import os
import secrets
import socket


def process_name() -> str:
    """Computer, process and a random mark: enough to see later whether the holder of a lease still lives."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Whether `name` was a process of this computer that has ended; others are trusted to live."""
    host, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
