"""Repositories asked for by name come with the person's own token; a deep read brings back what was lost."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from small_visit import text_of
from small_world import enter
from sqlalchemy import delete, func, select, update

from trackeep.github.transport import fingerprint
from trackeep.model import Email, Person
from trackeep.store import following, people, schedule, wishes
from trackeep.store.people import Credential
from trackeep.store.tables import follow, repository
from trackeep.store.tables_fetched import commit, issue, pull_request
from trackeep.store.tables_sync import cursor, run
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.sync.credentials import Credentials
from trackeep.sync.worker import Worker

pytestmark = pytest.mark.anyio
PUBLIC = "fernhill/atlas"


@dataclass
class Stage:
    """Somebody's instance beside a GitHub, with a worker that is called when it is wanted."""

    github: Sandbox
    instance: LocalInstance
    guest: Guest
    account_id: int

    async def work(self) -> None:
        site = self.instance.site
        async with site.db.write() as conn:
            await conn.execute(update(schedule_table).values(due_at=0))
        await Worker(site.db, Credentials(site.db, site.vault), site.settings.github).run_once()

    async def names(self) -> set[str]:
        rows = (
            select(repository.c.owner, repository.c.name)
            .join(follow, follow.c.repository_id == repository.c.id)
            .where(follow.c.account_id == self.account_id)
        )
        async with self.instance.site.db.read() as conn:
            return {f"{row.owner}/{row.name}" for row in await conn.execute(rows)}

    async def count(self, table: object) -> int:
        rows = select(func.count()).select_from(table)  # type: ignore[arg-type]  # any table
        async with self.instance.site.db.read() as conn:
            return int((await conn.execute(rows)).scalar_one())


