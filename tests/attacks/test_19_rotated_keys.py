"""Attack 19: keys change under logins, tokens and replicas, and a key that was stolen is retired."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keys_in_time
import pytest
from local_broker import EXPIRING_CLIENT_ID, EXPIRING_CLIENT_SECRET, broker_environment
from programs import Program, run, start
from visitor import Answer, Start, Visitor

from trackeep.handshake import keys_file
from trackeep.handshake.keys import KeyRing

pytestmark = pytest.mark.anyio

FOLLOWS_WITHIN_S, FEWEST_LOGINS = 60.0, 3


@dataclass(frozen=True)
class Scene:
    """A service on a keys file of its own, at a GitHub whose tokens expire and can be renewed."""

    program: Program
    path: Path
    env: dict[str, str]

    async def rotate(self) -> None:
        """Every family gets a new key, and the service uses them."""
        await self.seals_with(keys_in_time.rotate_into_use(self.path), self.program.url)

    async def seals_with(self, ring: KeyRing, url: str) -> None:
        """Waits until the service at `url` has read the file."""
        wanted = {"flow": ring.of("flow")[-1].id, "login": ring.signing_key(time.time()).id}
        end = time.monotonic() + FOLLOWS_WITHIN_S
        async with Visitor(url) as anybody:
            while time.monotonic() < end:
                sealed = (await anybody.begin(Start())).form_token.partition(".")[0]
                published = (await anybody.get(f"{url}/.well-known/jwks.json")).text
                if sealed == wanted["flow"] and wanted["login"] in published:
                    return
                await asyncio.sleep(0.1)
        pytest.fail("the service does not follow its file")

    async def has_read(self, url: str) -> None:
        """Waits until the service at `url` publishes the newest key of the file, which may not be in use."""
        newest, end = keys_file.load(self.path).of("login")[-1].id, time.monotonic() + FOLLOWS_WITHIN_S
        async with Visitor(url) as anybody:
            while newest not in (await anybody.get(f"{url}/.well-known/jwks.json")).text:
                assert time.monotonic() < end, "the service does not follow its file"
                await asyncio.sleep(0.1)

    def retire(self, family: str) -> str:
        """Takes the key in use out of the file, as an operator does who fears that it was stolen."""
        listed = run("broker", "keys", "list", "--json", "--keys-file", str(self.path))
        states = [key for key in json.loads(listed.stdout) if key["family"] == family]
        current = next(key["id"] for key in states if key["state"] == "current")
        for command in (("rotate", "--family", family), ("retire", current)):
            done = run("broker", "keys", *command, "--keys-file", str(self.path))
            assert done.returncode == 0, done.stderr
        return str(current)


@pytest.fixture
def scene(sandbox: Program, tmp_path: Path) -> Iterator[Scene]:
    path = tmp_path / "keys.json"
    assert run("broker", "init", "--keys-file", str(path)).returncode == 0
    registration = {"GITHUB_CLIENT_ID": EXPIRING_CLIENT_ID, "GITHUB_CLIENT_SECRET": EXPIRING_CLIENT_SECRET}
    env = broker_environment(sandbox.url, **registration, TRACKEEP_BROKER_KEYS_FILE=str(path))
    program = start("broker", "serve", "--port", "0", env=env)
    yield Scene(program, path, env)
    program.stop()


async def who(visitor: Visitor, token: str) -> int:
    bearer = {"Authorization": f"Bearer {token}"}
    return (await visitor.ask("GET", f"{visitor.broker_url}/api/v1/user/me", bearer)).status


async def refresh(visitor: Visitor, login: Start, refresh_token: str) -> Answer:
    return await visitor.redeem(
        login, "", code_verifier="", grant_type="refresh_token", refresh_token=refresh_token
    )


async def test_a_login_completes_whatever_is_rotated_in_its_middle(scene: Scene) -> None:
    """All keys change before Continue, before GitHub's answer, before the code and before the refresh."""
    login = Start()
    async with Visitor(scene.program.url) as alice:
        page = await alice.begin(login)
        await scene.rotate()
        onward = (await alice.agree(page)).onward
        await scene.rotate()
        callback = await alice.sign_in_at_github(onward)
        await scene.rotate()
        code = (await alice.get(callback)).query["code"]
        await scene.rotate()
        redeemed = await alice.redeem(login, code)
        assert redeemed.status == 200, redeemed.text
        tokens = json.loads(redeemed.text)
        await scene.rotate()
        assert await who(alice, tokens["token"]) == 200
        renewed = await refresh(alice, login, tokens["refresh_token"])
    assert renewed.status == 200, renewed.text
    assert json.loads(renewed.text)["access_token"] != tokens["access_token"]


