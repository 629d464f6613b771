"""Syncs under failures and kill -9, again and again, and compares every copy with the truth.

    python tests/campaign.py [--faults 10000] [--seed N] [--lanes 4] [--postgres]

A lane is a local GitHub of its own. Its lives follow one another: an empty database is filled while answers
break, are cut, limited or refused and the process is killed at random moments; then GitHub changes, again
under fire. Whenever a life is quiet its commits, refs, pull requests, reviews, issues and releases must be
exactly GitHub's. While a database is filled, no page that was stored may be asked for again: a kill costs at
most the pages that were in hand.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from copy_of_github import differences
from postgres import Server
from postgres import start as start_postgres
from programs import start
from sandbox_control import Sandbox

from trackeep.database import Database
from trackeep.errors import GitHubError, GitHubRateLimited
from trackeep.sync.once import sync_once

# Of GitHub's own: REST, GraphQL, git; what may break at each, and how.
PLACES = (
    "GET /api/v3/user/repos",
    "GET /api/v3/issues",
    "GET /api/v3/repos/",
    "POST /api/graphql",
    r"\.git/",
)
KINDS: tuple[dict[str, Any], ...] = (
    {"kind": "cut"},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 503},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 504},
    {"kind": "slow", "delay_s": 0.2},
    {"kind": "secondary", "status": 403, "retry_after": 2},
    {"kind": "secondary", "status": 429},
)
GRAPHQL_ONLY: tuple[dict[str, Any], ...] = (
    {"kind": "graphql-errors"},
    {"kind": "graphql-errors", "error_type": "RATE_LIMITED"},
)
CHANGES = (
    *("push", "push", "merge-old-branch", "force-push", "delete-branch", "open-pull", "merge-pull"),
    *("close-pull", "review", "open-issue", "close-issue", "tag"),
)
# REST and GraphQL ask one thing at a time, git three: more was not in hand when the process ended.
IN_HAND = {"rest": 1, "graphql": 1, "git": 3}
MOST_TRIES = 60
# It ended early and said so: a limit, or a GitHub that failed too often.
TRY_AGAIN = 75


@dataclass
class Tally:
    """What a lane has gone through."""

    seed: int
    faults: int = 0
    kills: int = 0
    lives: int = 0
    comparisons: int = 0
    changes: int = 0
    repeated: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = ("faults", "kills", "lives", "comparisons", "changes", "repeated")
        return Tally(self.seed, **{name: getattr(self, name) + getattr(other, name) for name in names})


class Lost(AssertionError):
    """A copy that is not GitHub's, or a page that was asked for again."""


@dataclass
class Lane:
    """One local GitHub with its lives; everything random comes from `rng`."""

    github: Sandbox
    folder: Path
    rng: random.Random
    tally: Tally
    postgres: Server | None = None
    names: list[str] = field(default_factory=list)

    def live(self) -> None:
        """One database: filled under fire, then changed under fire, compared each time it is quiet."""
        self.tally.lives += 1
        url = self._new_database()
        self.names = [
            each["full_name"]
            for each in self.github.repositories()
            if each["full_name"] != "carol/heron"  # a stranger's, on no list of hers
        ]
        mark, kills = self.github.mark(), self.tally.kills
        self._under_fire(url)
        self._no_page_twice(mark, self.tally.kills - kills)
        self._compare(url)
        for _ in range(self.rng.randint(1, 3)):
            self._change()
            self._under_fire(url)
            self._compare(url)

    def _new_database(self) -> str:
        name = f"life{self.tally.lives}of{self.tally.seed}"
        if self.postgres is not None:
            return self.postgres.create(name)
        return f"sqlite:///{self.folder / name}.db"

    def _under_fire(self, url: str) -> None:
        """Sync until it says that it is done, through what was armed and the kills that come."""
        self._arm(self.rng.randint(8, 48))
        kills = self.rng.choice((0, 1, 2, 4))
        for _ in range(MOST_TRIES):
            process = self._start(url)
            try:
                code = process.wait(self.rng.expovariate(1 / 1.2) + 0.4 if kills else 240)
            except subprocess.TimeoutExpired:
                if not kills:
                    process.kill()
                    raise Lost("a sync did not come to an end") from None
                process.kill()
                process.wait()
                kills, self.tally.kills = kills - 1, self.tally.kills + 1
                continue
            if code == 0:
                break
            if code != TRY_AGAIN:
                raise Lost(f"seed {self.tally.seed}, life {self.tally.lives}: a sync ended with {code}")
        else:
            raise Lost("a sync never became complete")
        self.tally.faults += sum(each["used"] for each in self.github.ask("/faults"))
        self.github.ask("/faults", method="DELETE")

    def _start(self, url: str) -> subprocess.Popen[bytes]:
        words = (self.github.url, url, self.github.token())
        return subprocess.Popen([sys.executable, __file__, "--drive", *words])

    def _arm(self, count: int) -> None:
        for _ in range(count):
            place = self.rng.choice(PLACES)
            kinds = KINDS + GRAPHQL_ONLY if "graphql" in place else KINDS
            self.github.fault(place, times=self.rng.choice((1, 1, 2, 4)), **self.rng.choice(kinds))

    def _change(self) -> None:
        for _ in range(self.rng.randint(1, 5)):
            kind, name = self.rng.choice(CHANGES), self.rng.choice(self.names)
            # A release is looked for once a day only.
            tag = {"name": f"v{self.rng.randint(100, 10**6)}.0.0", "release": False}
            more: dict[str, Any] = tag if kind == "tag" else {}
            # What cannot be done, such as merging where nothing is open, is refused.
            with suppress(HTTPError):
                self.github.change(name, kind, **more)
                self.tally.changes += 1

    def _compare(self, url: str) -> None:
        wrong = asyncio.run(_differences(url, self.github, self.names))
        self.tally.comparisons += 1
        if wrong:
            raise Lost(f"seed {self.tally.seed}, life {self.tally.lives}: {wrong}")

    def _no_page_twice(self, mark: int, kills: int) -> None:
        """Pages that were answered whole, and were asked for again: at most those in hand at a kill."""
        pages: dict[str, Counter[str]] = {lane: Counter() for lane in IN_HAND}
        log = [each for each in self.github.log(mark) if each["status"] == 200 and not each["fault"]]
        # Git's look at the refs is the same question everywhere, and comes again after a fetch that broke.
        looks = Counter(digest for digest, _ in {(each["digest"], each["path"]) for each in log})
        for each in log:
            key = _page(each)
            if key is not None and (key[0] != "git" or looks[each["digest"]] == 1):
                pages[key[0]][key[1]] += 1
        for lane, counted in pages.items():
            again = sum(count - 1 for count in counted.values())
            self.tally.repeated += again
            if again > kills * IN_HAND[lane]:
                twice = [page for page, count in counted.items() if count > 1]
                raise Lost(f"seed {self.tally.seed}: after {kills} kills {lane} was asked again: {twice}")


