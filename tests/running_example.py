"""Starts an example as its README says, on a free port, against the real service and the local GitHub."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from programs import environment
from visitor import Answer, Visitor

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = ("python-fastapi", "python-flask", "python-django", "node-express")
CODE_MODE = ("python-fastapi", "node-express")
READY_WITHIN_S = 120.0


@dataclass(frozen=True)
class Example:
    """One running example; `address` is where it listens, `base_url` where it believes to be."""

    name: str
    base_url: str
    address: str
    broker_url: str
    data: Path
    output: IO[bytes]

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Reads, or changes, its database, as whoever has the file can."""
        with closing(sqlite3.connect(self.data / "example.db")) as database, database:
            return database.execute(query, values).fetchall()

    def said(self) -> str:
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def here(self, url: str) -> str:
        """`url`, which begins with the public address, at the address where it can be reached."""
        assert url.startswith(self.base_url)
        return self.address + url.removeprefix(self.base_url)


class Guest(Visitor):
    """Somebody in front of an example, who is `login` at GitHub."""

    def __init__(self, example: Example, login: str = "alice") -> None:
        super().__init__(example.broker_url)
        self.example = example
        self.login = login

    async def open(self, path: str = "/") -> Answer:
        return await self.get(self.example.address + path)

    async def press(self, path: str, origin: str | None = None) -> Answer:
        """Sends a form of the page, from the page itself or from another `origin`."""
        sent = self.example.base_url if origin is None else origin
        return await self.post(self.example.address + path, {}, Origin=sent)

    async def to_callback(self) -> str:
        """Everything up to the answer of the service: the link to the example, not opened yet."""
        begun = await self.open("/auth/login")
        assert begun.status == 303, begun.text[-1500:]
        onward = (await self.agree(await self.get(begun.location))).onward
        answer = await self.get(await self.sign_in_at_github(onward, self.login))
        return self.example.here(answer.location)

    async def sign_in(self) -> Answer:
        return await self.get(await self.to_callback())

    async def is_signed_in(self) -> bool:
        return "/logout" in (await self.open()).text


def install(name: str, folder: Path) -> list[str]:
    """The command that runs the example; what npm brings goes into a copy in `folder`. Fails without npm."""
    if not name.startswith("node"):
        return [sys.executable, "-W", "error", str(FOLDER / name / "app.py")]
    if shutil.which("npm") is None:
        pytest.fail("The example for Express needs Node.js with npm; install them.")
    shutil.copytree(FOLDER / name, folder, ignore=shutil.ignore_patterns("node_modules", "data"))
    options = ("--no-package-lock", "--no-audit", "--no-fund", "--silent")
    subprocess.run(["npm", "install", *options], cwd=folder, check=True, timeout=120)
    return ["node", str(folder / "app.mjs")]


@contextmanager
def run(name: str, command: list[str], data: Path, **settings: str) -> Iterator[Example]:
    """The running example with its `settings` (BROKER_URL, GITHUB_API_URL, BASE_URL by other names)."""
    port = _free_port()
    address = f"http://localhost:{port}"
    given = {"PORT": str(port), "BASE_URL": address, "DATA_DIR": str(data), **settings}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment(given), cwd=data.parent
        )
        example = Example(name, given["BASE_URL"], address, settings["BROKER_URL"], data, output)
        try:
            _wait_for(process, port, example)
            yield example
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(process: subprocess.Popen[bytes], port: int, example: Example) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{example.name} did not start:\n{example.said()}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
