"""The login with the real programs: what an operator starts, and what a person clicks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from local_instance import Guest
from programs import Program, environment, github_environment, run, start

pytestmark = pytest.mark.anyio

SECRETS = re.compile(r"gh[a-z]_[A-Za-z0-9._-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]{8,}")


Launch = Callable[..., Program]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Starts programs that end with the test, however it ends."""
    with contextlib.ExitStack() as stack:

        def launched(*args: str, env: dict[str, str]) -> Program:
            program = start(*args, env=env)
            stack.callback(program.stop)
            return program

        yield launched


async def trackeep(*args: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command beside the running programs, to its end."""
    return await asyncio.to_thread(lambda: run(*args, env=env))


def setup_code(program: Program) -> str:
    """The set-up code as the operator reads it in the log."""
    for line in program.stderr_text().splitlines():
        if "setup_code" in line:
            return str(json.loads(line)["setup_code"])
    raise AssertionError(program.stderr_text())


async def test_from_the_log_to_the_first_page(instance: Program, broker: Program) -> None:
    """The code of the log, the consent page, GitHub, and the person who typed the code is in."""
    async with Guest(instance.url, broker.url) as alice:
        assert (await alice.open("/")).location.startswith("/signin")
        await alice.set_up(setup_code(instance))
        assert (await alice.sign_in()).location == "/repos/choose"
        assert await alice.is_signed_in()
        await alice.send("/auth/logout", {})
        assert not await alice.is_signed_in()
    assert not SECRETS.search(instance.stderr_text())


async def test_a_restart_signs_nobody_out(
    sandbox: Program, broker: Program, tmp_path: Path, launch: Launch
) -> None:
    """Key file, database and session outlive the process; the set-up code of the day stays the same."""
    env = {**github_environment(sandbox.url), "TRACKEEP_BROKER_URL": broker.url}
    env |= {"TRACKEEP_DATA_DIR": str(tmp_path), "TRACKEEP_LOG_FORMAT": "json"}
    first = launch("serve", "--port", "0", "--no-worker", env=env)
    code, port = setup_code(first), first.url.rpartition(":")[2]
    assert first.stop() == 0
    second = launch("serve", "--port", port, "--no-worker", env=env)
    assert setup_code(second) == code
    async with Guest(second.url, broker.url) as alice:
        await alice.set_up(code)
        await alice.sign_in()
        second.kill()
        third = launch("serve", "--port", port, "--no-worker", env=env)
        assert await alice.is_signed_in()
        assert "setup_code" not in third.stderr_text()
    assert third.stop() == 0


async def test_the_demo_link_has_the_code_in_it(
    sandbox: Program, broker: Program, tmp_path: Path, launch: Launch
) -> None:
    """`serve --demo` prints a link that fills the field in; nothing happens until it is sent."""
    env = {**github_environment(sandbox.url), "TRACKEEP_BROKER_URL": broker.url}
    env |= {"TRACKEEP_DATA_DIR": str(tmp_path)}
    program = launch("serve", "--demo", "--port", "0", "--no-worker", env=env)
    base, _, query = program.url.partition("/setup?code=")
    async with Guest(base, broker.url) as alice:
        page = await alice.get(program.url)
        assert f'value="{query}"' in page.text
        assert (await alice.open("/signin")).location == "/setup"
        await alice.set_up(query)
        assert (await alice.sign_in()).status == 303


async def test_the_operator_says_who_may_enter(
    sandbox: Program, broker: Program, tmp_path: Path, launch: Launch
) -> None:
    """`trackeep user` lists, allows, removes and hands over, while the instance runs."""
    env = {**github_environment(sandbox.url), "TRACKEEP_BROKER_URL": broker.url}
    env |= {"TRACKEEP_DATA_DIR": str(tmp_path), "TRACKEEP_LOG_FORMAT": "json"}
    program = launch("serve", "--port", "0", "--no-worker", env=env)
    async with Guest(program.url, broker.url) as alice, Guest(program.url, broker.url, "bob") as bob:
        await alice.set_up(setup_code(program))
        await alice.sign_in()
        assert (await bob.sign_in()).status == 403
        assert (await trackeep("user", "allow", "bob", env=env)).returncode == 0
        assert (await bob.sign_in()).status == 303
        listed = json.loads((await trackeep("user", "list", "--json", env=env)).stdout)
        assert [(row["login"], row["role"]) for row in listed] == [("alice", "owner"), ("bob", "member")]
        assert (await trackeep("user", "make-owner", "bob", env=env)).returncode == 0
        assert not await alice.is_signed_in()
        assert (await trackeep("user", "remove", "mallory", "--yes", env=env)).returncode == 6
        recovery = (await trackeep("user", "make-owner", env=env)).stdout.strip()
        await alice.set_up(recovery.partition("code=")[2])
        assert (await alice.sign_in()).status == 303
        assert (await trackeep("user", "remove", "bob", "--yes", env=env)).returncode == 0
        assert not await bob.is_signed_in()


async def test_the_worker_alone_ends_on_request(sandbox: Program, tmp_path: Path) -> None:
    """`trackeep worker` runs until SIGTERM and then ends with 0."""
    env = environment({**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(tmp_path)})
    command = [sys.executable, "-W", "error", "-m", "trackeep", "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"Trackeep worker ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


async def test_an_instance_without_an_oauth_service_offers_tokens(
    sandbox: Program, tmp_path: Path, launch: Launch
) -> None:
    """Nothing is configured but the data folder: the sign-in page asks for a token, and it works."""
    env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(tmp_path)}
    program = launch("serve", "--port", "0", "--no-worker", env={**env, "TRACKEEP_LOG_FORMAT": "json"})
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/people") as answer:
        tokens = {person["login"]: person["token"] for person in await answer.json()}
    async with Guest(program.url, "") as alice:
        await alice.set_up(setup_code(program))
        page = await alice.open("/signin")
        assert "Continue with GitHub" not in page.text
        answer = await alice.send("/signin/token", {"token": tokens["alice"], "next": "/"})
        assert answer.location == "/repos/choose"
        assert (await alice.open("/auth/login")).status == 404
    assert not SECRETS.search(program.stderr_text())
