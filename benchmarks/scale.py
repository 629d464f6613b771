"""What a full sync and a later one cost as the world grows, up to 1,000 repositories with a million commits.

    python benchmarks/scale.py [--worlds 10x5000 1000x1000000] [--database sqlite postgresql] [--rounds 5]

A world is REPOSITORIESxCOMMITS, with a tenth as many pull requests, made by the sandbox from its seed. The
program that is measured is `trackeep sync`, its start included; requests are counted by the sandbox's log.
The idle and the changed run are repeated and their medians shown; a change merges a two-month-old branch of
four commits and adds a review in the largest repository. `--folder` keeps the databases of SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sync import MEMORY, PERSON, PLENTY, GitHub, aligned, environment, timed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import postgres
from sqlalchemy import text

from trackeep.database import Database

WORLDS = ("1x10", "100x1000", "10x5000", "1000x10000", "1000x1000000")
LARGEST_ID = 80_000
ROWS = """select count(*) from "commit" union all select count(*) from ref where name like 'refs/%'
union all select count(*) from pull_request union all select count(*) from review
union all select count(*) from issue union all select count(*) from release"""
KINDS = ("commits", "branches", "tags", "pulls", "reviews", "issues", "releases")


@dataclass(frozen=True)
class Row:
    """One kind of run in one world; times are in seconds, sizes in MB."""

    world: str
    database: str
    run: str
    rest: int
    not_modified: int
    points: int
    git: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    size_mb: float
    rows: int
    existing: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep what SQLite holds there")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    asked = parser.parse_args()
    tempfile.tempdir = str(MEMORY) if MEMORY.is_dir() else None
    rows = [row for world in asked.worlds for row in measure(world, asked)]
    print(table(rows))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, load average at the end {load}.")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def measure(world: str, asked: argparse.Namespace) -> Iterator[Row]:
    """The full, idle and changed runs of one world, in each database."""
    with tempfile.TemporaryDirectory(prefix="scale-benchmark-") as kept, sandbox(world, Path(kept)) as github:
        for kind in asked.database:
            folder = (asked.folder or Path(kept)) / f"{world}-{kind}"
            folder.mkdir(parents=True)
            with database(kind, folder) as url:
                env = environment(github, folder) | {"TRACKEEP_DATABASE_URL": url}
                for name, rounds in (("full", 1), ("idle", asked.rounds), ("change", asked.rounds)):
                    done = [run(github, env, (world, kind, name)) for _ in range(rounds)]
                    yield replace(median(done), rows=done[-1].rows, existing=existing(github))


def change(github: GitHub) -> None:
    name = ask(github, f"repositories/{LARGEST_ID}")["full_name"]
    pulls = ask(github, f"repos/{name}/pulls?per_page=1")
    github.control(f"repos/{name}/change", {"kind": "merge-old-branch"})
    if pulls:
        review = {"kind": "review", "number": pulls[0]["number"], "author": "bob"}
        github.control(f"repos/{name}/change", review)
    # Changes of this very second would make the program wait until it is over.
    time.sleep(1.5)


def run(github: GitHub, env: dict[str, str], which: tuple[str, str, str]) -> Row:
    if which[-1] == "change":
        change(github)
    github.control("log", method="DELETE")
    wall_s, usage = timed((sys.executable, "-m", "trackeep", "sync"), env)
    log = github.control("log")
    rows, size_mb = asyncio.run(stored(env["TRACKEEP_DATABASE_URL"]))
    row = Row(
        *which,
        rest=sum(e["resource"] in ("core", "search") for e in log),
        not_modified=sum(e["status"] == 304 for e in log),
        points=sum(e["cost"] for e in log if e["resource"] == "graphql"),
        git=sum(e["method"] == "POST" and e["path"].endswith("/git-upload-pack") for e in log),
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        size_mb=size_mb,
        rows=rows,
        existing=0,
    )
    print(f"{', '.join(which)}: {row.wall_s:.1f} s", file=sys.stderr)
    return row


def existing(github: GitHub) -> int:
    numbers = github.control("truth?numbers=1")
    return sum(numbers[kind] for kind in KINDS)


async def stored(url: str) -> tuple[int, float]:
    """How many rows of things fetched there are, and the database's size in MB."""
    db = await Database.open(url)
    try:
        async with db.read() as conn:
            rows = sum((await conn.scalars(text(ROWS))).all())
            if not db.is_sqlite:
                size = (await conn.execute(text("select pg_database_size(current_database())"))).scalar_one()
                return rows, size / 1e6
    finally:
        await db.close()
    return rows, Path(url.removeprefix("sqlite:///")).stat().st_size / 1e6


def median(rows: Sequence[Row]) -> Row:
    """The run with the median time; its counts of requests are its own."""
    middle = statistics.median_low(row.wall_s for row in rows)
    return next(row for row in rows if row.wall_s == middle)


def ask(github: GitHub, path: str) -> Any:
    headers = {"Authorization": f"Bearer {github.token}", "User-Agent": "benchmark"}
    request = urllib.request.Request(f"{github.api}/{path}", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'trackeep.db'}"
        return
    server = postgres.start()
    try:
        yield server.create("scale")
    finally:
        server.stop()


@contextlib.contextmanager
def sandbox(world: str, folder: Path) -> Iterator[GitHub]:
    repositories, commits = world.split("x")
    size = ("--repositories", repositories, "--commits", commits, "--data-dir", str(folder / "github"))
    command = (sys.executable, "-m", "trackeep", "sandbox", "serve", "--quiet", "--port", "0", *size)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            sys.exit("The sandbox did not start.")
        print(f"{world}: the sandbox was ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        github = GitHub(found.group(), "")
        people = {person["login"]: person["token"] for person in github.control("people")}
        for resource in ("core", "graphql", "search"):
            github.control("quota", {"login": PERSON, "resource": resource, "limit": PLENTY})
        yield GitHub(github.url, people[PERSON])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


HEADS = (
    "world", "database", "run", "REST", "304", "points", "git POSTs", "wall s", "CPU s", "peak MB",
    "database MB", "rows stored of existing",
)  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """A Markdown table whose columns line up."""
    lines = [HEADS, ("---",) * 3 + ("--:",) * (len(HEADS) - 3), *map(cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    return "\n".join(
        "| " + " | ".join(map(aligned, range(len(HEADS)), line, widths)) + " |" for line in lines
    )


def cells(row: Row) -> tuple[str, ...]:
    counts = map(str, (row.rest, row.not_modified, row.points, row.git))
    used = (f"{row.wall_s:.2f}", f"{row.cpu_s:.2f}", f"{row.peak_mb:.0f}", f"{row.size_mb:,.1f}")
    return (row.world, row.database, row.run, *counts, *used, f"{row.rows:,} of {row.existing:,}")


if __name__ == "__main__":
    sys.exit(main())
