"""How long one page of a search takes among a million commits, in SQLite and PostgreSQL.

    python benchmarks/search.py [--commits 1000000] [--repositories 1000] [--database sqlite postgresql]
                                [--rounds 20] [--cpu] [--url DATABASE]

The commits are invented from a seed and stored by the code that a sync runs; words come as often as words do
(the hundredth is in one message of a hundred). A time is that of everything the page of commits asks its
database: the count, the first 50 rows, and who wrote them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import filler
import postgres
from sqlalchemy import text

from trackeep.database import Database
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commits import Wanted, search

NOW = 1_780_000_000
READER = Reader(filler.ALICE, NOW, ZoneInfo("Europe/Prague"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--commits", type=int, default=1_000_000)
    parser.add_argument("--repositories", type=int, default=1_000)
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--url", help="measure this one; an empty database is filled first")
    parser.add_argument("--cpu", action="store_true", help="processor time, which other work disturbs less")
    asked = parser.parse_args()
    if asked.url:
        asyncio.run(measure(asked.url, asked))
    for kind in () if asked.url else asked.database:
        with database(kind) as url:
            asyncio.run(measure(url, asked))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, load average {load}.")


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """An empty one, gone afterwards; SQLite's in memory where there is such a folder."""
    memory = Path("/dev/shm")
    if kind == "sqlite":
        folder = memory if memory.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="search-benchmark-", dir=folder) as made:
            yield f"sqlite:///{made}/search.db"
        return
    server = postgres.start()
    try:
        yield server.create("search")
    finally:
        server.stop()


async def measure(url: str, asked: argparse.Namespace) -> None:
    db = await Database.open(url)
    async with db.read() as conn:
        is_empty = (await conn.execute(text('select 1 from "commit" limit 1'))).first() is None
    if is_empty:
        began = time.perf_counter()
        await filler.fill(db, filler.World(asked.commits, asked.repositories, NOW))
        print(f"{asked.commits:,} commits stored in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if not db.is_sqlite:
        async with db.engine.connect() as conn:
            alone = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("vacuum analyze"))
    kind, what = "SQLite" if db.is_sqlite else "PostgreSQL", "processor time" if asked.cpu else "time"
    print(f"\n{kind}, {asked.commits:,} commits in {asked.repositories:,} repositories; ms of {what}\n")
    print("| search | found | p50 | p95 |\n|---|--:|--:|--:|")
    every: list[float] = []
    for name, words in questions(asked.repositories).items():
        times = [await once(db, words, asked.cpu) for _ in range(asked.rounds + 1)][1:]
        every += times_of(times)
        high = statistics.quantiles(times_of(times), n=20)[-1]
        middle = statistics.median(times_of(times))
        print(f"| {name}: `{words}` | {times[0][1]:,} | {middle:.1f} | {high:.1f} |", flush=True)
    print(f"| all of them | | {statistics.median(every):.1f} | {statistics.quantiles(every, n=20)[-1]:.1f} |")
    await db.close()


def times_of(rounds: list[tuple[float, int]]) -> list[float]:
    return [spent for spent, _ in rounds]


async def once(db: Database, words: str, cpu: bool) -> tuple[float, int]:
    """Milliseconds and how many were found."""
    # With a memory of its own: what was counted in the round before is counted again.
    async with Database(db.engine, db.url).read() as conn:
        server = 0 if db.is_sqlite else (await conn.execute(text("select pg_backend_pid()"))).scalar_one()

        def clock() -> float:
            if not cpu:
                return time.perf_counter()
            # Nanoseconds on a processor: https://docs.kernel.org/scheduler/sched-stats.html
            there = int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9 if server else 0.0
            return time.process_time() + there

        began = clock()
        page = await search(conn, READER, Wanted(words=words))
        return (clock() - began) * 1000, page.count


def questions(repositories: int) -> dict[str, str]:
    small, sha = f"r{repositories - 1}", next(filler.commits(0, 1, random.Random(0), NOW)).sha
    return {
        "everything": "",
        "a word in every second": "fix",
        "a frequent word": "cache",
        "a word in one of a thousand": "w500",
        "a rare word": "w25000",
        "a word of nobody": "absent",
        "two words": "fix timeout",
        "a phrase": '"fix cache"',
        "a beginning": "w250*",
        "not a word": "retry -fix",
        "only without": "-fix",
        "author and word": "author:p3 fix",
        "rare author and word": "author:p1900 fix",
        "mine and a word": "is:mine cache",
        "mine": "is:mine",
        "small repository and word": f"repo:{small} fix",
        "large repository and word": "repo:r0 timeout",
        "owner and word": "owner:acme7 fix",
        "this month": "fix since:30d",
        "long ago": "cache until:2018",
        "merges": "is:merge",
        "merges with a word": "is:merge cache",
        "a sha": sha[:10],
        "four digits of a sha": sha[:4],
    }


if __name__ == "__main__":
    main()