@pytest.fixture
async def stage(changing: Sandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    """bob, who follows nothing yet."""
    github = changing
    bob, token, now = github.person_id("bob"), github.token("bob"), int(time.time())
    async with serve(tmp_path, github.url) as instance, Guest(instance.url, "", "bob") as guest:
        async with instance.site.db.write() as conn:
            await people.save_account(conn, Person(bob, "bob"), [Email("bob@x.example")], now)
            await people.allow(conn, Person(bob, "bob"), "command", now)
            credential = Credential("token", token, fingerprint(token), ("repo", "read:org"))
            await people.save_credential(conn, instance.site.vault, bob, credential, now)
        await enter(instance, guest, bob)
        yield Stage(github, instance, guest, bob)


async def test_a_name_is_asked_for_and_answered(stage: Stage) -> None:
    """What GitHub shows is followed and read, what it does not show is refused alike, private or invented."""
    private = next(
        each["full_name"]
        for each in stage.github.repositories("alice")
        if each["private"] and "bob" not in each["readers"]
    )
    for name in (PUBLIC.upper(), private, "nobody/nothing-here"):
        await stage.guest.send("/repos/add", {"repository": name})
    assert "GitHub is asked, with your own token" in text_of((await stage.guest.open("/repos")).text)
    await stage.work()
    assert await stage.names() == {PUBLIC}
    async with stage.instance.site.db.read() as conn:
        answers = {each.name: (each.state, each.problem) for each in await wishes.of(conn, stage.account_id)}
    assert answers[PUBLIC.lower()] == (wishes.FOLLOWED, "")
    assert answers[private.lower()] == answers["nobody/nothing-here"]
    assert answers[private.lower()][0] == wishes.REFUSED
    assert await stage.count(commit) > 100
    page = text_of((await stage.guest.open("/repos")).text)
    assert "fernhill/ atlas" in page and "GitHub shows no such repository to you" in page


async def test_what_it_cost_is_told_by_kind(stage: Stage) -> None:
    """Each stream knows its requests; the second look at the lists is answered "unchanged"."""
    await stage.guest.send("/repos/add", {"repository": PUBLIC})
    await stage.work()
    await stage.work()
    async with stage.instance.site.db.read() as conn:
        rows = (await conn.execute(select(cursor).where(cursor.c.requests > 0))).all()
        last = (await conn.execute(select(run).order_by(run.c.id.desc()))).first()
    cost = {row.stream: (row.requests, row.conditional, row.not_modified) for row in rows}
    assert cost["commits"][0] >= 2 and cost["pulls"][0] >= 1 and cost["issues"][0] >= 1
    assert cost["repositories"][0] > cost["repositories"][1] >= cost["repositories"][2] >= 1
    assert last is not None and last.conditional >= last.not_modified >= 1
    page = text_of((await stage.guest.open(f"/sync/r/{PUBLIC}")).text)
    found = re.search(r"Commits, branches and tags .*? to the end .*? \d{4} ([\d,]+) (\d+) ", page)
    assert found, page
    assert (int(found[1].replace(",", "")), int(found[2])) == (await stage.count(commit), cost["commits"][0])


async def test_a_deep_read_brings_back_what_was_lost(stage: Stage) -> None:
    """Rows that vanished behind our back come again, though nothing has moved at GitHub."""
    await stage.guest.send("/repos/add", {"repository": PUBLIC})
    await stage.work()
    whole = [await stage.count(table) for table in (commit, pull_request, issue)]
    db = stage.instance.site.db
    async with db.write() as conn:
        some = select(commit.c.sha).where(commit.c.parent_count == 1).order_by(commit.c.committed_at).limit(7)
        await conn.execute(delete(commit).where(commit.c.sha.in_(some)))
        await conn.execute(delete(issue))
        await conn.execute(delete(pull_request).where(pull_request.c.state == "closed"))
    await stage.work()
    assert await stage.count(commit) == whole[0] - 7, "a usual look has no reason to see it"
    async with db.read() as conn:
        (number,) = await following.every(conn, stage.account_id)
    await stage.guest.send("/repos/bulk", {"one": f"deep.{number}"})
    await stage.work()
    assert [await stage.count(table) for table in (commit, pull_request, issue)] == whole
    async with db.read() as conn:
        at = (await schedule.cursors(conn, stage.account_id))[number, "commits"]
    assert (at.complete, at.items, "deep" in at.position) == (True, whole[0], False)


async def test_a_second_reader_counts_what_is_stored(stage: Stage) -> None:
    """Somebody who follows what is here already is told the same number of commits."""
    await stage.guest.send("/repos/add", {"repository": PUBLIC})
    await stage.work()
    db = stage.instance.site.db
    async with db.write() as conn:
        (number,) = await following.every(conn, stage.account_id)
        await conn.execute(delete(cursor).where(cursor.c.repository_id == number))
    await stage.work()
    async with db.read() as conn:
        at = (await schedule.cursors(conn, stage.account_id))[number, "commits"]
    assert at.items == await stage.count(commit)


async def test_what_changed_during_a_pause_comes_after_it(stage: Stage) -> None:
    """Though the list of changes has moved on meanwhile: resumed, the repository itself is looked at."""
    for name in (PUBLIC, "bob/otter-cli"):
        await stage.guest.send("/repos/add", {"repository": name})
    await stage.work()
    db, number = stage.instance.site.db, stage.github.repository(PUBLIC)["id"]
    await stage.guest.send("/repos/bulk", {"one": f"pause.{number}"})
    stage.github.change(PUBLIC, "push", message="while it was paused")
    stage.github.change(PUBLIC, "open-issue", title="while it was paused")
    stage.github.change("bob/otter-cli", "open-issue", title="elsewhere")
    await stage.work()
    await stage.work()
    titles = select(issue.c.title).where(issue.c.title.in_(["while it was paused", "elsewhere"]))
    async with db.read() as conn:
        assert list((await conn.execute(titles)).scalars()) == ["elsewhere"]
    await stage.guest.send("/repos/bulk", {"one": f"track.{number}"})
    await stage.work()
    async with db.read() as conn:
        assert len(list((await conn.execute(titles)).scalars())) == 2
        pushed = select(commit.c.sha).where(commit.c.message.like("while it was paused%"))
        assert len(list((await conn.execute(pushed)).scalars())) == 1
