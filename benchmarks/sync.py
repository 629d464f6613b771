"""What full, idle and small syncs cost: ours beside github-to-sqlite, a PyGithub loop and tap-github.

    python benchmarks/sync.py [--size small full] [--latency-ms 0 50] [--tap-github tap/bin/tap-github]

Every program reads the same sandbox as the same person, and begins anew at each latency. Requests are counted
by the sandbox's own log; time, processor time and peak memory are those of the program's process, its start
included (of several processes: the sum of the times, the largest memory). The databases lie in memory unless
`--folder` says otherwise, so that programs are compared and not disks. The commits that exist are those
`git rev-list --branches --tags` finds in the repositories that the person's list names; the new ones
came since the run before.

tap-github needs other versions of libraries than we do and is left out unless `--tap-github` names it. For an
environment of its own: python3.11 -m venv tap && tap/bin/pip install meltanolabs-tap-github==1.30.1
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PERSON = "alice"
PLENTY = 1_000_000
MEMORY = Path("/dev/shm")
CHANGED = "fernhill/atlas"
LONGEST_SAID = 4_000


@dataclass(frozen=True)
class GitHub:
    """A running sandbox."""

    url: str
    token: str

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    def control(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@dataclass(frozen=True)
class Tool:
    """`command` is given the GitHub and a folder of its own; `commits` is SQL for the ids in its database.

    `tables` is SQL that counts each table of things fetched from GitHub.
    """

    name: str
    collects: str
    command: Callable[[GitHub, Path], Sequence[str]]
    database: str
    commits: str
    tables: str


@dataclass(frozen=True)
class Row:
    """One run of one program. Git counts POSTs; memory is in MB; times are in seconds."""

    size: str
    latency: str
    run: str
    tool: str
    rest: int
    conditional: int
    not_modified: int
    points: int
    git: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    commits: int
    existing: int
    new_commits: int
    new_existing: int
    rows: int


def _script(name: str) -> Callable[[GitHub, Path], Sequence[str]]:
    return lambda github, folder: (
        sys.executable, str(HERE / name), github.api, github.token, str(folder / "rival.db"),
    )  # fmt: skip


OURS = Tool(
    "trackeep",
    "commits of all branches and tags, branches, PRs, reviews, issues, releases",
    lambda github, folder: (sys.executable, "-m", "trackeep", "sync"),
    "trackeep.db",
    'select sha from "commit"',
    """select count(*) from "commit" union all select count(*) from ref
    union all select count(*) from pull_request union all select count(*) from review
    union all select count(*) from issue union all select count(*) from release""",
)
TOOLS = (
    OURS,
    Tool(
        "github-to-sqlite",
        "commits of the default branch, PRs",
        _script("rival_github_to_sqlite.py"),
        "rival.db",
        "select sha from commits",
        "select count(*) from commits union all select count(*) from pull_requests",
    ),
    Tool(
        "PyGithub loop",
        "commits of the default branch, branches, PRs, reviews",
        _script("rival_pygithub.py"),
        "rival.db",
        "select sha from commits",
        """select count(*) from commits union all select count(*) from branches
        union all select count(*) from pulls union all select count(*) from reviews""",
    ),
)
RUNS = ("full", "idle", "small change", "merge of an old branch")


def tap_github(executable: Path) -> Tool:
    script = str(HERE / "rival_tap_github.py")
    return Tool(
        "tap-github",
        "commits of the default branch, branches, PRs, reviews, issues",
        lambda github, folder: (
            sys.executable, script, str(executable), github.api, github.token, str(folder / "rival.db"),
        ),
        "rival.db",
        "select json_extract(value, '$.sha') from record where stream = 'commits'",
        "select count(*) from record",
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=("small", "full"), default=["small", "full"])
    parser.add_argument("--latency-ms", nargs="+", type=float, default=[0, 50], help="added to every answer")
    parser.add_argument("--tap-github", type=Path, metavar="EXECUTABLE", help="compare with this one, too")
    parser.add_argument("--only", nargs="+", help="fewer programs, by their names in the table")
    parser.add_argument("--folder", type=Path, default=MEMORY if MEMORY.is_dir() else None)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    asked = parser.parse_args()
    known = (*TOOLS, tap_github(asked.tap_github)) if asked.tap_github else TOOLS
    tools = [tool for tool in known if asked.only is None or tool.name in asked.only]
    tempfile.tempdir = str(asked.folder) if asked.folder else None
    rows = [row for size in asked.size for row in measure(size, asked.latency_ms, tools)]
    for size in asked.size:
        print(f"\n{size}:\n\n{table([row for row in rows if row.size == size])}\n")
    for tool in tools:
        print(f"{tool.name} collects {tool.collects}.")
    if not asked.tap_github:
        print("tap-github was left out: --tap-github was not given.")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, load average at the end {load}.")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def measure(size: str, latencies_ms: Sequence[float], tools: Sequence[Tool]) -> Iterator[Row]:
    """Every program's runs in one sandbox; a change is made once, before the run of all programs."""
    with tempfile.TemporaryDirectory(prefix="sync-benchmark-") as kept, sandbox(size, Path(kept)) as github:
        for latency_ms in latencies_ms:
            github.control("latency", {"ms": latency_ms})
            folders = {
                tool.name: Path(kept) / re.sub(r"\W+", "-", f"{tool.name} {latency_ms}") for tool in tools
            }
            for folder in folders.values():
                folder.mkdir()
            before: set[str] = set()
            for run in RUNS:
                change(github, run)
                existing = commits_existing(github)
                which = (size, f"{latency_ms:g} ms", run)
                for tool in tools:
                    row = one_run(github, tool, folders[tool.name], which, (existing, existing - before))
                    print(f"{', '.join(which)}, {tool.name}: {row.wall_s:.1f} s", file=sys.stderr)
                    yield row
                before = existing


