"""The page of the sync: what it costs, what it waits for in words, each kind, each run, and whose it is."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from local_instance import LocalInstance
from small_visit import text_of, visit
from small_world import ALICE, ATLAS, BOB, HERON, NOW
from sqlalchemy import delete, update

from trackeep.instance.backlog import backlog
from trackeep.instance.sync_page import budget_card
from trackeep.model import Budget
from trackeep.store import leases, schedule, tables, tables_sync
from trackeep.store.reports_sync import Freshness, RepositorySync, Stream

pytestmark = pytest.mark.anyio


async def worker_lives(instance: LocalInstance) -> None:
    async with instance.site.db.write() as conn:
        await leases.save_worker(conn, "host/1/2", NOW - 7200, int(instance.site.now()) - 3)


async def test_budgets_tell_a_day(tmp_path: Path) -> None:
    """What was used at most stands below its bars; the table leaves out idle half hours, the CSV does not."""
    async with visit(tmp_path) as (instance, alice):
        await worker_lives(instance)
        async with instance.site.db.write() as conn:
            used = Budget("core", 5000, 2000, NOW + 1800, NOW - 7200)
            await schedule.save_budgets(conn, ALICE, [used, Budget("core", 5000, 4812, NOW + 1800, NOW)])
        page = text_of((await alice.open("/sync")).text)
        table = text_of((await alice.open("/sync/budgets")).text)
        rows = (await alice.open("/sync/budgets.csv")).text.split("\r\n")
    assert "23 November 2026, 10:00 60 " in table and "23 November 2026, 12:00 4 " in table
    assert "—" not in table and "11:00" not in table
    assert (rows[0], len(rows)) == ('Half hour from,"REST, % used"', 50)
    assert "REST resets in" in page and "4,812 of 5,000 left 188 used" in page
    assert "Last 24 hours; at most 60% used" in page
    assert "GraphQL is not asked: GitHub has not told its budget yet." in page
    assert "Search is not asked: your own database answers every search." in page
    assert "Workers 1 last heartbeat just now" in page
    assert "Furthest behind 4 min 19 of 20 within 4 min; the aim is 2 min" in page


async def test_waits_are_explained(tmp_path: Path) -> None:
    """A secondary limit, an empty budget, an error of one repository: what happened, and what happens now."""
    async with visit(tmp_path) as (instance, alice):
        await worker_lives(instance)
        assert "Retry failed" not in text_of((await alice.open("/sync")).text)
        async with instance.site.db.write() as conn:
            await schedule.save_budgets(conn, ALICE, [Budget("graphql", 5000, 900, NOW + 1500, NOW)])
            await schedule.fail(conn, ALICE, (ATLAS, "pulls"), "GitHub answered 502 at /graphql.", NOW + 900)
        page = text_of((await alice.open("/sync")).text)
        assert "The budget for GraphQL is used up for now. A fifth of it is left to your other tools." in page
        assert "It is full again at 12:25" in page
        assert "fernhill/atlas waits after an error. GitHub answered 502 at /graphql. Tried again" in page
        assert "by itself at 12:15" in page and "Retry failed" in page
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables.connection).values(retry_at=NOW + 1200))
        page = text_of((await alice.open("/sync")).text)
        assert "GitHub asked this instance to slow down." in page and "go on at 12:20" in page
        assert "The budget for GraphQL" not in page


async def test_each_row_can_be_synced_paused_and_opened(tmp_path: Path) -> None:
    """Problems first; each leads to a page of its kinds, where it can be read from scratch."""
    async with visit(tmp_path, path="/t") as (instance, alice):
        async with instance.site.db.write() as conn:
            await schedule.fail(conn, ALICE, (HERON, "issues"), "Broken.", NOW + 900)
        page = (await alice.open("/sync")).text
        assert re.findall(r'href="/t/sync/r/([^"]+)"', page) == ["alice/heron", "fernhill/atlas"]
        assert f'name="one" value="sync.{ATLAS}">Sync now' in page
        assert f'name="one" value="sync.{HERON}">Retry' in page
        await alice.send("/repos/bulk", {"one": f"pause.{ATLAS}", "return_to": "/sync"})
        page = text_of((await alice.open("/sync")).text)
        assert "Paused by you Paused" in page and "paused Resume fernhill/atlas" in page
        kinds = text_of((await alice.open("/sync/r/fernhill/atlas")).text)
        assert "Commits, branches and tags 4 min ago — to the end 20 October 2026 0 0 — paused" in kinds
        assert "Pull requests and reviews 4 min ago — to the end 20 October 2026" in kinds
        broken = text_of((await alice.open("/sync/r/Alice/Heron")).text)
        assert "Issues Broken." in broken and "not yet, 1 page left" in broken


async def test_other_peoples_syncs_do_not_exist(tmp_path: Path) -> None:
    """bob's private repository is answered like one that never was, and so is one that is not followed."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await schedule.unfollow_repositories(conn, ALICE, [HERON])
            mine = {"account_id": BOB, "started_at": NOW, "problem": "secret-plan: Not Found."}
            await conn.execute(tables_sync.run.insert().values(**mine))
            await schedule.save_budgets(conn, BOB, [Budget("core", 77, 7, NOW + 60, NOW)])
        answers = [
            await alice.open(f"/sync/r/{name}")
            for name in ("bob/secret-plan", "bob/secret-plot", "alice/heron")
        ]
        pages = [(await alice.open(path)).text for path in ("/sync", "/sync/runs")]
    assert [answer.status for answer in answers] == [404, 404, 404]
    said = {re.sub(r"[0-9a-f]{16}|\d\d:\d\d:\d\d", "", answer.text) for answer in answers}
    assert len(said) == 1
    assert not any("secret-plan" in page or "of 77 left" in page for page in pages)


