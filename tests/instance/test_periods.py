"""The period picker: named periods and days of one's own, everywhere the same, kept in the address."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from instance.test_screens import text_of, visit

pytestmark = pytest.mark.anyio
OWN = "period=custom&since=2026-11-18&until=2026-11-20"
PAGES = (
    *("/", "/repos", "/pulls/insights", "/r/fernhill/atlas"),
    *("/r/fernhill/atlas/contributors", "/r/fernhill/atlas/frequency"),
)


async def test_days_of_ones_own(tmp_path: Path) -> None:
    """Three days of November: their numbers, as many days before, and links to exactly those days."""
    async with visit(tmp_path) as (instance, alice):
        page = (await alice.open(f"/?{OWN}")).text
        root = instance.url.removesuffix("/")
        link = re.search(r'<h2><a href="([^"]+)">Commits', page)
        assert link is not None
        listed = text_of((await alice.get(root + html.unescape(link[1]))).text)
    said = text_of(page)
    assert "Commits 2 0 in the 3 days before" in said
    assert "2 commits match" in listed
    assert "from 18 November 2026, to 20 November 2026" in listed


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_with_periods_takes_them(tmp_path: Path, path: str) -> None:
    """The button shows the days, the form keeps them and everything else of the address, links leave them."""
    async with visit(tmp_path) as (_, alice):
        page = (await alice.open(f"{path}?{OWN}&kind=commit")).text
    assert "2026-11-18 to 2026-11-20" in text_of(page)
    form = page.split('<form class="days">')[1].split("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    wanted = {"kind": "commit", "period": "custom", "since": "2026-11-18", "until": "2026-11-20"}
    assert fields == wanted
    named = page.split('aria-label="Period"')[1].split("</nav>")[0]
    assert "since=" not in named and "kind=commit" in named
    assert "aria-current" not in named


async def test_without_a_last_day_it_ends_today(tmp_path: Path) -> None:
    """From a day on means up to today, and says so."""
    async with visit(tmp_path) as (_, alice):
        page = text_of((await alice.open("/r/fernhill/atlas?period=custom&since=2026-11-20")).text)
    assert "2026-11-20 to today" in page
    assert "Pulse, the 4 days from 20 November 2026 to 23 November 2026" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=custom", "A period of your own needs its first day"),
        ("period=custom&until=2026-11-20", "A period of your own needs its first day"),
        ("period=custom&since=yesterday", "“yesterday” is not a day"),
        ("period=custom&since=2026-11-20&until=2026-11-19", "The last day is before the first one"),
        ("period=custom&since=2026-12-24&until=2026-12-26", "2026-12-24 has not come yet"),
        ("period=custom&since=0002-01-01&until=2026-11-20", "0002-01-01 is too long ago"),
        ("period=custom&since=2026-11-01&until=8999-01-01", "That is too long for a period"),
    ],
)
async def test_days_that_are_no_period(tmp_path: Path, query: str, said: str) -> None:
    """One sentence says what is wrong, with status 400."""
    async with visit(tmp_path) as (_, alice):
        for path in ("/", "/r/fernhill/atlas/frequency"):
            answer = await alice.open(f"{path}?{query}")
            assert answer.status == 400, (path, answer.status)
            assert said in text_of(answer.text), path


async def test_what_is_no_period_is_the_usual_one(tmp_path: Path) -> None:
    """A name nobody knows shows the usual period, as before."""
    async with visit(tmp_path) as (_, alice):
        page = (await alice.open("/?period=2w")).text
    assert re.search(r'aria-current="true">30d<', page)


async def test_a_month_that_still_runs_is_compared_like_for_like(tmp_path: Path) -> None:
    """October's 20th has as many commits before its time as November's days so far are compared with."""
    async with visit(tmp_path) as (_, alice):
        page = text_of((await alice.open("/?period=custom&since=2026-11-01&until=2026-11-30")).text)
    # Of the 30 days before, only those up to 24 October at noon count; the commit of the 20th is among them.
    assert "Commits 4 up 300% 1 in the 30 days before" in page
