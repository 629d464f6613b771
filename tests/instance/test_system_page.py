"""Settings, system: the owner sees what runs and what is wrong, and can show that to others."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from programs import environment, github_environment, run
from small_world import ALICE, BOB, NOW, enter
from sqlalchemy import delete, insert, text, update

from trackeep import __version__
from trackeep.environment import instance_settings
from trackeep.instance import checks
from trackeep.instance.settings import licences
from trackeep.instance.settings.system_page import redacted
from trackeep.store import tables, tables_sync
from trackeep.store.instance_figures import Worker

pytestmark = pytest.mark.anyio

PAGE = "/settings/system"


@pytest.fixture(params=["", "/t"], ids=["root", "path"])
async def api(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, path=request.param, database_url=database_url) as found:
        async with found.instance.site.db.write() as conn:
            await conn.execute(insert(tables.instance).values(id=1, owner_id=ALICE))
            mine = tables.account.c.id == ALICE
            await conn.execute(update(tables.account).where(mine).values(role="owner"))
            seen = {"name": "host-7:4711", "started_at": NOW - 90, "seen_at": NOW - 5}
            await conn.execute(insert(tables_sync.worker).values(seen))
        yield found


@pytest.fixture
async def alice(api: Api) -> AsyncIterator[Guest]:
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        yield browser


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def report_on(page: str) -> str:
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)
    assert found
    return html.unescape(found[1])


async def test_the_owner_sees_what_runs(api: Api, alice: Guest) -> None:
    """Versions, database with its size, tables, counts, workers, checks, hosts and licences."""
    page = (await alice.open(PAGE)).text
    told = text_of(page)
    kind = "SQLite" if api.instance.site.db.is_sqlite else "PostgreSQL"
    assert re.search(rf"Trackeep {re.escape(__version__)} Python 3\.\d+\.\d+", told)
    assert re.search(rf"Database {kind} \d+\.\d+", told)
    assert ("log of writes" in told) is api.instance.site.db.is_sqlite
    assert "Tables version 0001" in told and "Runs of the last hour 1 done" in told
    assert "3 repositories, 3 followed" in told and "host-7:4711 Alive" in told
    assert (
        "one worker lives" in told
        and "tables up to date" in told
        and "you came by the public address" in told
    )
    assert "localhost:1 This instance" in told
    assert re.search(r"SQLAlchemy \d[\d.]+ MIT", told)


async def test_what_is_wrong_stands_there(api: Api, alice: Guest) -> None:
    """No worker, tables of another version, another host name: each with what to do."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(tables_sync.worker))
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    told = text_of((await alice.open(PAGE, host="other.example")).text)
    assert "none lives, so nothing new is read" in told and "No worker was heard of within a day" in told
    assert "tables of version 9999, which this program does not work with" in told
    assert "you came by other.example, which is not the public address" in told


async def test_only_the_owner_sees_it(api: Api) -> None:
    """A member is refused, a stranger is asked to sign in, and neither has the entry."""
    async with Guest(api.instance.url, "") as bob:
        await enter(api.instance, bob, BOB)
        assert (await bob.open(PAGE)).status == 403
        assert PAGE not in (await bob.open("/settings")).text
    async with Guest(api.instance.url, "") as nobody:
        assert (await nobody.open(PAGE)).status == 303


async def test_the_report_can_be_shown_to_anybody(api: Api, alice: Guest, tmp_path: Path) -> None:
    """The facts and findings as text, without an address, a path, a machine, a person or a repository."""
    report = report_on((await alice.open(PAGE, host="secret-name.example")).text)
    assert f"Trackeep: {__version__}" in report and "[ok] database" in report
    assert "Workers: heard of" in report
    for name in ("localhost", str(tmp_path), "host-7", "alice", "bob", "atlas", "secret-plan", "secret-name"):
        assert name not in report, name


def test_what_is_redacted(tmp_path: Path) -> None:
    """Every address of the settings but GitHub's own; also where one contains another."""
    settings = instance_settings(
        environment(
            {
                "TRACKEEP_BASE_URL": "https://home.example/t",
                "TRACKEEP_DATA_DIR": str(tmp_path),
                "TRACKEEP_BROKER_URL": "https://login.home.example",
                "TRACKEEP_WEBHOOK_SECRET": "w" * 20,
                "GITHUB_URL": "https://ghe.home.example",
                "GITHUB_API_URL": "https://ghe.home.example/api/v3",
            }
        )
    )
    findings = [*checks.of_settings(settings), checks.of_address(settings, "203.0.113.7:99")]
    text = " ".join([repr(findings), settings.broker_url, settings.github.api, settings.github.web])
    shown = redacted(text, settings, "203.0.113.7:99")
    for name in ("home.example", "203.0.113.7", "wwww", str(tmp_path)):
        assert name not in shown, shown
    assert "(public address)" in shown and "(another host)" in shown


async def test_no_secret_is_on_the_page(tmp_path: Path) -> None:
    """Neither the database's password nor any secret of the settings."""
    secrets = {"secret_key": "k" * 40, "metrics_token": "m" * 40, "webhook_secret": "w" * 40}
    async with small_api(tmp_path, **secrets) as api, Guest(api.instance.url, "") as alice:
        async with api.instance.site.db.write() as conn:
            await conn.execute(insert(tables.instance).values(id=1, owner_id=ALICE))
            await conn.execute(update(tables.account).values(role="owner"))
        await enter(api.instance, alice)
        page = (await alice.open(PAGE)).text
    for secret in secrets.values():
        assert secret[:8] not in page


def test_the_command_and_the_page_check_alike(tmp_path: Path) -> None:
    """What needs nobody else to answer is found by one and the same code."""
    home = {"TRACKEEP_DATA_DIR": str(tmp_path), "TRACKEEP_BASE_URL": "http://home.example"}
    env = environment({**home, **github_environment("http://127.0.0.1:9")})
    found = json.loads(run("doctor", "--json", env=env).stdout)["findings"]
    told = {(each["check"], each["sentence"]) for each in found}
    for finding in checks.of_settings(instance_settings(env)):
        assert (finding.check, finding.sentence) in told


def test_workers_are_judged_by_their_last_word() -> None:
    """Alive within two minutes; without anybody to sync for none is needed."""
    worker = Worker("w", 0, 1_000)
    assert checks.of_workers([worker], 1_119, is_needed=True).state == "ok"
    assert checks.of_workers([worker], 1_120, is_needed=True).state == "error"
    assert checks.of_workers([], 0, is_needed=False).state == "ok"


def test_every_library_has_a_licence() -> None:
    """What is installed for this program, not for its tests; each says under which licence it is."""
    found = {one.name.lower(): one for one in licences.libraries()}
    assert {"sqlalchemy", "starlette", "aiohttp", "cryptography", "multidict"} <= set(found)
    assert not {"trackeep", "pytest", "ruff", "hypothesis", "playwright"} & set(found)
    assert not [one for one in found.values() if one.licence == licences.UNKNOWN]
    assert all(len(one.licence) <= licences.LONGEST for one in found.values())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("License-Expression: MIT\nLicense: x", "MIT"),
        ("License: BSD", "BSD"),
        ("License: " + "long " * 40 + "\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("Classifier: Topic :: Other", licences.UNKNOWN),
    ],
)
def test_a_package_may_say_its_licence_in_three_ways(tmp_path: Path, fields: str, expected: str) -> None:
    """An expression, words of its own unless they are the whole text, or a class."""
    (tmp_path / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{fields}\n")
    assert licences.licence_of(metadata.Distribution.at(tmp_path).metadata) == expected