def change(github: GitHub, run: str) -> None:
    """What happens at GitHub before the run: a push and a review, or a branch of two months ago is merged."""
    if run == "small change":
        repositories = github.control("truth")["repositories"]
        pulls = next(r for r in repositories if r["full_name"] == CHANGED)["pulls"]
        number = next(pull["number"] for pull in pulls if pull["state"] == "open")
        github.control(f"repos/{CHANGED}/change", {"kind": "push"})
        github.control(f"repos/{CHANGED}/change", {"kind": "review", "number": number, "author": "bob"})
    elif run == "merge of an old branch":
        github.control(f"repos/{CHANGED}/change", {"kind": "merge-old-branch"})
    # Changes of this very second would make the program wait until it is over.
    time.sleep(1.5)


def one_run(
    github: GitHub, tool: Tool, folder: Path, which: tuple[str, str, str], existing: tuple[set[str], set[str]]
) -> Row:
    """The figures of one run; `existing` is all commits and, of them, the new ones."""
    everything, new = existing
    github.control("log", method="DELETE")
    wall_s, usage = timed(tool.command(github, folder), environment(github, folder))
    log = github.control("log")
    rest = [e for e in log if e["resource"] in ("core", "search")]
    stored = {row[0] for row in read(folder / tool.database, tool.commits)}
    return Row(
        *which,
        tool.name,
        rest=len(rest),
        conditional=sum(e["conditional"] for e in rest),
        not_modified=sum(e["status"] == 304 for e in rest),
        points=sum(e["cost"] for e in log if e["resource"] == "graphql"),
        git=sum(e["method"] == "POST" and e["path"].endswith("/git-upload-pack") for e in log),
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        commits=len(stored & everything),
        existing=len(everything),
        new_commits=len(stored & new),
        new_existing=len(new),
        rows=sum(row[0] for row in read(folder / tool.database, tool.tables)),
    )


def timed(command: Sequence[str], env: dict[str, str]) -> tuple[float, Any]:
    """Wall time and the resources that the process used. Ends the benchmark when the process fails."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-LONGEST_SAID:]
            sys.exit(f"{' '.join(command)} failed:\n{said}")
    return wall_s, usage


def environment(github: GitHub, folder: Path) -> dict[str, str]:
    """This environment without our settings, and without the one that has Python compile at every start."""
    unwanted = ("TRACKEEP_", "GITHUB_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {
        "GITHUB_TOKEN": github.token,
        "GITHUB_URL": github.url,
        "GITHUB_API_URL": github.api,
        "GITHUB_GIT_URL": github.url,
        "TRACKEEP_DATA_DIR": str(folder),
    }


def commits_existing(github: GitHub) -> set[str]:
    """The commits on branches and tags of the repositories that the person's own list names."""
    request = urllib.request.Request(f"{github.api}/user/repos?per_page=100")
    request.add_header("Authorization", f"Bearer {github.token}")
    request.add_header("User-Agent", "benchmark")
    with urllib.request.urlopen(request) as answer:
        listed = {repository["id"] for repository in json.load(answer)}
    found: set[str] = set()
    for repository in github.control("truth")["repositories"]:
        if repository["id"] in listed:
            listing = ("git", "-c", "safe.directory=*", "rev-list", "--branches", "--tags")
            done = subprocess.run(listing, cwd=repository["git_dir"], capture_output=True, check=True)
            found.update(done.stdout.decode().split())
    return found


def read(database: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@contextlib.contextmanager
def sandbox(size: str, folder: Path) -> Iterator[GitHub]:
    command = (sys.executable, "-m", "trackeep", "sandbox", "serve", "--port", "0", "--size", size)
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder / "github")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            sys.exit("The sandbox did not start.")
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
    "latency", "run", "program", "REST", "conditional", "304", "points", "git POSTs", "wall s", "CPU s",
    "peak MB", "rows", "rows/s", "commits stored of existing", "new ones",
)  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """A Markdown table whose columns line up."""
    lines = [HEADS, ("---",) * 3 + ("--:",) * (len(HEADS) - 3), *map(cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    return "\n".join(
        "| " + " | ".join(map(aligned, range(len(HEADS)), line, widths)) + " |" for line in lines
    )


def cells(row: Row) -> tuple[str, ...]:
    speed = f"{row.rows / row.wall_s:,.0f}" if row.run == "full" else ""
    counts = (row.rest, row.conditional, row.not_modified, row.points, row.git)
    used = (f"{row.wall_s:.2f}", f"{row.cpu_s:.2f}", f"{row.peak_mb:.0f}", f"{row.rows:,}", speed)
    new = "" if row.run == "full" else f"{row.new_commits} of {row.new_existing}"
    stored = (f"{row.commits:,} of {row.existing:,}", new)
    return (row.latency, row.run, row.tool, *map(str, counts), *used, *stored)


def aligned(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column < 3 else cell.rjust(width)


if __name__ == "__main__":
    sys.exit(main())
