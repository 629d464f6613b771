"""Runs the sandbox, the broker and an instance together, each a program of its own."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trackeep.errors import TrackeepError

CLIENT_ID = "Ov23sandbox0000000001"
CLIENT_SECRET = "sandbox-client-secret-0123456789abcdef01234567"  # noqa: S105 - the sandbox is no secret


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


def run(environ: Mapping[str, str], ports: Ports, size: str, on_ready: Callable[[Running], None]) -> None:
    """Start all three in a folder that is thrown away, call `on_ready`, and stay until one of them ends."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trackeep-demo-")))
        ours = {
            name: value for name, value in environ.items() if not name.startswith(("TRACKEEP_", "GITHUB_"))
        }
        ours |= {"TRACKEEP_LOG_LEVEL": environ.get("TRACKEEP_LOG_LEVEL", "warning")}

        def program(*words: str, **more: str) -> tuple[subprocess.Popen[str], str]:
            return stack.enter_context(_program(words, {**ours, **more}, folder))

        sandbox, sandbox_url = program(
            *(
                "sandbox",
                "serve",
                "--port",
                str(ports.sandbox),
                "--size",
                size,
                "--data-dir",
                str(folder / "github"),
            )
        )
        github = {
            "GITHUB_URL": sandbox_url,
            "GITHUB_API_URL": f"{sandbox_url}/api/v3",
            "GITHUB_GIT_URL": sandbox_url,
        }
        broker, broker_url = program(
            *("broker", "serve", "--dev", "--port", str(ports.broker)),
            **{**github, "GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET},
        )
        instance, instance_url = program(
            *("serve", "--demo", "--port", str(ports.instance)),
            **{**github, "TRACKEEP_BROKER_URL": broker_url, "TRACKEEP_DATA_DIR": str(folder / "data")},
        )
        on_ready(Running(sandbox_url, broker_url, instance_url))
        while all(process.poll() is None for process in (sandbox, broker, instance)):
            time.sleep(0.2)
        raise TrackeepError("One of the demo's programs ended by itself.", "Its last words stand above.")


@contextlib.contextmanager
def _program(
    words: tuple[str, ...], environ: Mapping[str, str], folder: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "trackeep", *words],
        stdout=subprocess.PIPE,
        env=dict(environ),
        cwd=folder,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = re.search(r"https?://\S+", process.stdout.readline())
        if address is None:
            raise TrackeepError(
                f"`trackeep {' '.join(words[:2])}` did not start.", "Its reason stands above."
            )
        yield process, address.group()
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
