"""Measures full logins through the OAuth service: logins per second, and processor time of the service."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from local_broker import broker_environment
from programs import Program, start
from visitor import Start, Visitor

# GitHub limits each person; a service signs in many.
PEOPLE = ("alice", "bob", "carol", "zoe-l", "mallory")


@dataclass(frozen=True)
class Result:
    logins: int
    seconds: float
    cpu_s: float
    rss_mb: float

    def line(self, mode: str) -> str:
        cpu_ms = 1000 * self.cpu_s / self.logins
        return (
            f"{mode:<12}{self.logins:>8}{self.logins / self.seconds:>12.0f}{cpu_ms:>16.2f}"
            f"{1000 / cpu_ms:>18.0f}{self.rss_mb:>12.0f}"
        )


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576


async def log_in(visitor: Visitor, login: str, with_code: bool) -> None:
    """One person: consent page, Continue, GitHub, callback, and the exchange in code mode."""
    begun = Start("https://home.example", with_code=with_code)
    answer = await visitor.log_in(begun, login)
    assert answer.status == 303, answer.text
    if with_code:
        redeemed = await visitor.redeem(begun, answer.query["code"])
        assert redeemed.status == 200, redeemed.text


async def measure(broker: Program, count: int, at_once: int, with_code: bool) -> Result:
    async def person(number: int, share: int) -> None:
        async with Visitor(broker.url) as visitor:
            for _ in range(share):
                await log_in(visitor, PEOPLE[number % len(PEOPLE)], with_code)

    await person(0, 5)
    before, began = cpu_s(broker.pid), time.perf_counter()
    await asyncio.gather(*(person(number, count // at_once) for number in range(at_once)))
    seconds, used = time.perf_counter() - began, cpu_s(broker.pid) - before
    return Result(count // at_once * at_once, seconds, used, rss_mb(broker.pid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logins", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = start("sandbox", "serve", "--port", "0", "--data-dir", folder)
        # Only what an operator of a busy service would have: no line for every request.
        env = broker_environment(sandbox.url, TRACKEEP_LOG_LEVEL="warning")
        broker = start("broker", "serve", "--dev", "--port", "0", env=env)
        try:
            heads = ("mode", "logins", "logins/s", "CPU ms/login", "logins/s/core", "RSS MB")
            print("{:<12}{:>8}{:>12}{:>16}{:>18}{:>12}".format(*heads))
            for mode, with_code in (("code", True), ("token", False)):
                result = asyncio.run(measure(broker, asked.logins, asked.at_once, with_code))
                print(result.line(mode))
            print("logins/s has the load generator and the local GitHub on the same cores;")
            print("logins/s/core is what the service's own processor time allows.")
        finally:
            broker.stop()
            sandbox.stop()


if __name__ == "__main__":
    main()
