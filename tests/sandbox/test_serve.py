"""`trackeep sandbox serve` as a command: its words, its port, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from programs import Program, environment, run, start
from sandbox_control import Sandbox


def test_a_port_in_use(sandbox: Program) -> None:
    """One sentence says that the port is taken, and what to do."""
    port = urlsplit(sandbox.url).port
    done = run("sandbox", "serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"trackeep: Cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Choose another port, or end what uses it.\n"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_its_words_and_its_end(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """One line on stdout, what to sign in with on stderr; at the end its temporary folder is gone."""
    program = start("sandbox", "serve", "--port", "0", env={"TMPDIR": str(tmp_path)})
    said = program.stderr_text()
    assert "Ov23sandbox0000000001" in said
    assert "sandbox-client-secret-0123456789abcdef01234567" in said
    assert f"{program.url}/_sandbox/people" in said
    assert list(tmp_path.iterdir())
    os.kill(program.pid, number)
    assert program.process.stdout is not None
    assert program.process.stdout.read() == b""
    assert program.process.wait(10) == code
    program.stop()
    assert "Traceback" not in program.stderr_text()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_world_is_built(tmp_path: Path) -> None:
    """The largest repository takes seconds to write; nobody waits for it after Ctrl-C."""
    program = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "trackeep",
            "sandbox",
            "serve",
            "--port",
            "0",
            "--size",
            "full",
        ],
        stderr=subprocess.PIPE,
        env=environment({"TMPDIR": str(tmp_path)}),
        text=True,
    )
    try:
        while not list(tmp_path.glob("sandbox-github-*/*.git")):
            assert program.poll() is None
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=60)[1].strip() == ""
    finally:
        program.kill()
        program.communicate()
    assert program.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_quiet(tmp_path: Path) -> None:
    """`--quiet` says the address only, and a folder that is named stays."""
    program = start("sandbox", "serve", "--port", "0", "--quiet", "--data-dir", str(tmp_path))
    assert Sandbox(program.url).token("alice")
    program.stop()
    assert program.stderr_text() == ""
    assert list(tmp_path.iterdir())
