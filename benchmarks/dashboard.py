"""How long every screen takes on the server, with a small and with a large copy of GitHub.

    python benchmarks/dashboard.py [--size small full] [--rounds 40]

For each size: a sandbox, one `trackeep sync`, one `trackeep serve --no-worker`, alice signed in; then every
screen in turn, round after round, one request at a time. Times are those a client on the same machine sees;
the ratio of the last column compares a screen's median with its median at the first size.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SCREENS = (
    *("/", "/?period=12m", "/repos", "/repos/choose", "/r/fernhill/atlas", "/r/fernhill/atlas/pulls"),
    *("/r/fernhill/atlas/commits", "/r/fernhill/atlas/branches", "/pulls", "/commits", "/commits?q=fix"),
    *("/activity", "/calendar", "/sync", "/settings"),
)
TOKEN = "ghp_sandboxalice".ljust(40, "0")


@dataclass
class Instance:
    """A running instance with alice's session."""

    url: str
    pid: int
    opener: urllib.request.OpenerDirector

    def get(self, path: str) -> bytes:
        with self.opener.open(self.url + path) as answer:
            body: bytes = answer.read()
        return body

    def post(self, path: str, **form: str) -> None:
        request = urllib.request.Request(
            self.url + path, urllib.parse.urlencode(form).encode(), {"Sec-Fetch-Site": "same-origin"}
        )
        self.opener.open(request).close()

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found.group(1)) / 1024 if found else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=("small", "full"), default=["small", "full"])
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    first: dict[str, float] = {}
    for size in options.size:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dashboard-benchmark-")))
            instance, commits, start_s = prepare(stack, folder, size)
            before = instance.memory_mb()
            times = measure(instance, options.rounds)
            print(f"\n{size}: {commits:,} commits; start to first page {start_s:.2f} s; "
                  f"memory {before:.0f} MB before, {instance.memory_mb():.0f} MB after")  # fmt: skip
            table(times, first)
            first = first or {path: statistics.median(seen) for path, seen in times.items()}
    return 0


def prepare(stack: ExitStack, folder: Path, size: str) -> tuple[Instance, int, float]:
    """An instance that has synced a sandbox of `size`, its number of commits, and its start in seconds."""
    github, _ = stack.enter_context(program("sandbox", "serve", "--port", "0", "--size", size, folder=folder))
    settings = {"GITHUB_URL": github, "GITHUB_API_URL": f"{github}/api/v3", "TRACKEEP_DATA_DIR": str(folder)}
    subprocess.run(
        [sys.executable, "-m", "trackeep", "sync", "-q"],
        env={**os.environ, **settings, "GITHUB_TOKEN": TOKEN},
        check=True,
    )
    with sqlite3.connect(folder / "trackeep.db") as stored:
        commits = int(stored.execute('select count(*) from "commit"').fetchone()[0])
    stored.close()
    began = time.perf_counter()
    serve = program("serve", "--demo", "--no-worker", "--port", "0", folder=folder, **settings)
    url, pid = stack.enter_context(serve)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    base, _, code = url.partition("/setup?code=")
    instance = Instance(base, pid, opener)
    instance.get("/signin")
    start_s = time.perf_counter() - began
    instance.post("/setup", code=code)
    instance.post("/signin/token", token=TOKEN)
    return instance, commits, start_s


def measure(instance: Instance, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every screen, `rounds` times each, in turn; the first round is not counted."""
    times: dict[str, list[float]] = {path: [] for path in SCREENS}
    for number in range(rounds + 1):
        for path, seen in times.items():
            began = time.perf_counter()
            instance.get(path)
            if number:
                seen.append((time.perf_counter() - began) * 1000)
    return times


def table(times: dict[str, list[float]], first: dict[str, float]) -> None:
    """Print median and 95th percentile of every screen, and its ratio to the first size."""
    print(f"{'screen':<32}{'p50 ms':>9}{'p95 ms':>9}{'to first':>10}")
    for path, seen in times.items():
        middle = statistics.median(seen)
        high = statistics.quantiles(seen, n=20)[-1]
        ratio = f"{middle / first[path]:.2f}x" if first else "-"
        print(f"{path:<32}{middle:>9.1f}{high:>9.1f}{ratio:>10}")


@contextmanager
def program(*words: str, folder: Path, **more: str) -> Iterator[tuple[str, int]]:
    """A running `trackeep` command: the address that it printed, and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trackeep", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **more},
        cwd=folder,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
