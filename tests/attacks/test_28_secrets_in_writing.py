"""Attack 28: mallory reads everything that both programs wrote, looking for a token, a code or a verifier."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import leaks
import pytest
from local_broker import EXPIRING_APP, broker_environment
from local_instance import Guest
from programs import Program, github_environment, run, start
from sandbox_control import Sandbox
from visitor import Answer, Start, Visitor

pytestmark = pytest.mark.anyio
DEBUG = {"TRACKEEP_LOG_LEVEL": "debug", "TRACKEEP_LOG_FORMAT": "json"}


@dataclass
class Run:
    """A local GitHub, the service and an instance at their most talkative, and what passed through them."""

    github: Sandbox
    broker: Program
    instance: Program
    folder: Path
    secrets: leaks.Secrets = field(default_factory=leaks.Secrets)
    errors: list[str] = field(default_factory=list)

    def failed(self, answer: Answer, *statuses: int) -> None:
        assert answer.status in statuses, (answer.status, answer.text)
        self.errors.append(f"{answer.headers}\n{answer.text}")

    def knows(self, visitor: Visitor) -> None:
        """Cookies are sealed values and sessions: as good as a login for whoever reads them."""
        for jar in visitor.cookies.values():
            self.secrets.add(*(value for value in jar.values() if len(value) >= 16))


@pytest.fixture
async def talkative(fresh_sandbox: Program, tmp_path: Path) -> AsyncIterator[Run]:
    keys = tmp_path / "keys.json"
    assert run("broker", "init", "--keys-file", str(keys)).returncode == 0
    with ExitStack() as stack:
        env = broker_environment(fresh_sandbox.url, **EXPIRING_APP, **DEBUG)
        env |= {"TRACKEEP_BROKER_KEYS_FILE": str(keys)}
        broker = start("broker", "serve", "--port", "0", env=env)
        stack.callback(broker.stop)
        home = {"TRACKEEP_DATA_DIR": str(tmp_path / "instance"), "TRACKEEP_BROKER_URL": broker.url}
        instance = start(
            "serve", "--port", "0", env={**github_environment(fresh_sandbox.url), **home, **DEBUG}
        )
        stack.callback(instance.stop)
        found = Run(Sandbox(fresh_sandbox.url), broker, instance, tmp_path / "instance")
        found.secrets.add(EXPIRING_APP["GITHUB_CLIENT_SECRET"], *strings(json.loads(keys.read_text())))
        yield found


async def test_nothing_secret_stands_anywhere(talkative: Run) -> None:
    """Logins in both modes, every failure, refreshes and ends: no log, metric, error or file has a secret."""
    await sign_in_in_both_modes(talkative)
    await be_refused(talkative)
    await meet_github_in_trouble(talkative)
    await refresh_and_end(talkative)
    await use_an_instance(talkative)
    written = await everything_written(talkative)
    assert len(talkative.secrets.words) > 60
    assert len(talkative.errors) >= 9
    for name in ("broker log", "instance log", "metrics", "errors"):
        assert len(written[name]) > 500, name
    found = {name: talkative.secrets.found_in(text) for name, text in written.items()}
    assert not {name: lines for name, lines in found.items() if lines}


async def test_the_search_finds_what_is_there(talkative: Run) -> None:
    """A planted secret of each kind is found, alone, in JSON, in an address and inside other words."""
    await sign_in_in_both_modes(talkative)
    talkative.secrets.add(*talkative.github.ask("/issued")["values"])
    planted = sorted(talkative.secrets.words)
    lines = ["nothing here", *(f'{{"path": "/x?code={word}&state=s", "n": 1}}' for word in planted)]
    found = talkative.secrets.found_in("\n".join(lines))
    assert {number for number, _ in found} == set(range(2, len(lines) + 1))
    unknown = f"a glued-in{'gh'}o_{secrets.token_hex(18)}, never issued here"
    assert leaks.Secrets().found_in(f"first\n{unknown}")[0][0] == 2
    log = leaks.folder() / "planted-test.log"
    log.write_text(f"first\n{unknown}\n")
    try:
        assert any(found.startswith(f"{log}:2: gh") for found in leaks.findings())
    finally:
        log.unlink()


async def sign_in_in_both_modes(talkative: Run) -> None:
    async with Visitor(talkative.broker.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        redeemed = json.loads((await alice.redeem(login, code)).text)
        jwt = (await alice.log_in(Start(with_code=False))).query["token"]
        bearer = {"Authorization": f"Bearer {jwt}"}
        assert (await alice.ask("GET", f"{talkative.broker.url}/api/v1/user/me", bearer)).status == 200
        names = ("access_token", "refresh_token", "token")
        talkative.secrets.add(code, jwt, login.verifier, login.state, *(redeemed[name] for name in names))
        talkative.knows(alice)


async def be_refused(talkative: Run) -> None:
    """Wrong verifier, wrong code, a spent one, another address, a bad bearer, a wrong form, no cookie."""
    url = talkative.broker.url
    async with Visitor(url) as alice, Visitor(url) as mallory:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        talkative.secrets.add(code, login.verifier)
        wrong = secrets.token_urlsafe(32)
        talkative.failed(await alice.redeem(login, code, code_verifier=wrong), 400)
        talkative.failed(await alice.redeem(login, f"{code[:-6]}AAAAAA"), 400)
        talkative.failed(await alice.redeem(login, code, redirect_uri="https://else.example"), 400)
        assert (await alice.redeem(login, code)).status == 200
        talkative.failed(await alice.redeem(login, code), 400)
        bearer = {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{secrets.token_urlsafe(40)}."}
        talkative.failed(await alice.ask("GET", f"{url}/api/v1/user/me", bearer), 401)
        callback = await alice.back_from_github(Start())
        talkative.knows(alice)
        talkative.failed(await mallory.get(callback), 400)
        talkative.failed(await mallory.post(f"{url}/auth/github", {"token": wrong}), 400, 403)
        talkative.failed(await mallory.get(f"{url}/token?code={code}&code_verifier={login.verifier}"), 405)


async def meet_github_in_trouble(talkative: Run) -> None:
    """502 at the exchange, then an answer that is no JSON, then a person whom GitHub does not name."""
    async with Visitor(talkative.broker.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        talkative.secrets.add(code, login.verifier)
        exchange = "POST /login/oauth/access_token"
        talkative.github.fault(exchange, "status", status=502)
        talkative.failed(await alice.redeem(login, code), 503)
        talkative.github.fault(exchange, "html", status=200)
        talkative.failed(await alice.redeem(login, code), 502, 503)
        talkative.github.fault("GET /api/v3/user$", "status", times=2, status=500)
        talkative.failed(await alice.redeem(login, code), 503)
        talkative.knows(alice)


async def refresh_and_end(talkative: Run) -> None:
    """A refresh, the same again, one that is wrong, one after GitHub has ended it, and an end."""
    url = talkative.broker.url
    async with Visitor(url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        redeemed = json.loads((await alice.redeem(login, code)).text)
        form = {"grant_type": "refresh_token", "refresh_token": redeemed["refresh_token"]}
        form |= {"client_id": login.base_url}
        for _ in range(2):
            refreshed = await alice.ask("POST", f"{url}/token", {}, form)
            assert refreshed.status == 200, refreshed.text
        pair = json.loads(refreshed.text)
        talkative.secrets.add(
            code, *(each[n] for each in (redeemed, pair) for n in ("access_token", "refresh_token"))
        )
        other = {**form, "client_id": "https://else.example"}
        talkative.failed(await alice.ask("POST", f"{url}/token", {}, other), 400, 401)
        ended = await alice.ask("POST", f"{url}/revoke", {}, {"token": pair["access_token"]})
        assert ended.status == 200
        bad = {**form, "refresh_token": f"{pair['refresh_token'][:-6]}AAAAAA"}
        talkative.failed(await alice.ask("POST", f"{url}/token", {}, bad), 400)


async def use_an_instance(talkative: Run) -> None:
    """Set up, signed in, synchronised for a moment; a forged answer and a foreign one are refused."""
    async with Guest(talkative.instance.url, talkative.broker.url) as alice:
        await alice.set_up(setup_code(talkative.instance))
        callback = await alice.to_callback()
        talkative.knows(alice)
        talkative.secrets.add(alice.query_of(callback)["code"], alice.query_of(callback)["state"])
        code = alice.query_of(callback)["code"]
        talkative.failed(await alice.open(f"/auth/callback?token={code}&user=alice"), 400)
        assert (await alice.get(callback)).status == 303
        assert await alice.is_signed_in()
        talkative.knows(alice)
        talkative.failed(await alice.get(callback), 400)
        await alice.open("/")
        await asyncio.sleep(1)


async def everything_written(talkative: Run) -> dict[str, str]:
    """Every text that somebody other than the person concerned may come to read, by where it stands."""
    async with aiohttp.ClientSession() as http, http.get(f"{talkative.broker.url}/metrics") as answer:
        metrics = await answer.text()
    # Before they stop: afterwards nobody could be asked what was given out.
    talkative.secrets.add(*talkative.github.ask("/issued")["values"])
    talkative.broker.stop()
    talkative.instance.stop()
    # The key beside the database is the one file that may open what is sealed in it.
    files = [path for path in talkative.folder.rglob("*") if path.is_file() and "key" not in path.name]
    assert any(path.suffix == ".db" for path in files)
    return {
        "broker log": talkative.broker.stderr_text(),
        "instance log": talkative.instance.stderr_text(),
        "metrics": metrics,
        "errors": "\n".join(talkative.errors),
        **{path.name: path.read_bytes().decode("latin-1") for path in files},
    }


def setup_code(program: Program) -> str:
    found = re.search(r'"setup_code": "([^"]+)"', program.stderr_text())
    assert found, program.stderr_text()
    return found[1]


def strings(content: Any) -> list[str]:
    """Every text within JSON that is long enough to be a key."""
    if isinstance(content, dict):
        return [text for value in content.values() for text in strings(value)]
    if isinstance(content, list):
        return [text for value in content for text in strings(value)]
    return [content] if isinstance(content, str) and len(content) >= 24 else []
