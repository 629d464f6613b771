"""Attack 29: the service is killed, or another replica answers, between any two steps of a login."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from local_broker import NOW, broker_environment, serve
from programs import Program, run, start
from sandbox_control import Sandbox
from visitor import Answer, Start, Visitor
from witness import Witness

from trackeep.errors import BrokerUnavailable
from trackeep.handshake import keys
from trackeep.handshake.client import BrokerClient

pytestmark = pytest.mark.anyio


class Fragile:
    """The service at one address, from one keys file, as often as it is started again."""

    def __init__(self, sandbox_url: str, folder: Path) -> None:
        keys_file = folder / "keys.json"
        assert run("broker", "init", "--keys-file", str(keys_file)).returncode == 0
        self._env = broker_environment(sandbox_url, TRACKEEP_BROKER_KEYS_FILE=str(keys_file))
        self.program = start("broker", "serve", "--port", "0", env=self._env)
        self.url = self.program.url

    async def kill(self) -> None:
        """kill -9, and a new process at the same address."""
        # In a thread: the visitor's connections notice that the other end has gone.
        await asyncio.to_thread(self.program.kill)
        port = self.url.rpartition(":")[2]
        self.program = await asyncio.to_thread(
            lambda: start("broker", "serve", "--port", port, env=self._env)
        )


@pytest.mark.parametrize("with_code", [True, False])
async def test_killed_after_every_step_the_login_completes(
    sandbox: Program, tmp_path: Path, with_code: bool
) -> None:
    """Nothing of a login lies in the process: start, consent, callback and exchange meet four of them."""
    service = Fragile(sandbox.url, tmp_path)
    login = Start(with_code=with_code)
    try:
        async with Visitor(service.url) as alice:
            page = await alice.begin(login)
            await service.kill()
            onward = (await alice.agree(page)).onward
            await service.kill()
            callback = await alice.sign_in_at_github(onward)
            answer = await alice.get(callback)
            await service.kill()
            assert finished(await alice.redeem(login, answer.query["code"]) if with_code else answer)
    finally:
        service.program.stop()


@pytest.mark.parametrize("with_code", [True, False])
async def test_every_step_may_reach_another_replica(sandbox: Program, with_code: bool) -> None:
    """Two replicas share the keys and nothing else; each step is answered by the one that did not before."""
    ring, login = keys.make_ring(NOW), Start(with_code=with_code)
    async with (
        serve(sandbox.url, ring) as one,
        serve(sandbox.url, ring, base_url=one.url) as other,
        Visitor(one.url) as alice,
    ):
        page = await alice.begin(login)
        alice.broker_url = other.url
        # To the browser both are the one public address.
        onward = (await alice.agree(page)).onward
        callback = await alice.sign_in_at_github(onward)
        answer = await alice.get(callback)
        assert callback.startswith(one.url)
        assert finished(await alice.redeem(login, answer.query["code"]) if with_code else answer)


async def test_killed_while_github_answers_it_is_one_error_and_one_click(
    fresh_sandbox: Program, tmp_path: Path
) -> None:
    """The instance hears that the service is away; the next login works; at most one token is orphaned."""
    service, github = Fragile(fresh_sandbox.url, tmp_path), Sandbox(fresh_sandbox.url)
    witness, login = await Witness.of(fresh_sandbox.url), Start()
    try:
        async with Visitor(service.url) as alice, aiohttp.ClientSession() as http:
            code = (await alice.log_in(login)).query["code"]
            github.fault("POST /login/oauth/access_token", "slow", delay_s=2.0)
            redeeming = asyncio.create_task(
                BrokerClient(http, service.url).redeem(
                    code=code, code_verifier=login.verifier, redirect_uri=login.base_url
                )
            )
            while not github.ask("/faults")[0]["used"]:
                await asyncio.sleep(0.02)
            await service.kill()
            with pytest.raises(BrokerUnavailable):
                await redeeming
            await asyncio.sleep(2.0)
            assert (await alice.redeem(login, code)).status in (200, 400)
            again = Start()
            assert finished(await alice.redeem(again, (await alice.log_in(again)).query["code"]))
        assert await witness.tokens() <= 2
    finally:
        service.program.stop()


def finished(answer: Answer) -> bool:
    """True when a login ended with a token, whichever way it travels."""
    if answer.location:
        return "token" in answer.query and answer.query["user"] == "alice"
    return answer.status == 200 and json.loads(answer.text)["user"]["username"] == "alice"
