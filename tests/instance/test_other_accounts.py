"""What a person's other accounts did is theirs on every page: each number is the length of its list."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, ATLAS, BOB, CAROL, NOW, at, enter, fill, reader

from trackeep.metrics.windows import Window
from trackeep.store import claims, reports_durations, reports_events, reports_mine, reports_pulls
from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio
EMAIL = "carol@x.example"
NOWHERE = "http://127.0.0.1:1"
WINDOW = Window(at("2026-10-25 00:00"), NOW)


@asynccontextmanager
async def visit(folder: Path, database_url: str) -> AsyncIterator[tuple[LocalInstance, Guest]]:
    """alice reads a world in which carol works, too, and says nothing yet about who carol is."""
    async with (
        serve(folder, NOWHERE, database_url=database_url) as instance,
        Guest(instance.url, "") as guest,
    ):
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        await carols_work(instance)
        await enter(instance, guest)
        yield instance, guest


async def carols_work(instance: LocalInstance) -> None:
    """A commit, a merged pull request, an issue, reviews of others and of alice, a request for her review."""
    await put(instance, fetched.identity, [{"email": EMAIL, "person_id": CAROL, "source": "noreply"}])
    wrote = {"author_name": "Carol", "author_email": EMAIL, "committer_email": EMAIL, "on_default": True}
    when = at("2026-11-17 10:00")
    made = {"sha": "c1", "parent_count": 1, "authored_at": when, "committed_at": when}
    await put(instance, fetched.commit, [{**made, **wrote}])
    merged_at = at("2026-11-17 12:00")
    ended = {"state": "merged", "merged_at": merged_at, "closed_at": merged_at}
    is_open = {"state": "open", "merged_at": None, "closed_at": None}
    pulls = [
        {"number": 30, "author_id": CAROL, "created_at": when, **ended},
        {"number": 32, "author_id": BOB, "created_at": at("2026-11-22 10:00"), **is_open},
    ]
    await put(
        instance, fetched.pull_request, [{"title": "Wider nests", "updated_at": NOW, **one} for one in pulls]
    )
    reviews = [
        {"id": 40, "number": 4, "author_id": CAROL, "submitted_at": at("2026-11-21 15:00")},
        # One account's words about the other's work are no review of somebody else's.
        {"id": 41, "number": 6, "author_id": CAROL, "submitted_at": at("2026-11-21 16:00")},
        {"id": 42, "number": 30, "author_id": ALICE, "submitted_at": at("2026-11-17 11:00")},
    ]
    await put(instance, fetched.review, reviews)
    asked = {"number": 32, "reviewer_id": CAROL, "requested_at": at("2026-11-22 11:00")}
    await put(instance, fetched.review_request, [asked])
    opened = {"created_at": at("2026-11-18 09:00"), "updated_at": at("2026-11-18 09:00")}
    await put(
        instance,
        fetched.issue,
        [{"number": 33, "title": "Wet", "state": "open", "author_id": CAROL, **opened}],
    )


async def put(instance: LocalInstance, table: Any, rows: list[dict[str, Any]]) -> None:
    """These rows, of the repository atlas where they belong to one."""
    where = {"repository_id": ATLAS} if "repository_id" in table.c else {}
    async with instance.site.db.write() as conn:
        await conn.execute(table.insert(), [{**where, **row} for row in rows])


async def say_that_carol_is_me(instance: LocalInstance) -> None:
    async with instance.site.db.write() as conn:
        await claims.claim_account(conn, ALICE, CAROL)


def tiles(page: str) -> dict[str, tuple[str, str]]:
    """Title of each tile: its number, and the address of its list."""
    found = re.findall(
        r'class="kpi"><h2><a href="([^"]+)">([^<]+)</a>.*?class="val[^"]*">([^<]+)', page, re.S
    )
    return {title: (number.strip(), html.unescape(href)) for href, title, number in found}


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_each_figure_counts_both_accounts(database_url: str, tmp_path: Path) -> None:
    """Commits, merges, reviews, issues, the queue and the durations, in sums, days and lists alike."""
    async with visit(tmp_path, database_url) as (instance, _):
        db = instance.site.db
        found = []
        for _ in range(2):
            async with db.read() as conn:
                sums = await reports_mine.totals(conn, reader(), WINDOW)
                days = await reports_mine.days(conn, reader())
                merges = await reports_mine.merges(conn, reader(), WINDOW.start)
                wanted = reports_durations.Wanted(author="me")
                passages = await reports_durations.passages(conn, reader(), WINDOW, wanted)
                mine = await reports_events.recent(
                    conn, reader(), reports_events.Wanted(mine=True, since=WINDOW.start)
                )
                queue = await reports_pulls.queue(conn, reader())
            kinds = [event.kind for event in mine.rows]
            assert all(event.mine for event in mine.rows)
            assert kinds.count("review") == sums.reviews == sum(days.counts["review"].values())
            assert kinds.count("merged") == sums.merged == len(merges) == len(passages)
            found.append(
                (
                    (sums.commits, sums.merged, sums.reviews, kinds.count("issue")),
                    sorted(pull.number for pull in queue if pull.section == "review"),
                )
            )
            await say_that_carol_is_me(instance)
    # Of alice's own reviews the one of carol's pull request counts no longer, carol's of bob's does.
    assert found == [((4, 2, 4, 1), [4]), ((5, 3, 4, 2), [4, 32])]


async def test_a_tile_and_its_list_agree(database_url: str, tmp_path: Path) -> None:
    """What the dashboard counts for two accounts is as much as the list behind each number holds."""
    async with visit(tmp_path, database_url) as (instance, guest):
        await say_that_carol_is_me(instance)
        page = (await guest.open("/")).text
        counted = tiles(page)
        lists = {
            title: text_of((await guest.open(href.removeprefix(instance.url))).text)
            for title, (_, href) in counted.items()
        }
        calendar = dict(re.findall(r'data-d="(.+?)" data-n="(\d+)"', page))
        for day in ("2026-11-17", "2026-11-18", "2026-11-21"):
            shown = text_of((await guest.open(f"/activity?day={day}")).text)
            assert re.search(rf"\b{calendar[day]} contributions?\b", shown), (day, calendar[day], shown)
    for title, said in (
        ("Commits", "{} commits match"),
        ("Pull requests merged", "{} pull requests, yours"),
        ("Reviews given", ": {} reviews"),
    ):
        assert said.format(counted[title][0]) in lists[title], (title, counted[title])
    assert [counted[title][0] for title in ("Commits", "Pull requests merged", "Reviews given")] == [
        "5",
        "3",
        "4",
    ]
    assert counted["Current streak"][0] == "6", "the days of 17 to 22 November, of which carol's begin it"


async def test_others_do_not_count_them(database_url: str, tmp_path: Path) -> None:
    """What alice says of carol holds in her own views alone: bob's queue and his days stay as they were."""
    async with visit(tmp_path, database_url) as (instance, _):
        found = []
        for _ in range(2):
            async with instance.site.db.read() as conn:
                queue = await reports_pulls.queue(conn, reader(BOB))
                found.append((await reports_mine.days(conn, reader(BOB)), [pull.number for pull in queue]))
            await say_that_carol_is_me(instance)
    assert found[0] == found[1]
