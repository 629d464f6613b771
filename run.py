"""Sets this checkout up and runs it: `python3 run.py` is the demo, `python3 run.py test` is every test.

`python3 run.py soak` is the long one: a sync under ten thousand failures and many kills. `python3 run.py
lighthouse` has the key pages judged by Lighthouse, `python3 run.py pictures` takes those of docs/screens.md.

Needs Python 3.11 or newer with pip and venv, and git. It makes `.venv`, installs exactly what
requirements.lock names (by hash), and does so again only when that file has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
# Programs that the tests drive, with the packages that bring them.
PROGRAMS = {
    "chromium": ("chromium", "fonts-noto-core", "fonts-noto-color-emoji"),
    "redis-server": ("redis-server",),
}

BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")


def main(arguments: list[str]) -> int:
    """Run what the first word asks for; what is no task of this file goes to the program itself."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must be told, not crash later
        print("Trackeep needs Python 3.11 or newer; this is", sys.version.split()[0], file=sys.stderr)
        return 2
    if shutil.which("git") is None:
        print("Trackeep's local GitHub needs git; install it and start again.", file=sys.stderr)
        return 2
    install()
    if arguments[:1] == ["test"]:
        return test(arguments[1:])
    if arguments[:1] == ["soak"]:
        return call("tests/campaign.py", "--postgres", *arguments[1:])
    if arguments[:1] in (["lighthouse"], ["pictures"]):
        programs()
        return call(f"tools/{arguments[0]}.py", *arguments[1:])
    os.chdir(ROOT)
    sys.stdout.flush()
    # In place of this program, so that Ctrl-C and every other signal reach Trackeep itself.
    os.execv(PYTHON, [str(PYTHON), "-m", "trackeep", *(arguments or ["demo"])])


def test(arguments: list[str]) -> int:
    """Style, types, then every test, in as many processes as there are cores."""
    if arguments:
        return call("-m", "pytest", *arguments)
    programs()
    steps = (
        ("-m", "ruff", "check", "."),
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "mypy"),
        # A file's tests stay together and share the programs they start; tests/conftest.py has their order.
        ("-m", "pytest", "-q", "-n", str(os.cpu_count() or 2), *BY_FILE),
    )
    for step in steps:
        print("$", "python", *step, flush=True)
        code = call(*step)
        if code != 0:
            return code
    return 0


def install() -> None:
    """Make the environment, or leave it alone when it already holds what the lock names."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / "lock.sha256"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(
        "Installing what requirements.lock names into .venv; once, a minute at most ...",
        file=sys.stderr,
        flush=True,
    )
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "-q"]
    # uv installs several times faster; where it cannot be had, pip does the same from the same lock.
    if subprocess.run([*pip, "install", "uv"], capture_output=True).returncode == 0:
        pip = [str(PYTHON), "-m", "uv", "--quiet", "pip"]
    for what in (["--require-hashes", "-r", str(LOCK)], ["--no-build-isolation", "--no-deps", "-e", "."]):
        subprocess.run([*pip, "install", *what], check=True, cwd=ROOT)
    # Compiled once here: otherwise every program that the demo and the tests start would do it again.
    call("-m", "compileall", "-q", "-j", "0", str(VENV / "lib"), "src")
    stamp.write_text(wanted)


def programs() -> None:
    """Chromium and Redis for the tests: the system's where apt can bring them, else Playwright's Chromium."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        packages = [package for name in missing for package in PROGRAMS[name]]
        subprocess.run(["apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)
        # A service of the system is not wanted: the tests start a Redis of their own.
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
        )
    elif "chromium" in missing:
        subprocess.run([str(PYTHON), "-m", "playwright", "install", "chromium"], check=True)


def call(*words: str) -> int:
    """Run the environment's Python in this folder and hand its exit code on."""
    try:
        return subprocess.run([str(PYTHON), *words], cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
