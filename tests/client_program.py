"""A client as a process of its own: it says where the person has to go, and is told where they came back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from programs import environment

HERE = Path(__file__).parent / "clients"
WITHIN_S = 60.0
NODE_PACKAGES = ("oauth4webapi@3.8.8", "@auth/core@0.41.3")


class ClientProgram:
    """`OPEN address` is what it prints first; the address of the answer is what it reads; then JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def opens(self) -> str:
        """The address to which it sends the person."""
        line = await self._line()
        assert line.startswith("OPEN "), line + await self._rest()
        return line.removeprefix("OPEN ")

    async def came_back(self, address: str) -> dict[str, Any]:
        """What it made of the answer at `address`: `{"error": ...}` when it refused it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{address}\n".encode())
        await self._process.stdin.drain()
        self._process.stdin.close()
        said = await self._line()
        rest = await self._rest()
        assert said.startswith("{"), said + rest
        found: dict[str, Any] = json.loads(said)
        return found

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), WITHIN_S)
        return line.decode().strip()

    async def _rest(self) -> str:
        assert self._process.stderr is not None
        said = await asyncio.wait_for(self._process.stderr.read(), WITHIN_S)
        await asyncio.wait_for(self._process.wait(), WITHIN_S)
        return said.decode(errors="replace")


async def run(
    script: str, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> ClientProgram:
    """Start `script` of tests/clients, with Python or, where it ends in .mjs, with Node.js in `cwd`."""
    path, command = HERE / script, [sys.executable, "-W", "error"]
    if script.endswith(".mjs"):
        assert cwd is not None
        # Node.js looks for packages beside the script.
        path, command = cwd / script, ["node"]
        await asyncio.to_thread(path.write_bytes, (HERE / script).read_bytes())
    process = await asyncio.create_subprocess_exec(
        *(*command, str(path), *args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(dict(env or {})),
    )
    return ClientProgram(process)


def install_node_packages(folder: Path) -> Path:
    """The packages of the JavaScript clients, in exact versions, below `folder`."""
    command = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    done = subprocess.run(
        [*command, *NODE_PACKAGES], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder
