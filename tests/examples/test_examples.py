"""What every example promises: a login that proves itself, and a token at rest that nobody reads."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from local_broker import broker_environment
from programs import Program, environment, start
from running_example import CODE_MODE, FOLDER, NAMES, Example, Guest, install, run
from sandbox_control import Sandbox
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio

GITHUB_TOKEN = re.compile(r"gh[a-z]_[A-Za-z0-9]{20,}")
MOST_LINES = 150


@pytest.fixture(scope="module")
def service(changing: Sandbox) -> Iterator[Program]:
    """The OAuth service in front of the local GitHub that this file changes."""
    program = start("broker", "serve", "--dev", "--port", "0", env=broker_environment(changing.url))
    yield program
    program.stop()


@pytest.fixture(scope="module", params=NAMES)
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How this example is started; node's packages are installed once."""
    return install(request.param, tmp_path_factory.mktemp("installed") / request.param)


@pytest.fixture(scope="module")
def name(command: list[str]) -> str:
    return Path(command[-1]).parent.name


@pytest.fixture(scope="module")
def settings(changing: Sandbox, service: Program) -> dict[str, str]:
    return {"BROKER_URL": service.url, "GITHUB_API_URL": changing.addresses.api}


@pytest.fixture(scope="module")
def example(
    name: str, command: list[str], settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    """The real program, shared by the tests of this file."""
    with run(name, command, tmp_path_factory.mktemp(name) / "data", **settings) as running:
        yield running


async def test_signing_in_and_out(example: Example) -> None:
    """A button, a clean address afterwards, a cookie for the server alone; out is out, on the server too."""
    async with Guest(example) as alice:
        assert 'href="/auth/login"' in (await alice.open()).text
        answer = await alice.sign_in()
        assert (answer.status, answer.location) == (303, f"{example.base_url}/"), answer.text
        (cookie,) = (line for line in answer.set_cookies if "session=" in line and "=;" not in line)
        assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "secure" not in cookie.lower()
        assert "alice" in (await alice.open()).text
        kept = dict(alice.cookies["localhost"])
        assert (await alice.press("/logout")).status == 303
        assert not await alice.is_signed_in()
        alice.cookies["localhost"] = kept
        assert not await alice.is_signed_in()
        assert example.rows("SELECT count(*) FROM sessions WHERE token IS NOT NULL AND expires_at = 0") == [
            (0,)
        ]


async def test_cookies_on_https(
    name: str, command: list[str], settings: dict[str, str], tmp_path: Path
) -> None:
    """Behind https both cookies bear `__Host-`: no neighbour and no plain http can set or see them."""
    own = {**settings, "BASE_URL": "https://home.example"}
    with run(name, command, tmp_path / "data", **own) as example:
        async with Guest(example) as alice:
            begun = await alice.open("/auth/login")
            answer = await alice.sign_in()
            assert (answer.status, answer.location) == (303, "https://home.example/"), answer.text
            lines = [line for line in begun.set_cookies + answer.set_cookies if "=;" not in line]
            assert len(lines) == 2
            for line in lines:
                parts = {part.strip().lower() for part in line.split(";")}
                assert line.startswith("__Host-")
                assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
                assert "domain" not in line.lower()
            assert await alice.is_signed_in()


async def test_a_login_of_another_browser(example: Example) -> None:
    """Mallory's own answer in alice's browser signs alice in as nobody, with or without a login of hers."""
    async with Guest(example, "mallory") as mallory, Guest(example) as alice:
        link = await mallory.to_callback()
        assert (await alice.get(link)).status == 400
        await alice.open("/auth/login")
        assert (await alice.get(link)).status == 400
        mixed = {**_query(link), "state": _query(await alice.to_callback())["state"]}
        assert (await alice.get(f"{link.partition('?')[0]}?{urlencode(mixed)}")).status == 400
        assert not await alice.is_signed_in()
        assert (await mallory.get(link)).status == 303


async def test_an_answer_that_was_used_before(example: Example) -> None:
    """The same answer in the same browser a second time, its login cookie put back, opens nothing."""
    async with Guest(example) as alice:
        link = await alice.to_callback()
        before = dict(alice.cookies["localhost"])
        assert (await alice.get(link)).status == 303
        assert (await alice.press("/logout")).status == 303
        alice.cookies["localhost"] = before
        assert (await alice.get(link)).status == 400
        assert not await alice.is_signed_in()


@pytest.mark.parametrize("with_code", [True, False])
async def test_an_answer_for_another_instance(example: Example, with_code: bool) -> None:
    """What the service made for mallory's instance is refused, although everything else about it fits."""
    async with Guest(example) as alice, Visitor(example.broker_url) as mallory:
        link = await alice.to_callback()
        state = _query(link)["state"]
        theirs = await mallory.log_in(Start("http://localhost:1", state, with_code=with_code), "mallory")
        forged = f"{example.address}/auth/callback?{theirs.location.partition('?')[2]}"
        assert (await alice.get(forged)).status == 400
        assert not await alice.is_signed_in()


async def test_a_token_that_nobody_asked_for(example: Example) -> None:
    """A callback with no answer, with words in it, or with a token where a code belongs: 400, never 500."""
    async with Guest(example) as alice:
        given = _query(await alice.to_callback())
        token = given.get("token", "a.b.c")
        for query in (
            {},
            {"state": given["state"]},
            {"token": token},
            {**given, "token": "a.b.c", "code": "x"},
        ):
            answer = await alice.open(f"/auth/callback?{urlencode(query)}")
            assert answer.status == 400, (query, answer.text)
        assert (await alice.open("/auth/callback?state=%C3%A9&token=%00&code=%C3%A9")).status == 400
        if example.name in CODE_MODE:
            assert (await alice.open(f"/auth/callback?token={token}&state={given['state']}")).status == 400
        assert not await alice.is_signed_in()


async def test_forms_of_other_sites(example: Example) -> None:
    """A form on mallory's page, or one that hides where it is, neither signs out nor tracks."""
    async with Guest(example) as alice:
        await alice.sign_in()
        for origin in ("https://mallory.example", "null", "", example.base_url + "0"):
            assert (await alice.press("/logout", origin)).status == 403
            assert (await alice.press("/track/alice/anything", origin)).status == 403
        assert await alice.is_signed_in()


async def test_tracked_activity(example: Example, changing: Sandbox) -> None:
    """All pages are counted, and asking again costs nothing of GitHub's budget while nothing changes."""
    truth = changing.ask("/truth?commits=1")["repositories"]
    readable = [each for each in truth if "alice" in each["readers"] and each["branches"]]
    largest = max(readable, key=lambda each: len(_reachable(each)))
    expected = (len(_reachable(largest)), len(largest["pulls"]), len(largest["branches"]))
    assert expected[0] > 100
    async with Guest(example) as alice:
        await alice.sign_in()
        assert largest["full_name"] in (await alice.open()).text
        assert (await alice.press(f"/track/{largest['full_name']}")).status == 303
        query = "SELECT commits, pulls, branches FROM activity WHERE repository = ?"
        assert example.rows(query, largest["full_name"]) == [expected]
        ((last,),) = example.rows("SELECT last_activity FROM activity")
        assert last[:2] == "20"
        mark = changing.mark()
        assert (await alice.press(f"/track/{largest['full_name']}")).status == 303
        asked = [each for each in changing.log(mark) if each["path"].startswith("/api/v3/repos")]
        assert len(asked) >= 4
        assert {each["status"] for each in asked} == {304}
        assert f"<td>{largest['full_name']}" in (await alice.open()).text


async def test_githubs_limits(example: Example, changing: Sandbox) -> None:
    """Told to wait, by a header or by an empty budget, it does not ask again before."""
    name = changing.repositories("carol")[0]["full_name"]
    for limit in ("Retry-After", "x-ratelimit-reset"):
        async with Guest(example, "carol") as carol:
            await carol.sign_in()
            if limit == "Retry-After":
                changing.fault(rf"GET /api/v3/repos/{name}/commits", "status", status=429, retry_after=90)
            else:
                changing.quota("core", "carol", used=5000)
            assert (await carol.press(f"/track/{name}")).status == 503
            mark = changing.mark()
            assert (await carol.press(f"/track/{name}")).status == 503
            assert not changing.log(mark)
            changing.quota("core", "carol", used=0)


async def test_an_empty_repository_and_a_missing_one(example: Example, changing: Sandbox) -> None:
    """What is not there is said to be so, and ends no session."""
    async with Guest(example) as alice:
        await alice.sign_in()
        assert (await alice.press("/track/alice/there-is-no-such-thing")).status == 502
        assert await alice.is_signed_in()


async def test_the_end_of_githubs_token(example: Example, changing: Sandbox) -> None:
    """When its time is over, or GitHub does not know it any more, the person signs in again."""
    async with Guest(example) as alice:
        await alice.sign_in()
        example.rows("UPDATE sessions SET expires_at = 1")
        assert not await alice.is_signed_in()
        await alice.sign_in()
        changing.fault("GET /api/v3/user/repos", "status", status=401)
        assert (await alice.open()).status >= 400
        assert not await alice.is_signed_in()
        assert (await alice.sign_in()).status == 303
        assert await alice.is_signed_in()


async def test_the_token_at_rest(example: Example) -> None:
    """No file but the key opens the token, a row's token opens no other row, and nothing is said aloud."""
    async with Guest(example) as alice, Guest(example, "bob") as bob:
        await alice.sign_in()
        await bob.sign_in()
        for path in example.data.rglob("*"):
            assert path.is_dir() or not re.search(rb"gh[a-z]_[A-Za-z0-9]{20,}", path.read_bytes()), path
        key = example.data / "key"
        assert (len(key.read_bytes()), stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
        assert stat.S_IMODE(example.data.stat().st_mode) == 0o700
        hers = "SELECT token FROM sessions WHERE username = 'alice' ORDER BY rowid DESC LIMIT 1"
        example.rows("UPDATE sessions SET token = ? WHERE username = 'bob'", *example.rows(hers)[0])
        assert not await bob.is_signed_in()
        assert await alice.is_signed_in()
        assert not GITHUB_TOKEN.search((await alice.open()).text)
    assert not re.search(r"gh[a-z]_|eyJ|token=|code=", example.said())


def test_a_short_key(name: str, command: list[str], settings: dict[str, str], tmp_path: Path) -> None:
    """A key that is not 32 bytes long is refused at the start, in one sentence."""
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    given = environment({**settings, "PORT": "0", "DATA_DIR": str(tmp_path)})
    ended = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert "32 bytes" in ended.stderr


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_stands_alone(name: str) -> None:
    """One file of at most 150 lines of code, nothing of Trackeep in it, just the versions tested here."""
    (source,) = (FOLDER / name).glob("app.*")
    text = source.read_text()
    assert len(_code(text)) <= MOST_LINES
    assert not re.search(r"(import|from) .?trackeep", text)
    if name.startswith("python"):
        lock = (FOLDER.parent / "requirements.lock").read_text()
        pins = (FOLDER / name / "requirements.txt").read_text().split()
        assert not [pin for pin in pins if f"{pin.lower()} " not in lock]
    else:
        package = json.loads((FOLDER / name / "package.json").read_text())
        assert all(re.fullmatch(r"[\d.]+", version) for version in package["dependencies"].values())


def _code(text: str) -> list[str]:
    """The lines that do something: not blank, no comment, no docstring."""
    bare = re.sub(r'^\s*"""[^"]*"""$|^\s*/\*\*.*?\*/$', "", text, flags=re.MULTILINE)
    return [line for line in bare.splitlines() if line.strip() and not line.strip().startswith(("#", "//"))]


def _query(link: str) -> dict[str, str]:
    return dict(parse_qsl(link.partition("?")[2]))


def _reachable(repository: dict[str, Any]) -> set[str]:
    """The commits of the default branch."""
    parents = {commit["sha"]: commit["parents"] for commit in repository["commits"]}
    found: set[str] = set()
    waiting = [repository["branches"][repository["default_branch"]]]
    while waiting:
        sha = waiting.pop()
        if sha not in found:
            found.add(sha)
            waiting += parents[sha]
    return found
