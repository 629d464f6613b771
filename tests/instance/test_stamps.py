"""How old a block is: said where the page's own line says another thing, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local_instance import LocalInstance
from small_visit import text_of, visit
from small_world import ALICE, ATLAS, HERON, NOW
from sqlalchemy import delete, update

from trackeep.store import tables_sync

pytestmark = pytest.mark.anyio
OLD = "1 of 2 repositories older than 9 h"
SYNCED = ("/commits", "/branches", "/activity", "/pulls", "/pulls?list=open", "/pulls/insights", "/calendar")
STAMP = re.compile(r'class="stamp" href="([^"]+)">([^<]+)<')


async def test_nothing_is_said_where_all_is_as_fresh_as_the_page(tmp_path: Path) -> None:
    """Each page says once when it was synced, and no block repeats it."""
    async with visit(tmp_path) as (instance, alice):
        await _set(instance, HERON, "pulls", complete=True)
        for path in ("/", "/r/fernhill/atlas/pulls", *SYNCED):
            page = (await alice.open(path)).text
            assert not STAMP.findall(page), path
            assert text_of(page).lower().count("synced 4 min ago") == 1, path


async def test_only_the_blocks_that_are_older_say_so(tmp_path: Path) -> None:
    """Old commits are told in the head of what is made from commits, and lead to the page of the sync."""
    async with visit(tmp_path) as (instance, alice):
        await _set(instance, HERON, "pulls", complete=True)
        await _set(instance, ATLAS, "commits", succeeded_at=NOW - 9 * 3600 - 60, problem="git refuses.")
        page = (await alice.open("/")).text
        of_issues = (await alice.open("/?kind=issue")).text
        repository = (await alice.open("/r/fernhill/atlas")).text
        pulls = (await alice.open("/pulls")).text
        commits = (await alice.open("/commits")).text
    # Numbers, calendar, activity, repositories; not the queue, and not the line that is about all of them.
    assert STAMP.findall(page) == [("/sync", OLD)] * 4
    assert "stamp" not in page.split("Waiting for you")[1].split("</section>")[0]
    assert STAMP.findall(of_issues) == [("/sync", OLD)] * 3
    where = "/sync/r/fernhill/atlas"
    as_of = (where, "as of 02:59")
    assert STAMP.findall(repository)[:3] == [as_of] * 3, "pulse, hours, committers"
    assert not STAMP.findall(pulls)
    assert STAMP.findall(commits) == [("/sync", OLD)]


async def test_what_every_block_would_say_is_said_once(tmp_path: Path) -> None:
    """Where all are old alike the page's line says it, and a first reading goes on in its own words."""
    async with visit(tmp_path) as (instance, alice):
        reading = text_of((await alice.open("/")).text)
        await _set(instance, HERON, "pulls", succeeded_at=NOW - 9 * 3600 - 60, problem="GitHub refuses.")
        page = (await alice.open("/")).text
        insights = (await alice.open("/pulls/insights")).text
    assert "still reading 1 repository" in reading
    assert STAMP.findall(page) == [("/sync", OLD)]
    assert f"Synced 4 min ago · {OLD} · " in text_of(page)
    assert STAMP.findall(insights) == [("/sync", OLD)]


async def test_what_was_never_read_is_told(tmp_path: Path) -> None:
    """A kind of data that never came is no old one; days before today have their date, in one's own style."""
    async with visit(tmp_path) as (instance, alice):
        await _set(instance, ATLAS, "issues", succeeded_at=None, complete=False)
        await _set(instance, ATLAS, "pulls", succeeded_at=NOW - 86_400)
        tab = text_of((await alice.open("/r/fernhill/atlas/pulls")).text)
        activity = text_of((await alice.open("/r/fernhill/atlas/activity")).text)
        chosen = {"date_style": "iso", "week_start": "1", "stale_days": "14", "time_zone": "Europe/Prague"}
        await alice.send("/settings/display", chosen)
        styled = text_of((await alice.open("/r/fernhill/atlas/pulls")).text)
    assert "Synced 4 min ago · as of 22 November 2026, 12:00 ·" in tab
    assert "not read to the end yet" in activity
    assert "as of 2026-11-22, 12:00 ·" in styled


async def test_the_time_left_is_one_number(tmp_path: Path) -> None:
    """The dashboard says it of the first sync as the page of the sync does: by GitHub's budget."""
    position = '{"total": 30100, "read": 100, "first": 100}'
    graphql = {
        "resource": "graphql",
        "limit": 5000,
        "remaining": 1300,
        "reset_at": NOW + 36_000,
        "seen_at": NOW,
    }
    async with visit(tmp_path) as (instance, alice):
        await _set(instance, HERON, "pulls", position=position)
        async with instance.site.db.write() as conn:
            await conn.execute(delete(tables_sync.run))
            await conn.execute(tables_sync.budget.insert(), {**graphql, "account_id": ALICE})
        first, sync = [text_of((await alice.open(path)).text) for path in ("/", "/sync")]
    # 300 pages, and 300 of 1,300 requests may be used within the ten hours: a fifth is left to others.
    assert "First sync is running · 1 of 2 repositories · about 10 h left" in first
    assert "1 of 2 repositories read to the end · about 10 h left" in sync


async def _set(instance: LocalInstance, repository_id: int, stream: str, **values: object) -> None:
    which = (tables_sync.cursor.c.repository_id == repository_id, tables_sync.cursor.c.stream == stream)
    async with instance.site.db.write() as conn:
        await conn.execute(update(tables_sync.cursor).where(*which).values(**values))
