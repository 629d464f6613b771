"""Does here what the Dockerfile does, and runs the result as the container would; needs root and no Docker.

    sudo .venv/bin/python tools/container_check.py

The wheel and exactly deploy/runtime.lock go into an environment of their own in a temporary folder. It is
started as user 10001 in a mount namespace whose root is read-only but for the data folder: first start, own
check, readiness, end; then once more with the same data. Ends with 1 when a promise is broken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USER = "10001"
PORT = "18099"
# The folder of data is bound to itself before the root becomes read-only, so it stays writable.
NAMESPACE = """
mount --make-rprivate / && mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro / &&
cd "$DATA" && exec setpriv --reuid=$WHO --regid=$WHO --clear-groups --no-new-privs --bounding-set=-all "$@"
"""


def main() -> int:
    if os.geteuid() != 0:
        print("This needs root, to become user 10001 and to make the root read-only.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="trackeep-container-") as kept:
        folder = Path(kept)
        folder.chmod(0o755)
        program = install(folder)
        data = folder / "data"
        data.mkdir(mode=0o700)
        os.chown(data, int(USER), int(USER))
        for round_ in ("first start", "second start"):
            seen = once(program, data)
            print(f"{round_}: {json.dumps(seen)}", flush=True)
            if not (seen["ready"] and seen["healthy"] and seen["code"] == 0 and seen["stopped_s"] < 8):
                return 1
        print("data:", ", ".join(sorted(path.name for path in data.iterdir())))
    return 0


def install(folder: Path) -> Path:
    """An environment with the wheel and what deploy/runtime.lock names; the path of its `trackeep`."""
    place, maker = folder / "environment", folder / "maker"
    for venv in (place, maker):
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    locked = ("install", "-q", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
    for venv, lock in ((place, "runtime.lock"), (maker, "build.lock")):
        subprocess.run([str(venv / "bin/pip"), *locked, "-r", str(ROOT / "deploy" / lock)], check=True)
    wheel = ("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT))
    subprocess.run([str(maker / "bin/pip"), *wheel], check=True)
    built = next(folder.glob("*.whl"))
    plain = ("install", "-q", "--no-deps", "--no-index", str(built))
    subprocess.run([str(place / "bin/pip"), *plain], check=True)
    used = subprocess.run(["du", "-sm", str(place)], capture_output=True, text=True, check=True).stdout
    print(f"{built.name}: {built.stat().st_size // 1024} kB; with all it needs {used.split()[0]} MB")
    return place / "bin" / "trackeep"


def once(program: Path, data: Path) -> dict[str, object]:
    """Start it, ask it, end it; how that went."""
    began = time.monotonic()
    server = contained(program, data, "serve")
    assert server.stdout is not None
    said = server.stdout.readline().strip()
    first_line_s = time.monotonic() - began
    if "ready" not in said:
        print(server.stderr.read() if server.stderr else "", file=sys.stderr)
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=10) as answer:
        ready = json.load(answer)["status"] == "ready"
    status = Path(f"/proc/{server.pid}/status").read_text()
    uid, rss = (re.search(rf"^{name}:\s+(\d+)", status, re.M) for name in ("Uid", "VmRSS"))
    healthy = contained(program, data, "healthcheck").wait(60) == 0
    began = time.monotonic()
    server.terminate()
    code = server.wait(60)
    return {
        "ready": ready and uid is not None and uid[1] == USER,
        "healthy": healthy,
        "code": code,
        "ready_s": round(first_line_s, 2),
        "stopped_s": round(time.monotonic() - began, 2),
        "memory_mb": int(rss[1]) // 1024 if rss else 0,
    }


def contained(program: Path, data: Path, command: str) -> subprocess.Popen[str]:
    settings = {"TRACKEEP_HOST": "0.0.0.0", "TRACKEEP_PORT": PORT, "TRACKEEP_DATA_DIR": str(data)}
    python = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", NAMESPACE, "sh", str(program), command],
        env={**settings, **python, "DATA": str(data), "WHO": USER},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    sys.exit(main())
