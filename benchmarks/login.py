"""Measures full logins through the OAuth service beside FastMCP's OAuthProxy: CPU time, rate, memory."""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import aiohttp
from local_broker import CLIENT_ID, CLIENT_SECRET, broker_environment
from programs import start
from visitor import Start, Visitor

from trackeep.handshake.messages import code_challenge

HERE = Path(__file__).resolve().parent
RIVAL = "fastmcp==4.1.2"
# GitHub limits each person; a service signs in many.
PEOPLE = ("alice", "bob", "carol", "zoe-l", "mallory")
INSTANCE = "https://home.example"
RIVALS_CALLBACK = "http://localhost:8080/auth/callback"

LogIn = Callable[[Visitor, str], Awaitable[None]]


@dataclass
class Contender:
    """One way of signing in; a round adds one figure to each list."""

    name: str
    pid: int
    url: str
    log_in: LogIn
    share: float = 1.0
    cpu_ms: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def line(self) -> str:
        cpu_ms = statistics.median(self.cpu_ms)
        return (
            f"{self.name:<22}{statistics.median(self.rate):>10.0f}{cpu_ms:>15.2f}"
            f"{min(self.cpu_ms):>9.2f}{max(self.cpu_ms):>9.2f}{1000 / cpu_ms:>16.0f}{self.rss_mb:>9.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    # More would meet the limit of one person, 300 logins a minute: the local GitHub has five people.
    parser.add_argument("--logins", type=int, default=100, help="in each round (the rival: a fifth of it)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _programs(Path(folder)) as contenders:
        for _ in range(asked.rounds):
            for each in contenders:
                asyncio.run(_round(each, max(asked.at_once, int(asked.logins * each.share)), asked.at_once))
        heads = ("service", "logins/s", "CPU ms/login", "least", "most", "logins/s/core", "RSS MB")
        print("{:<22}{:>10}{:>15}{:>9}{:>9}{:>16}{:>9}".format(*heads))
        for each in contenders:
            print(each.line())
        ours, rivals = (statistics.median(each.cpu_ms) for each in (contenders[0], contenders[-1]))
        print(f"The rival takes {rivals / ours:.1f} times the processor time of a login in code mode.")
        print("logins/s has the load generator and the local GitHub on the same cores;")
        print("logins/s/core is what the service's own processor time allows.")


@contextmanager
def _programs(folder: Path) -> Iterator[list[Contender]]:
    sandbox = start("sandbox", "serve", "--port", "0", "--data-dir", str(folder / "github"))
    # Only what an operator of a busy service would have: no line for every request. Each visitor has an
    # address of their own, which the service learns from a proxy that it trusts (this computer).
    env = broker_environment(
        sandbox.url, TRACKEEP_LOG_LEVEL="warning", TRACKEEP_BROKER_TRUSTED_PROXIES="127.0.0.1/32"
    )
    broker = start("broker", "serve", "--dev", "--port", "0", env=env)
    rival, rivals_url = _rival(folder / "venv", sandbox.url)
    try:
        yield [
            Contender("Trackeep, code", broker.pid, broker.url, _with_code),
            Contender("Trackeep, token", broker.pid, broker.url, _with_token),
            Contender(RIVAL, rival.pid, rivals_url, _at_rival, share=0.2),
        ]
    finally:
        rival.terminate()
        rival.wait()
        broker.stop()
        sandbox.stop()


async def _round(each: Contender, count: int, at_once: int) -> None:
    async def person(number: int, share: int) -> None:
        async with Visitor(each.url) as visitor:
            for _ in range(share):
                await each.log_in(visitor, PEOPLE[number % len(PEOPLE)])

    await person(0, 3)
    before, began = _cpu_s(each.pid), time.perf_counter()
    await asyncio.gather(*(person(number, count // at_once) for number in range(at_once)))
    done = count // at_once * at_once
    each.rate.append(done / (time.perf_counter() - began))
    each.cpu_ms.append(1000 * (_cpu_s(each.pid) - before) / done)
    each.rss_mb = max(each.rss_mb, _rss_mb(each.pid))


# ---- one login ----------------------------------------------------------------------------------


async def _with_code(visitor: Visitor, login: str) -> None:
    """Start, consent page, Continue, GitHub, callback, and the exchange by the instance's server."""
    begun = Start(f"https://{secrets.token_hex(4)}.home.example")
    answer = await visitor.log_in(begun, login)
    assert answer.status == 303, answer.text
    redeemed = await visitor.redeem(begun, answer.query["code"])
    assert redeemed.status == 200, redeemed.text


async def _with_token(visitor: Visitor, login: str) -> None:
    """The published contract: the token is in the last address."""
    answer = await visitor.log_in(Start(INSTANCE, with_code=False), login)
    assert answer.status == 303 and "token" in answer.query, answer.text


async def _at_rival(visitor: Visitor, login: str) -> None:
    """The same steps: authorize, consent page, approve, GitHub, callback, exchange."""
    verifier = secrets.token_urlsafe(32)
    query = {
        "response_type": "code",
        "client_id": await _registered(visitor),
        "redirect_uri": RIVALS_CALLBACK,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
        "state": secrets.token_urlsafe(16),
        "scope": "read:user user:email repo",
    }
    consent = await visitor.get(
        (await visitor.get(f"{visitor.broker_url}/authorize?{urlencode(query)}")).location
    )
    fields = dict(re.findall(r'name="(txn_id|csrf_token)" value="([^"]+)"', consent.text))
    form = {name: html.unescape(value) for name, value in fields.items()}
    onward = await visitor.post(consent.url, {**form, "action": "approve"}, origin=visitor.broker_url)
    back = await visitor.get(await visitor.sign_in_at_github(onward.location, login))
    assert "code=" in back.location, (consent.status, onward.status, back.status, back.location, back.text)
    exchange = {
        "grant_type": "authorization_code",
        "code": back.query["code"],
        "code_verifier": verifier,
        "redirect_uri": RIVALS_CALLBACK,
        "client_id": query["client_id"],
    }
    redeemed = await visitor.ask("POST", f"{visitor.broker_url}/token", {}, exchange)
    assert redeemed.status == 200, redeemed.text


_CLIENTS: dict[str, str] = {}


async def _registered(visitor: Visitor) -> str:
    """The client id at the rival, which has to be told about a client before; once, not in every login."""
    if visitor.broker_url not in _CLIENTS:
        metadata = {"redirect_uris": [RIVALS_CALLBACK], "token_endpoint_auth_method": "none"}
        url = f"{visitor.broker_url}/register"
        async with aiohttp.ClientSession() as http, http.post(url, json=metadata) as answer:
            _CLIENTS[visitor.broker_url] = (await answer.json())["client_id"]
    return _CLIENTS[visitor.broker_url]


# ---- processes ----------------------------------------------------------------------------------


def _rival(venv: Path, github_url: str) -> tuple[subprocess.Popen[bytes], str]:
    """The rival in an environment of its own: what it installs is no part of this project."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", RIVAL, "setuptools"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [
        venv / "bin" / "python",
        HERE / "rival_fastmcp.py",
        github_url,
        CLIENT_ID,
        CLIENT_SECRET,
        str(port),
    ]
    rival = subprocess.Popen(program)
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return rival, f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise RuntimeError("The rival did not start within 30 seconds.")


def _cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576


if __name__ == "__main__":
    main()
