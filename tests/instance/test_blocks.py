"""A block that fails says so in its place: everything else of the page stands, on both databases."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from local_instance import Guest, LocalInstance
from small_visit import text_of, visit
from sqlalchemy import text
from structlog.testing import capture_logs

pytestmark = pytest.mark.anyio
BROKEN = "could not be shown"
# What takes a table from a page: the page, what is said of each block that needs it, what still stands there.
WITHOUT = {
    ("review", "/"): (
        (
            "The numbers of the last 30 days",
            "Your calendar",
            "The queue of pull requests",
            "The recent activity",
        ),
        ("Synced 4 min ago", "Repositories All 2 repositories", "fernhill/ atlas", "Most active"),
    ),
    ("review", "/r/fernhill/atlas"): (
        ("The pulse of atlas",),
        ("When work happens", "Most were made", "Top committers", "alice", "9 opened, 3 merged", "Languages"),
    ),
    ("review", "/pulls/insights"): (
        ("The numbers of the last 90 days", "Where the time goes", "The chart of sizes", "Who reviews"),
        ("Pull requests", "Queue", "— merged"),
    ),
    ("release", "/r/fernhill/atlas"): (
        ("The pulse of atlas", "The releases"),
        ("When work happens", "Top committers", "alice", "9 opened, 3 merged", "Languages"),
    ),
    ("review", "/search?q=change"): (("The pull requests",), ("Change a5", "Commits")),
    ("issue", "/calendar"): (("The days",), ("When you work", "Most were made")),
    ("budget_reading", "/sync"): (("GitHub’s budgets",), ("Workers", "fernhill/ atlas", "Last runs")),
}


async def test_what_needs_a_lost_table_fails_alone(tmp_path: Path, database_url: str) -> None:
    """Status 200, one sentence and the request in each block that needs it; all others are as they were."""
    async with visit(tmp_path, database_url=database_url) as (instance, alice):
        for (table, path), (failed, standing) in WITHOUT.items():
            async with _renamed(instance, f"{table} {{0}} to lost", f"lost {{0}} to {table}"):
                await _fails_alone(alice, path, failed, standing)
        assert BROKEN not in text_of((await alice.open("/")).text)


async def test_each_cause_is_logged_once(tmp_path: Path, database_url: str) -> None:
    """With its traceback, and under the request that every block which needs it names."""
    async with visit(tmp_path, database_url=database_url) as (instance, alice):
        there, back = "pull_request {0} column merged_at to lost", "pull_request {0} column lost to merged_at"
        async with _renamed(instance, there, back):
            with capture_logs() as said:
                answer = await alice.open("/")
    logged = [line for line in said if line["event"] == "block failed"]
    causes = [line["block"] for line in logged]
    # The numbers need two that failed, the queue and the table one each.
    assert causes.count("store.reports_mine.merges") == 1
    assert len(causes) == len(set(causes)) > 2
    assert all(isinstance(line["exc_info"], Exception) for line in logged)
    named = re.findall(r"under request <code>(\w+)</code>", answer.text)
    assert set(named) == {answer.headers["x-request-id"]}
    assert len(named) == answer.text.count(BROKEN) > 2


async def test_the_twins_of_a_chart_fail_with_their_status(tmp_path: Path, database_url: str) -> None:
    """A table or a file that is nothing but what failed is a page with status 500 and the request."""
    async with (
        visit(tmp_path, database_url=database_url) as (instance, alice),
        _renamed(instance, "review {0} to lost", "lost {0} to review"),
    ):
        for path in ("/pulls/insights/load", "/pulls/insights/load.csv", "/calendar.csv"):
            with capture_logs():
                answer = await alice.open(path)
            assert answer.status == 500, (path, answer.status)
            assert "Something went wrong on our side" in answer.text, path
            assert answer.headers["x-request-id"] in answer.text, path
        # What needs no review is whole.
        assert (await alice.open("/r/fernhill/atlas/charts/weeks.csv")).status == 200


async def test_a_formula_that_fails_takes_its_block_only(tmp_path: Path) -> None:
    """With a moment that is none no median can be computed; the calendar and the table are as they were."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(text("update pull_request set ready_at = 'soon' where number = 1"))
        standing = ("contributions in the last year", "Most active repositories")
        await _fails_alone(alice, "/", ("The numbers of the last 30 days",), standing)


async def test_a_database_that_is_gone_is_no_block(tmp_path: Path) -> None:
    """Where nothing can be read any more, the page says so as a whole, with its status."""
    async with visit(tmp_path) as (instance, alice):
        await instance.site.db.engine.dispose()
        (tmp_path / "trackeep.db").write_bytes(b"no database " * 1000)
        with capture_logs():
            answer = await alice.open("/")
    assert answer.status == 503
    assert BROKEN not in answer.text


@asynccontextmanager
async def _renamed(instance: LocalInstance, there: str, back: str) -> AsyncIterator[None]:
    """A table or a column that is gone for a while."""
    for statement in (there, back):
        async with instance.site.db.write() as conn:
            await conn.execute(text("alter table " + statement.format("rename")))
        if statement is there:
            yield


async def _fails_alone(guest: Guest, path: str, failed: tuple[str, ...], standing: tuple[str, ...]) -> None:
    with capture_logs():
        answer = await guest.open(path)
    assert answer.status == 200, (path, answer.text[-2000:])
    page = text_of(answer.text)
    for block in failed:
        assert f"{block} {BROKEN}" in page, (path, block)
    assert page.count(BROKEN) >= len(failed), path
    for words in standing:
        assert words in page, (path, words, page)
