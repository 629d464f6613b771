"""Commits per second from the git wire into SQLite and PostgreSQL, beside `git clone --bare` and dulwich.

    python benchmarks/ingest.py [--commits 100000] [--only sqlite ...] [--rounds 3]

Everybody reads one generated repository of the sandbox over smart HTTP. Times are those of the work alone,
without the start of the program; processor time and peak memory are those of the process that receives, not
of the servers. Commits per processor second are what one core manages; they bear other work on the machine
better than the clock does. The round that needed least processor time counts. Databases and clones lie in
memory where there is such a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import aiohttp
import postgres
from dulwich.client import HttpGitClient
from dulwich.object_format import SHA1
from dulwich.pack import PackData, PackInflater
from programs import start

from trackeep.database import Database, upsert
from trackeep.github.gitwire import GitRemote
from trackeep.model import Repository
from trackeep.store import tables
from trackeep.sync.commits import sync_commits

MEMORY = Path("/dev/shm")
KINDS = ("git clone --bare", "git clone --bare, tree:0", "dulwich, parsed only", "sqlite", "postgresql")
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--commits", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", nargs=4, metavar=("KIND", "URL", "TOKEN", "DATABASE"))
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(measured(*asked.once)))
        return
    tempfile.tempdir = str(MEMORY) if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="trackeep-ingest-"))
    size = ("--repositories", "1", "--commits", str(asked.commits))
    sandbox = start("sandbox", "serve", "--port", "0", *size, "--data-dir", str(folder / "github"))
    try:
        compare(asked.only, asked.rounds, sandbox.url, folder)
    finally:
        sandbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def compare(kinds: list[str], rounds: int, base: str, folder: Path) -> None:
    url, token, commits = largest(base)
    print(f"{commits:,} commits\n")
    print(
        "| into | seconds | commits/s | processor s | commits/processor s | peak MB | posts | MB received |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    server = postgres.start() if "postgresql" in kinds else None
    try:
        for kind in kinds:
            runs = []
            for number in range(rounds):
                database = f"sqlite:///{folder}/{kind[:6].strip()}{number}.db"
                if server and kind == "postgresql":
                    database = server.create(f"ingest{number}")
                runs.append(run_once(kind, url, token, database))
            best = min(runs, key=lambda run: run["processor_s"])
            seconds, processor_s = best["seconds"], best["processor_s"]
            print(
                f"| {kind} | {seconds:.2f} | {commits / seconds:,.0f} "
                f"| {processor_s:.2f} | {commits / processor_s:,.0f} "
                f"| {best['peak_mb']} | {best.get('posts', '')} | {best.get('mb', '')} |",
                flush=True,
            )
    finally:
        if server:
            server.stop()


def largest(base: str) -> tuple[str, str, int]:
    """Address and size of the sandbox's largest repository, and a token that may read it."""
    counted = []
    for each in ask(base, "/_sandbox/truth")["repositories"]:
        command = ["git", "-C", each["git_dir"], "rev-list", "--count", "--branches", "--tags"]
        counted.append((int(subprocess.check_output(command)), each["full_name"], each["readers"]))
    commits, name, readers = max(counted)
    token = next(each["token"] for each in ask(base, "/_sandbox/people") if each["login"] in readers)
    return f"{base}/{name}.git", token, commits


def ask(base: str, path: str) -> Any:
    with urllib.request.urlopen(base + path) as answer:
        return json.load(answer)


def run_once(kind: str, url: str, token: str, database: str) -> Result:
    command = [sys.executable, __file__, "--once", kind, url, token, database]
    result: Result = json.loads(subprocess.check_output(command))
    return result


def measured(kind: str, url: str, token: str, database: str) -> Result:
    """One run in this process; for git the peak is that of the git program."""
    who = resource.RUSAGE_SELF
    work: Callable[[], Result]
    if kind.startswith("git"):
        who = resource.RUSAGE_CHILDREN

        def work() -> Result:
            return clone(url, token, ["--filter=tree:0"] if "tree:0" in kind else [])
    elif kind.startswith("dulwich"):

        def work() -> Result:
            return read_with_dulwich(url, token)
    else:

        def work() -> Result:
            return asyncio.run(store(url, token, database))

    begin, used = time.perf_counter(), processor_s(who)
    result = work()
    spent = {"seconds": time.perf_counter() - begin, "processor_s": processor_s(who) - used}
    return spent | {"peak_mb": resource.getrusage(who).ru_maxrss // 1024} | result


def processor_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def clone(url: str, token: str, options: list[str]) -> Result:
    pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    with tempfile.TemporaryDirectory() as folder:
        command = ["git", "-c", f"http.extraHeader=Authorization: Basic {pair}", "clone", "-q", "--bare"]
        subprocess.run([*command, *options, url, f"{folder}/clone.git"], check=True)
    return {}


def read_with_dulwich(url: str, token: str) -> Result:
    """Fetch and look at every commit; nothing is stored."""
    base, _, path = url.rpartition("/")

    class NothingYet:
        def get_parents(self, *_: object) -> list[bytes]:
            return []

        def ack(self, _: bytes) -> None:
            return None

        def __next__(self) -> None:
            return None

    def wanted(refs: dict[bytes, bytes], depth: int | None = None) -> list[bytes]:
        return list({sha for name, sha in refs.items() if name.startswith((b"refs/heads/", b"refs/tags/"))})

    client: Any = HttpGitClient(base + "/", username="x-access-token", password=token)
    with tempfile.NamedTemporaryFile(suffix=".pack") as file:
        client.fetch_pack(path, wanted, NothingYet(), file.write, filter_spec=b"tree:0", protocol_version=2)
        file.flush()
        with PackData(file.name, object_format=SHA1) as pack:
            inflater: Any = PackInflater.for_pack_data(pack)
            for each in inflater:
                if each.type_name == b"commit":
                    _ = (each.id, each.parents, each.author, each.author_time, each.committer, each.message)
        return {"mb": round(file.tell() / 1e6, 1)}


async def store(url: str, token: str, database: str) -> Result:
    """What an instance does at the first look; making the tables is not counted."""
    db = await Database.open(database)
    async with db.write() as conn:
        await upsert(conn, tables.repository, [{"id": 1, "owner": "a", "name": "b"}], key=("id",))
    async with aiohttp.ClientSession() as http:
        begin, used = time.perf_counter(), processor_s(resource.RUSAGE_SELF)
        found = await sync_commits(db, GitRemote(http, url, token), Repository(1, "", "a", "b"), now=1)
        spent = {"seconds": time.perf_counter() - begin}
        spent["processor_s"] = processor_s(resource.RUSAGE_SELF) - used
    await db.close()
    return {**spent, "posts": found.posts, "mb": round(found.bytes / 1e6, 1)}


if __name__ == "__main__":
    main()
