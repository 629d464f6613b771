"""How long every screen takes on the server as the copy of GitHub grows, and what the server itself takes.

    python benchmarks/dashboard.py [--worlds 100x10000 100x100000 100x1000000] [--rounds 40] [--gate]

A world is REPOSITORIESxCOMMITS, stored by filler.py and served by `trackeep serve --no-worker`; with
`--folder` its database is kept and used again. Every page of the table of
addresses is asked for in turn, round after round, one request at a time over one connection; those of a
repository for the one with most commits. Times are those a client on the same machine sees, processor time
is that of the server, which other work disturbs less.

Figures are counted once (see docs/decisions/0012-revisions.md), so each page is measured twice: asked again
while nothing has changed, and right after a change. For the latter another process stores one commit of the
largest repository, or takes it out again, before each request. "To the first" compares the median of the
processor time with that of the first world.

Targets of pages that are asked again, which `--gate` makes the exit code: the slowest twentieth below 50 ms,
at most 1.5 times the first world, at most 120 MB, and the first page within 1.5 s of the start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import filler
from scale import sandbox
from sqlalchemy import delete, select
from sync import MEMORY, GitHub

from trackeep.database import Database
from trackeep.model import Commit, Signature
from trackeep.store import commit_words, history
from trackeep.store.tables_fetched import commit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gates.pages import PARTS, TEMPLATES, parts_of

WORLDS = ("100x10000", "100x100000", "100x1000000")
# What a page is asked for besides its usual form.
FILTERED = ("/?period=12m", "/?period=all", "/commits?q=fix", "/commits?author=me", "/pulls?list=all")
P95_MS, GROWTH, MEMORY_MB, START_S = 50.0, 1.5, 120.0, 1.5
# Differences below this are the clock's, not the screen's.
NOISE_MS = 3.0
# filler.py gives the first repository most commits.
LARGEST = 1
MOST = """select owner, name, number from repository r join (select repository_id, count(*) n from "commit"
group by repository_id order by n desc limit 1) c on c.repository_id = r.id
left join (select repository_id, max(number) number from pull_request group by repository_id) p
on p.repository_id = r.id"""


@dataclass
class Server:
    """A running instance with alice's session."""

    url: str
    pid: int
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._to = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=300)

    def ask(self, path: str, form: dict[str, str] | None = None) -> int:
        """One request over the connection that stays open; the answer's status."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip", **({"Cookie": cookie} if cookie else {})}
        body = None
        if form is not None:
            body = urlencode(form)
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        self._to.request("GET" if form is None else "POST", path, body, headers)
        answer = self._to.getresponse()
        answer.read()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status

    def memory_mb(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def processor_ms(self) -> float:
        # Nanoseconds on a processor: https://docs.kernel.org/scheduler/sched-stats.html
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


@dataclass(frozen=True)
class Screen:
    """Milliseconds of one screen, one request each."""

    wall: tuple[float, ...]
    processor: tuple[float, ...]
    # Of the requests that each came right after a change.
    changed: tuple[float, ...]

    @property
    def used(self) -> float:
        return statistics.median(self.processor)

    @property
    def used_anew(self) -> float:
        return statistics.median(self.changed)

    @property
    def p50(self) -> float:
        return statistics.median(self.wall)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.wall, n=20)[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="keep the databases there, and use those that are there")
    parser.add_argument("--gate", action="store_true", help="end with 1 when a target is missed")
    asked = parser.parse_args()
    first: dict[str, Screen] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="dashboard-benchmark-", dir=_memory()) as kept:
        for world in asked.worlds:
            folder = (asked.folder or Path(kept)) / world
            fill(world, folder)
            seen, more = measure(world, folder, asked.rounds)
            missed += more + table(seen, first)
            first = first or seen
    for what in missed:
        print(f"missed: {what}")
    return 1 if asked.gate and missed else 0


def fill(world: str, folder: Path) -> None:
    """The whole world in a database in `folder`, unless it is there already."""
    done = folder / "filled"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    repositories, commits = map(int, world.split("x"))
    began = time.monotonic()
    asyncio.run(_fill(folder, filler.World(commits, repositories, int(time.time()))))
    print(f"{world}: filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
    done.touch()


async def _fill(folder: Path, world: filler.World) -> None:
    db = await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
    try:
        await filler.fill(db, world)
    finally:
        await db.close()


def measure(world: str, folder: Path, rounds: int) -> tuple[dict[str, Screen], list[str]]:
    """Every screen's times, and which targets of the server itself were missed."""
    screens, commits = screens_of(folder)
    # A small GitHub that knows alice is enough to sign in.
    with (
        tempfile.TemporaryDirectory(prefix="dashboard-github-", dir=_memory()) as kept,
        sandbox("1x10", Path(kept)) as github,
        served(github, folder) as (server, start_s),
    ):
        idle_mb, used_s = server.memory_mb(), server.processor_ms() / 1000
        for path in list(screens):
            if server.ask(path) != 200:
                print(f"{path} is left out: it does not answer 200 here", file=sys.stderr)
                screens.remove(path)
        seen: dict[str, tuple[list[float], list[float]]] = {path: ([], []) for path in screens}
        for _ in range(rounds):
            for path, (wall, processor) in seen.items():
                began, used = time.perf_counter(), server.processor_ms()
                server.ask(path)
                wall.append((time.perf_counter() - began) * 1000)
                processor.append(server.processor_ms() - used)
        after_mb = server.memory_mb()
        anew = after_changes(server, folder, screens, max(2, rounds // 8))
    print(
        f"\n{world}: {commits:,} commits; first page {start_s:.2f} s after the start, signed in after "
        f"{used_s:.2f} s of processor time; memory {idle_mb:.0f} MB idle, {after_mb:.0f} MB after "
        f"{rounds * len(seen)} pages"
    )
    missed = [f"{world}: first page after {start_s:.2f} s"] if start_s > START_S else []
    missed += [f"{world}: {after_mb:.0f} MB"] if after_mb > MEMORY_MB else []
    found = {path: Screen(tuple(wall), tuple(used), anew[path]) for path, (wall, used) in seen.items()}
    return found, missed


def after_changes(
    server: Server, folder: Path, screens: Sequence[str], rounds: int
) -> dict[str, tuple[float, ...]]:
    """Milliseconds of processor time of every page, each after a change."""
    used: dict[str, list[float]] = {path: [] for path in screens}
    with asyncio.Runner() as runner:
        db = runner.run(Database.open(f"sqlite:///{folder / 'trackeep.db'}"))
        for _ in range(rounds):
            for path in screens:
                runner.run(change(db))
                before = server.processor_ms()
                server.ask(path)
                used[path].append(server.processor_ms() - before)
        runner.run(change(db, is_last=True))
        runner.run(db.close())
    return {path: tuple(each) for path, each in used.items()}


async def change(db: Database, *, is_last: bool = False) -> None:
    """Store one commit of alice's in the largest repository, or take it out if it is there."""
    who = Signature("alice", filler.address(filler.ALICES_NUMBER), int(time.time()) - 3_600, 60)
    made = Commit("f" * 40, (), who, who, "Change one thing")
    async with db.write() as conn:
        it = (commit.c.sha == made.sha) & (commit.c.repository_id == LARGEST)
        if await conn.scalar(select(commit.c.id).where(it)) is not None:
            await commit_words.forget(conn, [LARGEST], only=it)
            await conn.execute(delete(commit).where(it))
        elif not is_last:
            await history.save_commits(conn, LARGEST, [made], reachable=True, on_default={made.sha})


def screens_of(folder: Path) -> tuple[list[str], int]:
    """Every page, those of a repository for the largest one; and how many commits are stored."""
    with contextlib.closing(sqlite3.connect(folder / "trackeep.db")) as stored:
        owner, name, number = stored.execute(MOST).fetchone()
        commits = stored.execute('select count(*) from "commit"').fetchone()[0]
    parts = {**PARTS, "owner": owner, "name": name, "number": str(number or 1)}
    known = [path for path in TEMPLATES if set(parts_of(path)) <= set(parts)]
    pages = [re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: parts[found[1]], path) for path in known]
    return [*pages, *FILTERED], commits


def table(seen: dict[str, Screen], first: dict[str, Screen]) -> list[str]:
    """Print every screen as a row of Markdown; the targets that were missed."""
    missed = []
    print("\n| screen | p50 ms | p95 ms | processor ms | to the first | after a change | to the first |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for path, screen in seen.items():
        before = first.get(path, screen)
        growth = screen.used / before.used
        compared, compared_anew = (
            f"{now / then:.2f}x" if path in first else ""
            for now, then in ((screen.used, before.used), (screen.used_anew, before.used_anew))
        )
        cells = (f"{screen.p50:.1f}", f"{screen.p95:.1f}", f"{screen.used:.1f}", compared)
        print(f"| `{path}` |", *(f"{cell} |" for cell in (*cells, f"{screen.used_anew:.1f}", compared_anew)))
        if screen.p95 > P95_MS:
            missed.append(f"{path}: p95 {screen.p95:.0f} ms")
        if growth > GROWTH and screen.used - before.used > NOISE_MS:
            missed.append(f"{path}: {growth:.2f} times as long as in the first world")
    return missed


PROGRAM = (sys.executable, "-m", "trackeep")


def settings(github: GitHub, folder: Path) -> dict[str, str]:
    known = {name: v for name, v in os.environ.items() if not name.startswith(("TRACKEEP_", "GITHUB_"))}
    where = {"GITHUB_URL": github.url, "GITHUB_API_URL": github.api, "GITHUB_GIT_URL": github.url}
    return {**known, **where, "TRACKEEP_DATA_DIR": str(folder), "TRACKEEP_LOG_LEVEL": "error"}


@contextlib.contextmanager
def served(github: GitHub, folder: Path) -> Iterator[tuple[Server, float]]:
    """The instance with alice signed in as its owner, and the seconds until its first page."""
    with contextlib.closing(sqlite3.connect(folder / "trackeep.db")) as stored:
        # As if nobody had been here, so that the set-up code is printed again.
        stored.execute("update account set role = 'member'")
        stored.commit()
    command = [*PROGRAM, "serve", "--demo", "--no-worker", "--port", "0"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=settings(github, folder), text=True)
    assert process.stdout is not None
    try:
        address, _, code = process.stdout.readline().split()[-1].partition("/setup?code=")
        server = Server(address, process.pid)
        server.ask("/setup")
        start_s = time.perf_counter() - began
        if code:
            server.ask("/setup", {"code": code})
        server.ask("/signin/token", {"token": github.token})
        yield server, start_s
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _memory() -> str | None:
    return str(MEMORY) if MEMORY.is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
