"""What somebody sees who has just come: on every screen why there is nothing yet, and the one next step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_visit import text_of, visit
from small_world import BOB, MALLORY
from starlette.routing import Route

from trackeep.instance.app import ROUTES

pytestmark = pytest.mark.anyio
# Every page whose address names nothing.
SCREENS = sorted(
    route.path
    for route in ROUTES
    if isinstance(route, Route) and "GET" in (route.methods or ()) and "{" not in route.path
)
# Those that show what is followed: there the next step is to choose.
OF_REPOSITORIES = {
    *("/", "/calendar", "/repos", "/pulls", "/pulls/insights", "/commits", "/branches", "/activity"),
    *("/search", "/sync", "/sync/runs"),
}
EMPTY = re.compile(r'<div class="empty">(.*?)</div>', re.DOTALL)


async def test_every_screen_of_somebody_new(tmp_path: Path) -> None:
    """One sentence why and one action wherever nothing is; what shows repositories leads to choosing them."""
    seen = set()
    async with visit(tmp_path, MALLORY) as (_, mallory):
        for path in SCREENS:
            if path == "/sync/events":
                continue
            answer = await mallory.open(path)
            if answer.status != 200 or "<main" not in answer.text:
                continue
            seen.add(path)
            main = answer.text.split("<main")[1].split("</main>")[0]
            if path in OF_REPOSITORIES:
                assert '/repos/choose"' in main, path
            _explained(path, main)
    assert seen >= OF_REPOSITORIES
    assert len(seen) > 20


async def test_every_empty_tab_of_a_repository(tmp_path: Path) -> None:
    """In days without any work each block says so and offers the next step."""
    async with visit(tmp_path) as (_, alice):
        for path in (
            *("/r/fernhill/atlas", "/r/fernhill/atlas/contributors", "/r/fernhill/atlas/frequency"),
            *("/r/fernhill/atlas/activity", "/r/fernhill/atlas/commits", "/r/fernhill/atlas/pulls"),
            *("/pulls/insights", "/activity", "/commits", "/pulls?list=merged", "/pulls?section=ready"),
        ):
            days = "period=custom&since=2020-01-01&until=2020-02-01"
            answer = await alice.open(f"{path}{'&' if '?' in path else '?'}{days}")
            main = answer.text.split("<main")[1].split("</main>")[0]
            _explained(path, main)
            assert "section" in path or EMPTY.search(main), path


async def test_the_queue_of_somebody_without_work(tmp_path: Path) -> None:
    """Somebody who follows and for whom nothing waits is not told to choose repositories."""
    async with visit(tmp_path, BOB) as (_, bob):
        page = text_of((await bob.open("/pulls")).text)
    assert "Nothing is followed yet" not in page


def _explained(path: str, main: str) -> None:
    for empty in EMPTY.findall(main):
        assert empty.count("<b>") == 1, (path, empty)
        assert empty.count("<p") == 1, (path, empty)
        # Where a form beside it is the action, the block is only the reason.
        has_action = 'class="btn' in empty or "<code>" in empty or '<form class="form' in main
        assert has_action, (path, empty)