async def test_a_login_token_of_the_key_before_is_still_good(scene: Scene) -> None:
    """A program that checks tokens with the key set, or asks the service, notices no rotation."""
    async with Visitor(scene.program.url) as alice:
        before = (await alice.log_in(Start(with_code=False))).query["token"]
        await scene.rotate()
        after = (await alice.log_in(Start(with_code=False))).query["token"]
        assert await who(alice, before) == 200
        assert await who(alice, after) == 200
    assert before.partition(".")[0] != after.partition(".")[0]


async def test_what_a_retired_key_sealed_is_refused(scene: Scene) -> None:
    """Codes, logins under way and refresh tokens of a stolen key are worth nothing; new ones work."""
    login, other = Start(), Start()
    async with Visitor(scene.program.url) as alice:
        first = json.loads((await alice.redeem(login, (await alice.log_in(login)).query["code"])).text)
        code = (await alice.log_in(login)).query["code"]
        callback = await alice.back_from_github(other)
        scene.retire("refresh")
        scene.retire("flow")
        await _until_gone(alice, callback)
        refused = await alice.redeem(login, code)
        assert (refused.status, json.loads(refused.text)["error"]) == (400, "invalid_grant")
        dead = await refresh(alice, login, first["refresh_token"])
        assert (dead.status, json.loads(dead.text)["error"]) == (400, "invalid_grant")
        assert (await alice.redeem(login, (await alice.log_in(login)).query["code"])).status == 200


async def test_a_token_of_a_retired_signing_key_is_refused(scene: Scene) -> None:
    """Whoever stole the key signs for nobody: the service and its key set forget it at once."""
    async with Visitor(scene.program.url) as alice:
        token = (await alice.log_in(Start(with_code=False))).query["token"]
        assert await who(alice, token) == 200
        gone = scene.retire("login")
        end = time.monotonic() + FOLLOWS_WITHIN_S
        while await who(alice, token) == 200 and time.monotonic() < end:
            await asyncio.sleep(0.1)
        assert await who(alice, token) == 401
        assert gone not in (await alice.get(f"{scene.program.url}/.well-known/jwks.json")).text
        after = (await alice.log_in(Start(with_code=False))).query["token"]
        assert await who(alice, after) == 200


async def test_replicas_that_share_a_file_rotate_under_load_without_a_failure(scene: Scene) -> None:
    """Logins that begin at one service and end at another all succeed while keys change three times."""
    port = _free_port()
    shared = {**scene.env, "TRACKEEP_BROKER_BASE_URL": scene.program.url}
    other = start("broker", "serve", "--port", str(port), env=shared)
    try:
        ended = asyncio.Event()
        urls = (scene.program.url, f"http://localhost:{port}")
        people = [asyncio.create_task(_keep_logging_in(urls, ended)) for _ in range(3)]
        for _ in range(3):
            # Not one step: first the keys are known, a moment later they are in use, as in real life.
            keys_in_time.rotate(scene.path)
            await asyncio.gather(*(scene.has_read(url) for url in urls))
            ring = keys_in_time.age(scene.path, ("flow", "consent", "refresh"), 61)
            await asyncio.gather(*(scene.seals_with(ring, url) for url in urls))
        ended.set()
        assert min(await asyncio.gather(*people)) >= FEWEST_LOGINS
    finally:
        other.stop()


async def _keep_logging_in(urls: tuple[str, str], ended: asyncio.Event) -> int:
    """How many logins went through, each of their steps at the other service."""
    count = 0
    while not ended.is_set() or count < FEWEST_LOGINS:
        login = Start()
        here, there = urls if count % 2 else reversed(urls)
        async with Visitor(here) as person:
            page = await person.begin(login)
            person.broker_url = there
            callback = await person.sign_in_at_github((await person.agree(page)).onward)
            # GitHub sends everybody to the one public address; a balancer sends them anywhere.
            code = (await person.get(here + callback.removeprefix(urls[0]))).query["code"]
            redeemed = await person.redeem(login, code)
            assert redeemed.status == 200, redeemed.text
        count += 1
        await asyncio.sleep(0.05)
    return count


async def _until_gone(visitor: Visitor, callback: str) -> None:
    """Waits until the service seals with another key; then the login under way is refused, cookie and all."""
    end = time.monotonic() + FOLLOWS_WITHIN_S
    while (await visitor.begin(Start())).form_token.partition(".")[0] in callback and time.monotonic() < end:
        await asyncio.sleep(0.1)
    assert (await visitor.get(callback)).status == 400


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
