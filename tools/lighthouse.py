"""Lighthouse over the key pages of a filled instance: `python3 run.py lighthouse [PATH...] [--phone]`.

Installs Lighthouse from npm (one version, one digest) below .venv, fills an instance from a small sandbox,
and looks at each page three times with alice's cookie; the run with the median performance counts. A run
that failed (a busy computer paints nothing in time) is repeated once. Ends with 1 when a gate is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import FLAGS, SYSTEM
from filled_instance import Filled, filled_and_served
from node_tools import LIGHTHOUSE

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("/", "/r/fernhill/atlas", "/pulls")
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100}
RUNS = 3
HEAD = (
    f"{'page':<34}{'perf':>6}{'a11y':>6}{'best':>6}{'FCP ms':>9}{'LCP ms':>9}{'TBT ms':>8}{'CLS':>7}{'kB':>7}"
)


@dataclass(frozen=True)
class Seen:
    """One run: scores of 100, when something and the most was painted, how long the page was stuck."""

    scores: dict[str, int]
    first_paint_ms: float
    largest_paint_ms: float
    blocked_ms: float
    shift: float
    kilobytes: float
    failed: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="*", default=PAGES)
    parser.add_argument("--phone", action="store_true", help="as on a slow phone instead of a desk")
    asked = parser.parse_args()
    script = LIGHTHOUSE.install(ROOT / ".venv" / "lighthouse")
    print(HEAD)
    missed = False
    with (
        tempfile.TemporaryDirectory(prefix="trackeep-lighthouse-") as kept,
        filled_and_served(Path(kept)) as who,
    ):
        for path in asked.paths:
            seen = median([look(script, who, path, phone=asked.phone) for _ in range(RUNS)])
            missed |= any(seen.scores[name] < least for name, least in LEAST.items())
            say(path, seen)
    return 1 if missed else 0


def look(script: Path, who: Filled, path: str, *, phone: bool) -> Seen:
    """One run, repeated once when Lighthouse itself failed. Raises RuntimeError when that failed, too."""
    for _ in range(2):
        report = run(script, who, path, phone=phone)
        if "runtimeError" not in report and report["categories"]["performance"]["score"] is not None:
            return read(report)
    raise RuntimeError(f"Lighthouse failed twice at {path}: {report.get('runtimeError')}")


def run(script: Path, who: Filled, path: str, *, phone: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as folder:
        output = Path(folder) / "report.json"
        command = [
            *("node", str(script), who.url + path, "--quiet", "--output=json", f"--output-path={output}"),
            *("--disable-full-page-screenshot", f"--only-categories={','.join(CATEGORIES)}"),
            f"--extra-headers={json.dumps({'Cookie': who.header})}",
            f"--chrome-flags={' '.join(('--headless=new', *FLAGS))}",
            *(() if phone else ("--preset=desktop",)),
        ]
        chrome = {"CHROME_PATH": str(SYSTEM)} if SYSTEM.exists() else {}
        done = subprocess.run(
            command, env={**os.environ, **chrome}, capture_output=True, text=True, timeout=180, check=False
        )
        if not output.exists():
            return {"runtimeError": done.stderr[-500:]}
        found: dict[str, Any] = json.loads(output.read_text())
        return found


def read(report: dict[str, Any]) -> Seen:
    audits = report["audits"]
    scores = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
    failed = [
        f"{name}: {audits[ref['id']]['title']}"
        for name in CATEGORIES[1:]
        for ref in report["categories"][name]["auditRefs"]
        if ref["weight"] and audits[ref["id"]]["score"] not in (None, 1)
    ]
    numbers = (
        audits[name]["numericValue"]
        for name in (
            *("first-contentful-paint", "largest-contentful-paint", "total-blocking-time"),
            *("cumulative-layout-shift", "total-byte-weight"),
        )
    )
    paint, largest, blocked, shift, size = numbers
    return Seen(scores, paint, largest, blocked, shift, size / 1024, tuple(failed))


def median(runs: list[Seen]) -> Seen:
    return sorted(runs, key=lambda one: one.scores["performance"])[len(runs) // 2]


def say(path: str, seen: Seen) -> None:
    scores = "".join(f"{seen.scores[name]:>6}" for name in CATEGORIES)
    times = f"{seen.first_paint_ms:>9.0f}{seen.largest_paint_ms:>9.0f}{seen.blocked_ms:>8.0f}"
    print(f"{path:<34}{scores}{times}{seen.shift:>7.3f}{seen.kilobytes:>7.1f}", flush=True)
    for what in seen.failed:
        print(f"    {what}")


if __name__ == "__main__":
    sys.exit(main())