async def test_the_log_of_the_runs(tmp_path: Path) -> None:
    """The last 200, fifty a page, each once, in words."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(delete(tables_sync.run))
            row = {"account_id": ALICE, "trigger": "poll", "outcome": "idle", "conditional": 2}
            for number in range(230):
                at = NOW - 9_000 + number * 30
                await conn.execute(
                    tables_sync.run.insert().values(
                        **row, started_at=at, finished_at=at + 1, not_modified=1, commits=1_000 + number
                    )
                )
        address, found = "/sync/runs", []
        while address:
            page = (await alice.open(address)).text
            found += re.findall(r'data-l="Commits">([\d,]+)<', page)
            link = re.search(r'href="([^"]+)" rel="next"', page)
            address = html.unescape(link[1]) if link else ""
        assert found == [f"{1_000 + number:,}" for number in range(229, 29, -1)]
        assert "50% of the conditional requests were answered “unchanged”" in text_of(page)
        assert "Poll Nothing new 1 s" in text_of(page)
        assert (await alice.open("/sync/runs?before=x")).status == 400


async def test_nothing_scheduled(tmp_path: Path) -> None:
    """Without a repository the page says so and offers the one next step."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(delete(tables.follow))
        page = text_of((await alice.open("/sync")).text)
    assert "Nothing scheduled No repositories are followed. Choose repositories" in page
    assert "Pause all" not in page


def stream(name: str, *, complete: bool = False, pages: int = 0) -> Stream:
    return Stream(name, complete, None, None, None, 0, "", "", 0, 0, pages_left=pages)


def fresh(*budgets: Budget) -> Freshness:
    return Freshness(
        2, 0, None, None, None, None, "", "token", "ok", None, None, "", None, None, None, budgets
    )


def test_what_is_left_is_told_by_its_budget() -> None:
    """Commits cost no budget; pages of pull requests are paid by GraphQL's, of issues by REST's."""
    rows = [
        RepositorySync(1, "a", "b", "tracked", "", None, (stream("pulls", pages=30), stream("commits"))),
        RepositorySync(2, "a", "c", "paused", "", None, (stream("pulls", pages=99),)),
    ]
    full = (Budget("core", 5000, 5000, NOW + 1000), Budget("graphql", 5000, 1100, NOW + 1000))
    left = backlog(rows, fresh(*full), NOW)
    # The issues of the first one were not looked at yet: one page at least.
    assert (left.streams, left.requests, left.eta_s) == (3, 31, 300.0)
    assert backlog(rows, fresh(full[0]), NOW).eta_s is None
    spent = Budget("graphql", 5000, 1000, NOW + 1000)
    assert backlog(rows, fresh(full[0], spent), NOW).eta_s is None
    assert backlog([], fresh(), NOW).eta_s == 0


def test_a_budget_is_full_again_after_its_reset() -> None:
    """Whatever was seen last; before it, little left is low."""
    seen = Budget("core", 5000, 500, NOW - 1)
    card = budget_card("core", seen, (None, 0.9), NOW)
    assert (card.is_renewed, card.is_low, card.highest, card.name) == (True, False, 0.9, "REST")
    assert budget_card("core", Budget("core", 5000, 500, NOW + 9), (), NOW).is_low
