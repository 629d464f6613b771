"""What GitHub renames, moves, hides, blocks or turns off: followed, kept, said, and looked for again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from local_instance import Guest, LocalInstance, serve
from programs import Program, github_environment, run, start
from sandbox_control import Sandbox
from sqlalchemy import select, update

from trackeep.store import activity, schedule
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_sync import cursor
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.sync.credentials import Credentials
from trackeep.sync.engine import Outcome
from trackeep.sync.worker import Worker

pytestmark = pytest.mark.anyio

ALMANAC, OTTER, TIDES, LIGHTHOUSE = "alice/almanac", "bob/otter-cli", "alice/tide-tables", "alice/lighthouse"
DAY_S = 86_400


@dataclass
class Stage:
    """Alice's instance, which follows what she has chosen; its clock and GitHub's go on together."""

    github: Sandbox
    instance: LocalInstance
    alice: Guest

    async def follow(self, *names: str) -> None:
        ids = [self.github.repository(name)["id"] for name in names]
        async with self.instance.site.db.write() as conn:
            await schedule.follow_repositories(conn, self.github.person_id("alice"), ids, 0)

    async def sync(self, later_s: float = 0.0) -> list[Outcome]:
        self.github.advance(later_s)
        site = self.instance.site
        self.instance.clock.ahead_s = self.github.now() - time.time()
        async with site.db.write() as conn:
            await conn.execute(update(schedule_table).values(due_at=0, priority=schedule.POLL))
        credentials = Credentials(site.db, site.vault, self.github.now)
        return await Worker(site.db, credentials, site.settings.github, clock=self.github.now).run_once()

    async def granted(self) -> set[int]:
        async with self.instance.site.db.read() as conn:
            return await activity.granted_ids(conn, self.github.person_id("alice"))

    async def row(self, repository_id: int) -> Any:
        async with self.instance.site.db.read() as conn:
            return (await conn.execute(select(repository).where(repository.c.id == repository_id))).one()

    async def page(self) -> str:
        return (await self.alice.open("/sync")).text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    yield Sandbox(program.url)
    program.stop()


@pytest.fixture
async def stage(served: Sandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    async with serve(tmp_path / "instance", served.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        answer = await alice.send("/signin/token", {"token": served.token()})
        assert answer.status == 303, answer.text
        stage = Stage(served, instance, alice)
        await stage.sync()
        yield stage
    served.ask("/faults", method="DELETE")
    served.ask("/clock", {"real": True})


async def test_a_new_name_is_the_same_repository(stage: Stage) -> None:
    """Renamed and given away: number and rows stay, the new name is shown, the former ones are kept."""
    await stage.follow(LIGHTHOUSE)
    await stage.sync()
    key = stage.github.repository(LIGHTHOUSE)["id"]
    for kind, more, name in (
        ("rename", {"name": "beam"}, "alice/beam"),
        ("transfer", {"to": "carol"}, "carol/beam"),
    ):
        stage.github.change("/".join(await owner_and_name(stage, key)), kind, **more)
        stage.github.change(name, "push")
        assert [each.failures for each in await stage.sync(60)] == [{}]
        assert await differences(stage.instance.site.db, stage.github, [name]) == {}
        assert "/".join(await owner_and_name(stage, key)) == name
    assert {LIGHTHOUSE, "alice/beam"} <= set((await stage.row(key)).former_names.split())


async def owner_and_name(stage: Stage, key: int) -> tuple[str, str]:
    row = await stage.row(key)
    return row.owner, row.name


async def test_git_and_rest_follow_a_name_of_yesterday(stage: Stage) -> None:
    """Renamed in the middle of a sync, all that is asked under the old name arrives."""
    await stage.follow(TIDES)
    key = stage.github.repository(TIDES)["id"]
    await stage.sync()
    stage.github.change(TIDES, "push")
    async with stage.instance.site.db.write() as conn:
        await conn.execute(update(cursor).where(cursor.c.repository_id == key).values(complete=False))
    # The list still shows the old name: the rename comes after it.
    stage.github.fault("GET /api/v3/user/repos", "slow", delay_s=0.01)
    stage.github.change(TIDES, "rename", name="tides")
    mark = stage.github.mark()
    await stage.sync(60)
    assert await differences(stage.instance.site.db, stage.github, ["alice/tides"]) == {}
    assert all(each["status"] < 400 for each in stage.github.log(mark))


async def test_what_is_lost_is_said_and_comes_back(stage: Stage) -> None:
    """Access taken away: hidden and kept, said with the name alice knew; looked for daily, whole again."""
    await stage.follow(ALMANAC, OTTER)
    await stage.sync()
    key, kept = stage.github.repository(OTTER)["id"], await commits_of(stage, OTTER)
    stage.github.change(OTTER, "access", login="alice", permission=None)
    await stage.sync(60)
    assert key not in await stage.granted()
    assert await commits_of(stage, OTTER) == kept
    page = await stage.page()
    assert "No longer shown by GitHub" in page and f"{OTTER}: it was deleted, or you lost access." in page
    stage.github.change(OTTER, "rename", name="otter-secret")
    mark = stage.github.mark()
    for _ in range(3):
        await stage.sync(3_600)
    assert len(asked_for(stage, key, mark)) == 1
    await stage.sync(DAY_S)
    assert len(asked_for(stage, key, mark)) == 2
    page = await stage.page()
    assert f"{OTTER}: Not Found." in page and "otter-secret" not in page
    stage.github.change("bob/otter-secret", "push")
    stage.github.change("bob/otter-secret", "open-issue")
    stage.github.change("bob/otter-secret", "access", login="alice", permission="push")
    await stage.sync(DAY_S)
    assert key in await stage.granted()
    await stage.sync(60)
    assert await differences(stage.instance.site.db, stage.github, ["bob/otter-secret"]) == {}
    assert "No longer shown by GitHub" not in await stage.page()


async def commits_of(stage: Stage, name: str) -> set[str]:
    key = stage.github.repository(name)["id"]
    async with stage.instance.site.db.read() as conn:
        rows = await conn.execute(select(commit.c.sha).where(commit.c.repository_id == key))
        return set(rows.scalars())


def asked_for(stage: Stage, key: int, since: int) -> list[Any]:
    return [each for each in stage.github.log(since) if each["path"] == f"/api/v3/repositories/{key}"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "Not Found"), (451, "Repository access blocked"), (410, "Issues are disabled")],
)
async def test_each_refusal_has_its_words(stage: Stage, status: int, words: str) -> None:
    """A repository that is gone, blocked or closed to alice: the page says which, history stays."""
    await stage.follow(ALMANAC)
    await stage.sync()
    key, kept = stage.github.repository(ALMANAC)["id"], await commits_of(stage, ALMANAC)
    async with stage.instance.site.db.write() as conn:
        await activity.lose_access(conn, stage.github.person_id("alice"), [key], 0)
    stage.github.fault("GET /api/v3/user/repos", "status", status=304)
    stage.github.fault(f"GET /api/v3/repositories/{key}$", "status", status=status)
    await stage.sync(60)
    assert f"{ALMANAC}: {words}" in await stage.page()
    assert await commits_of(stage, ALMANAC) == kept


async def test_issues_that_are_turned_off_rest(stage: Stage) -> None:
    """410 ends the reading of issues without a complaint; commits and pull requests are there."""
    await stage.follow(ALMANAC)
    stage.github.fault(f"GET /api/v3/(repos/{ALMANAC}|repositories/.*)/issues", "status", status=410)
    mark = stage.github.mark()
    assert [each.failures for each in await stage.sync()] == [{}]
    assert set(await differences(stage.instance.site.db, stage.github, [ALMANAC])) == {f"{ALMANAC} issues"}
    await stage.sync(60)
    assert len([each for each in stage.github.log(mark) if each["path"].endswith("almanac/issues")]) == 1


@pytest.mark.parametrize("is_ours", [True, False])
async def test_single_sign_on_shows_the_way(stage: Stage, is_ours: bool) -> None:
    """The link of `X-GitHub-SSO` stands on the page, if it leads to the GitHub of the settings."""
    await stage.follow(ALMANAC)
    where = stage.github.url if is_ours else "https://github.attacker.example"
    link = f"{where}/orgs/fernhill/sso?authorization_request=A1B2"
    headers = {"X-GitHub-SSO": f"required; url={link}"}
    stage.github.fault(f"GET /api/v3/repos/{ALMANAC}/issues", "status", status=403, headers=headers)
    await stage.sync()
    page = await stage.page()
    assert "The organisation asks for single sign-on first." in page
    assert (f'href="{link}"' in page) == is_ours and "attacker.example" not in page
    assert [each.failures for each in await stage.sync(7 * 3_600)] == [{}]
    assert "Allow it at GitHub" not in await stage.page()


async def test_a_refused_token_asks_to_reconnect_once(stage: Stage) -> None:
    """401 for a token that has no successor: one request, then silence until alice has done something."""
    stage.github.fault("GET /api/v3/user/repos", "status", status=401)
    mark = stage.github.mark()
    assert [each.state for each in await stage.sync(60)] == ["reconnect"]
    assert await stage.sync(60) == []
    assert len(stage.github.log(mark)) == 1
    assert "Reconnect" in await stage.page()


def test_no_token_in_what_a_sync_writes(fresh_sandbox: Program, tmp_path: Path) -> None:
    """Not in its output, its database or its addresses, though GitHub sends it back in its errors."""
    github = Sandbox(fresh_sandbox.url)
    token = github.token()
    for match in ("GET /api/v3/repos/alice/almanac/issues", "POST /alice/seedling.git", "GET /api/v3/issues"):
        github.fault(match, "status", status=404, message=f"Bad token {token}")
    environment = {
        **github_environment(github.url),
        "TRACKEEP_DATA_DIR": str(tmp_path),
        "TRACKEEP_LOG_LEVEL": "debug",
        "GITHUB_TOKEN": token,
    }
    done = run("sync", env=environment)
    written = done.stdout + done.stderr + "".join(f"{e['path']}?{e['query']}" for e in github.log())
    assert "almanac" in written and token not in written
    assert not [
        each for each in tmp_path.rglob("*") if each.is_file() and token.encode() in each.read_bytes()
    ]
