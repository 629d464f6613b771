"""Attack 29: real replicas behind a proxy, and kill -9 between and during the steps that programs take."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import local_instance
import pytest
import redis_server
from local_broker import EXPIRING_APP
from local_instance import Guest, link_to
from programs import Program
from refreshing import Pair, refresh
from registered import allow, post, register
from round_robin import Fleet, fleet
from sandbox_control import Sandbox
from visitor import Start, Visitor
from witness import EXCHANGE, Witness

pytestmark = pytest.mark.anyio


async def name_of(visitor: Visitor, path: str, token: str) -> str:
    """Whom the service recognises in a token."""
    answer = await visitor.ask("GET", visitor.broker_url + path, {"Authorization": f"Bearer {token}"})
    assert answer.status == 200, answer.text
    body = json.loads(answer.text)
    return str(body.get("preferred_username") or body["user"]["username"])


def took_turns(service: Fleet) -> bool:
    """No request reached the replica that had the one before."""
    ports = [port for _, port in service.answered]
    return len(ports) > 3 and all(one != other for one, other in pairwise(ports))


async def test_each_request_of_a_login_meets_another_replica(sandbox: Program, tmp_path: Path) -> None:
    """In both modes, and for an OpenID Connect program that pushes its request: the keys are enough."""
    async with fleet(sandbox.url, tmp_path, replicas=2) as service, Visitor(service.url) as alice:
        login = Start("http://localhost:8080")
        code = (await alice.log_in(login)).query["code"]
        redeemed = json.loads((await alice.redeem(login, code)).text)
        assert await name_of(alice, "/api/v1/user/me", redeemed["token"]) == "alice"

        # Somebody else's address, so that the page is shown again.
        guide = await alice.log_in(Start("http://localhost:8081", with_code=False))
        assert await name_of(alice, "/api/v1/user/me", guide.query["token"]) == "alice"

        program = await register(service.url)
        pushed = {**program.question(), "client_secret": program.secret}
        status, body = await post(alice, "/par", pushed)
        assert status == 201, body
        only = {name: "" for name in program.question() if name != "client_id"}
        back = await allow(alice, program.url(**only, request_uri=body["request_uri"]))
        status, body = await post(alice, "/token", program.redemption(back.query["code"]))
        assert status == 200, body
        assert await name_of(alice, "/userinfo", body["access_token"]) == "alice"
        assert took_turns(service)


async def test_twenty_redemptions_over_two_replicas_are_one(sandbox: Program, tmp_path: Path) -> None:
    """Nothing is shared but the keys, and still a code is worth one token."""
    async with fleet(sandbox.url, tmp_path, replicas=2) as service, Visitor(service.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        witness = await Witness.of(sandbox.url)
        answers = await asyncio.gather(*(alice.redeem(login, code) for _ in range(20)))
        assert sorted(answer.status for answer in answers) == [200, *[400] * 19]
        assert await witness.tokens() == 1


async def test_what_was_refreshed_outlives_the_processes(
    sandbox: Program, tmp_path: Path, redis: redis_server.RedisServer
) -> None:
    """kill -9 after the login and after the refresh: both stay good, and a lost reply is given again."""
    settings = {**EXPIRING_APP, "TRACKEEP_BROKER_REDIS_URL": redis.url}
    async with (
        fleet(sandbox.url, tmp_path, replicas=1, **settings) as service,
        Visitor(service.url) as home,
    ):
        login = Start()
        redeemed = await home.redeem(login, (await home.log_in(login)).query["code"])
        pair, token = Pair.of(redeemed), json.loads(redeemed.text)["token"]
        await service.kill()
        assert await name_of(home, "/api/v1/user/me", token) == "alice"
        witness = await Witness.of(sandbox.url)
        following = Pair.of(await refresh(home, login, pair.refresh_token))
        await service.kill()
        again = [Pair.of(await refresh(home, login, pair.refresh_token)) for _ in range(2)]
        assert again == [following, following]
        assert await witness.exchanges() == 1
        assert Pair.of(await refresh(home, login, following.refresh_token)) != following


async def test_an_instance_signs_in_while_the_service_dies_after_every_step(
    sandbox: Program, tmp_path: Path
) -> None:
    """Pushed request, page, agreement, callback, code: each meets a process that has seen nothing of it."""
    async with (
        fleet(sandbox.url, tmp_path, replicas=1) as service,
        local_instance.serve(tmp_path, sandbox.url, service.url) as instance,
        Guest(instance.url, service.url) as alice,
    ):
        await alice.set_up(await instance.code())
        begun = await alice.get(link_to("/auth/login", await alice.open("/signin")))
        await service.kill()
        page = await alice.get(begun.location)
        await service.kill()
        onward = (await alice.agree(page)).onward
        await service.kill()
        back = await alice.get(await alice.sign_in_at_github(onward))
        await service.kill()
        assert (await alice.get(back.location)).status == 303
        assert await alice.is_signed_in()


async def test_a_login_without_a_code_survives_every_kill(sandbox: Program, tmp_path: Path) -> None:
    """The older mode, whose answer is the token itself: page, agreement and callback meet other processes."""
    login = Start(with_code=False)
    async with fleet(sandbox.url, tmp_path, replicas=1) as service, Visitor(service.url) as alice:
        page = await alice.begin(login)
        await service.kill()
        onward = (await alice.agree(page)).onward
        await service.kill()
        callback = await alice.sign_in_at_github(onward)
        await service.kill()
        answer = await alice.get(callback)
        assert answer.query["user"] == "alice"
        assert await name_of(alice, "/api/v1/user/me", answer.query["token"]) == "alice"


async def test_killed_while_github_answers_the_person_reads_one_error_and_clicks_once(
    fresh_sandbox: Program, tmp_path: Path
) -> None:
    """The instance says what happened and leads to its sign-in page; one token at most is nobody's."""
    github = Sandbox(fresh_sandbox.url)
    async with (
        fleet(github.url, tmp_path, replicas=1) as service,
        local_instance.serve(tmp_path, github.url, service.url) as instance,
        Guest(instance.url, service.url) as alice,
    ):
        await alice.set_up(await instance.code())
        witness = await Witness.of(github.url)
        back = await alice.to_callback()
        github.fault(f"POST {EXCHANGE}", "slow", delay_s=1.0)
        returning = asyncio.create_task(alice.get(back))
        while not github.ask("/faults")[0]["used"]:
            await asyncio.sleep(0.05)
        await service.kill()
        failed = await returning
        assert failed.status in (502, 503), failed.text[-600:]
        assert "The OAuth service" in failed.text and "Traceback" not in failed.text
        assert not await alice.is_signed_in()
        signin = await alice.get(link_to("/signin", failed))
        assert (await alice.get(await alice.back_from(link_to("/auth/login", signin)))).status == 303
        assert await alice.is_signed_in()
        assert 1 <= await witness.tokens() <= 2
