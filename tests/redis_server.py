"""A Redis server of the tests' own on a free port, which keeps nothing on the disk and can be taken away."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class RedisServer:
    """`redis-server` at `url`; `stop` and `start` take it away and bring it back, empty."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen(
            ["redis-server", *options, "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < end, "redis-server did not start."
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def everything(self) -> dict[bytes, bytes]:
        """All keys with their values, as whoever holds the server could read them."""
        keys = self._ask(b"KEYS *").split(b"\r\n")[2::2]
        return {key: self._ask(b"GET " + key) for key in keys}

    def forget(self) -> None:
        self._ask(b"FLUSHALL")

    def _answers(self) -> bool:
        try:
            return self._ask(b"PING").startswith(b"+PONG")
        except OSError:
            return False

    def _ask(self, line: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall(line + b"\r\nQUIT\r\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.removesuffix(b"+OK\r\n")


def start() -> RedisServer:
    """A running server; says what is missing when there is no program for it."""
    if shutil.which("redis-server") is None:
        raise RuntimeError("redis-server is missing; install it, or run `python3 run.py test`, which does.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = RedisServer(port, Path(tempfile.mkdtemp(prefix="trackeep-redis-")))
    server.start()
    return server


def end(server: RedisServer) -> None:
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