def _page(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Lane and name of a page of the past; None for lists that are meant to be asked again and again."""
    path = entry["path"]
    if path.endswith("git-upload-pack"):
        return "git", f"{path} {entry['digest']}"
    if path.endswith("/graphql"):
        return "graphql", entry["digest"]
    if "/repos/" in path:
        return "rest", f"{path}?{entry['query']}"
    return None


async def _differences(url: str, github: Sandbox, names: Sequence[str]) -> dict[str, Any]:
    db = await Database.open(url)
    try:
        return await differences(db, github, names)
    finally:
        await db.close()


async def drive(github_url: str, database_url: str, token: str) -> int:
    """One process: sync until done; where GitHub asks to wait, its clock and ours are put forward."""
    github = Sandbox(github_url)
    db = await Database.open(database_url)
    try:
        for _ in range(40):
            if await _synced(db, github, token):
                return 0
        return TRY_AGAIN
    finally:
        await db.close()


async def _synced(db: Database, github: Sandbox, token: str) -> bool:
    """One pass; True when it fetched everything. A limit is waited for by putting GitHub's clock forward."""
    try:
        outcome = await sync_once(db, github.addresses, token, clock=github.now)
    except GitHubRateLimited as error:
        github.advance(max(1.0, error.retry_at - github.now() + 1))
        return False
    except GitHubError:
        return False
    return not outcome.failures


def campaign(faults: int, seed: int, folder: Path, postgres: Server | None = None) -> Tally:
    """Lives of one lane until `faults` have struck. Raises Lost."""
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = start("sandbox", "serve", "--port", "0", "--data-dir", str(folder / "github"))
    tally = Tally(seed)
    try:
        github = Sandbox(sandbox.url)
        for resource in ("core", "graphql"):
            github.quota(resource, limit=10**6)
        lane = Lane(github, folder, random.Random(seed), tally, postgres)
        while tally.faults < faults:
            lane.live()
    finally:
        sandbox.stop()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--postgres", action="store_true", help="every second lane on PostgreSQL")
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.drive:
        return asyncio.run(drive(*asked.drive))
    server = start_postgres() if asked.postgres else None
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.lanes) as pool:
            lanes = [
                pool.submit(
                    campaign,
                    -(-asked.faults // asked.lanes),
                    asked.seed + number,
                    Path(folder) / str(number),
                    server if number % 2 else None,
                )
                for number in range(asked.lanes)
            ]
            lost = [str(error) for lane in lanes if (error := lane.exception()) is not None]
            tallies = [lane.result() for lane in lanes if lane.exception() is None]
    finally:
        if server is not None:
            server.stop()
    total = sum(tallies, Tally(asked.seed))
    print(
        f"seed {total.seed}, {asked.lanes} lanes: {total.faults:,} faults struck, {total.kills:,} kills, "
        f"{total.lives:,} databases filled, {total.changes:,} changes, {total.comparisons:,} comparisons "
        f"without a difference; {total.repeated:,} pages in hand at a kill were asked for again; "
        f"{time.monotonic() - started:,.0f} s"
    )
    print(*lost, sep="\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
