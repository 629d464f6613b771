"""The queue, the searches that are kept and the insights, over HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, ATLAS, BOB, BOT, NOW, SECRET, at, enter, fill
from sqlalchemy import delete, select, update

from trackeep.store import tables, tables_sync
from trackeep.store import tables_fetched as fetched
from trackeep.store.tables_searches import saved_search

pytestmark = pytest.mark.anyio
NOWHERE = "http://127.0.0.1:1"
INSIGHTS = "/pulls/insights"


@asynccontextmanager
async def visit(folder: Path, account_id: int = ALICE) -> AsyncIterator[tuple[LocalInstance, Guest]]:
    async with serve(folder, NOWHERE) as instance, Guest(instance.url, "") as guest:
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        await enter(instance, guest, account_id)
        yield instance, guest


@asynccontextmanager
async def another(instance: LocalInstance, account_id: int) -> AsyncIterator[Guest]:
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, account_id)
        yield guest


async def set_pull(instance: LocalInstance, number: int, **values: object) -> None:
    here = (fetched.pull_request.c.repository_id == ATLAS) & (fetched.pull_request.c.number == number)
    async with instance.site.db.write() as conn:
        await conn.execute(update(fetched.pull_request).where(here).values(**values))


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def counted(page: str) -> int:
    """How many pull requests a list says that it has."""
    found = re.search(r"Pull requests ([\d,]+) pull request", text_of(page))
    assert found, text_of(page)[:300]
    return int(found[1].replace(",", ""))


def linked_numbers(page: str) -> list[tuple[str, int]]:
    """Each search that a number of the page leads to."""
    links = re.findall(r'<a[^>]+href="(/pulls\?q=[^"]+)"[^>]*>(.*?)</a>', page, re.S)
    found = [(html.unescape(link), re.match(r"([\d,]+)", text_of(inner))) for link, inner in links]
    return [(link, int(number[1].replace(",", ""))) for link, number in found if number]


# ---- the queue ----------------------------------------------------------------------------------


async def test_each_section_leads_to_itself(tmp_path: Path) -> None:
    """The number beside a section opens that section alone, with as many rows."""
    async with visit(tmp_path) as (_, alice):
        page = (await alice.open("/pulls")).text
        links = re.findall(r'<a class="count" href="([^"]+)">(\d+)', page)
        for link, count in links:
            alone = (await alice.open(link)).text
            assert len(re.findall(r'<li id="pr-', alone)) == int(count), link
        order = re.findall(r'<h2 id="q-(\w+)"', page)
    assert len(links) == 6
    assert order == ["review", "returned", "ready", "waiting", "draft", "merged"]


async def test_a_row_says_who_said_what(tmp_path: Path) -> None:
    """Reviewers in words: who approved, who asked for changes, who is asked; and when something happened."""
    async with visit(tmp_path) as (instance, alice):
        await set_pull(instance, 6, updated_at=NOW - 7200, unresolved_threads=2, checks="SUCCESS")
        page = text_of((await alice.open("/pulls")).text)
    assert "Reviewers: bob asked for changes" in page
    assert "Reviewers: bob approved" in page
    assert "Reviewers: bob is asked" in page
    assert "by alice active 2 h ago passed" in page.replace("\xa0", " ")
    assert "2 unresolved" in page


async def test_what_is_stale_is_marked(tmp_path: Path) -> None:
    """Open and without an event for as many days as the reader chose; the mark leads to all of them."""
    async with visit(tmp_path) as (instance, alice):
        await set_pull(instance, 8, updated_at=NOW - 10 * 86_400)
        assert "nothing for" not in text_of((await alice.open("/pulls")).text)
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables.account).values(stale_days=9))
        page = text_of((await alice.open("/pulls")).text)
        listed = (await alice.open("/pulls?q=is:stale")).text
    assert page.count("stale , nothing for 9 days") == 1
    assert counted(listed) == 1


async def test_checks_have_an_age(tmp_path: Path) -> None:
    """Checks and conflicts change without a word from GitHub: the page says from when the oldest are."""
    async with visit(tmp_path) as (instance, alice):
        assert "checks and conflicts" not in text_of((await alice.open("/pulls")).text)
        await set_pull(instance, 6, detailed_at=NOW - 1800)
        await set_pull(instance, 5, detailed_at=NOW - 60)
        page = text_of((await alice.open("/pulls")).text)
    assert "checks and conflicts as of 30 min ago" in page


async def test_an_old_list_says_so(tmp_path: Path) -> None:
    """When the last success is longer ago than asking every minute allows, the list says from when it is."""
    async with visit(tmp_path) as (instance, alice):
        for path in ("/pulls", "/pulls?list=open"):
            assert "This list is from" not in (await alice.open(path)).text
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables_sync.run).values(finished_at=NOW - 3 * 3600))
        for path in ("/pulls", "/pulls?list=open"):
            assert "This list is from 3 h ago" in (await alice.open(path)).text


async def test_nothing_waits_and_what_i_wait_for(tmp_path: Path) -> None:
    """Without anything to do the page names the oldest of mine that waits for others."""
    async with visit(tmp_path) as (instance, alice):
        for number in (4, 5, 6):
            await set_pull(instance, number, state="closed")
        page = text_of((await alice.open("/pulls")).text)
    assert "Nothing waits for you Next oldest you wait on: Pull 8 , atlas #8, for 46 h" in page.replace(
        "1 d", "46 h"
    )
    assert "Waiting for bob" in page
    assert "0 need you" in page


async def test_long_sections_are_cut(tmp_path: Path) -> None:
    """Seven are shown, and a link to all of them; even the fullest queue is a light page."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            here = (fetched.pull_request.c.number == 8) & (fetched.pull_request.c.repository_id == ATLAS)
            row = dict((await conn.execute(select(fetched.pull_request).where(here))).mappings().one())
            asked = {"repository_id": ATLAS, "reviewer_id": BOB, "team": "", "requested_at": NOW}
            for number in range(100, 130):
                await conn.execute(fetched.pull_request.insert().values({**row, "number": number}))
                await conn.execute(fetched.review_request.insert().values({**asked, "number": number}))
        whole = (await alice.open("/pulls")).text
        page = text_of(whole)
        alone = (await alice.open("/pulls?section=waiting")).text
    assert "All 31 in Waiting for reviewers" in page
    assert len(re.findall(r'<li id="pr-', alone)) == 31
    assert len(re.findall(r'<li id="pr-', whole)) == 7 + 6
    for markup in (whole, alone):
        assert len(re.findall(r"<[a-z]", markup)) < 1_500


# ---- searches -----------------------------------------------------------------------------------


async def test_a_search_that_means_nothing_keeps_what_was_typed(tmp_path: Path) -> None:
    """Status 400, one sentence beside the field, and the text is still in it."""
    async with visit(tmp_path) as (_, alice):
        answer = await alice.open("/pulls?q=is:late+retry")
    assert answer.status == 400
    assert "“is:late” means nothing." in text_of(answer.text)
    assert 'value="is:late retry"' in answer.text
    assert "Save search" not in answer.text


async def test_a_search_is_kept_renamed_and_removed(tmp_path: Path) -> None:
    """It stands above every list; its name can be changed; removing it needs no script either."""
    async with visit(tmp_path) as (_, alice):
        answer = await alice.send("/pulls/searches", {"name": " Not  drafts ", "q": "is:open -is:draft"})
        assert answer.status == 303
        page = await alice.open(answer.location)
        assert "Kept as “Not drafts”" in page.text
        assert re.search(r'aria-current="page">.{0,120}Not drafts', page.text)
        number = re.findall(r'name="id" value="(\d+)"', page.text)[0]
        for path in ("/pulls", INSIGHTS, "/pulls?list=merged"):
            assert "Not drafts" in (await alice.open(path)).text, path
        await alice.send("/pulls/searches/change", {"id": number, "name": "Ready ones"})
        page_after = (await alice.open("/pulls")).text
        assert "Ready ones" in page_after and "Not drafts" not in page_after
        answer = await alice.send("/pulls/searches/change", {"id": number, "name": "x", "remove": "1"})
        assert answer.location.endswith("/pulls")
        assert "Ready ones" not in (await alice.open("/pulls")).text


async def test_keeping_under_a_taken_name_changes_the_search(tmp_path: Path) -> None:
    """One name, one search; renaming to a name that is taken is refused and nothing is lost."""
    async with visit(tmp_path) as (instance, alice):
        for query in ("is:open", "is:merged"):
            await alice.send("/pulls/searches", {"name": "Mine", "q": query})
        await alice.send("/pulls/searches", {"name": "Other", "q": "is:closed"})
        async with instance.site.db.read() as conn:
            rows = (await conn.execute(select(saved_search).order_by(saved_search.c.id))).all()
        assert [(row.name, row.query) for row in rows] == [("Mine", "is:merged"), ("Other", "is:closed")]
        answer = await alice.send("/pulls/searches/change", {"id": str(rows[1].id), "name": "Mine"})
        assert answer.status == 400
        assert "Another search is called “Mine” already" in text_of(answer.text)


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/pulls/searches", {"name": "", "q": "is:open"}, 400),
        ("/pulls/searches", {"name": "x" * 41, "q": "is:open"}, 400),
        ("/pulls/searches", {"name": "x", "q": ""}, 400),
        ("/pulls/searches", {"name": "x", "q": "is:late"}, 400),
        ("/pulls/searches/change", {"id": "x", "name": "y"}, 400),
        ("/pulls/searches/change", {"id": "77", "name": "y"}, 404),
        ("/pulls/searches/change", {"id": "77", "remove": "1"}, 404),
    ],
)
async def test_forms_that_mean_nothing(tmp_path: Path, path: str, form: dict[str, str], status: int) -> None:
    """One clear sentence with the right status."""
    async with visit(tmp_path) as (_, alice):
        answer = await alice.send(path, form)
    assert answer.status == status
    assert "went wrong" not in answer.text


async def test_searches_have_an_end(tmp_path: Path) -> None:
    """Twelve are kept; a thirteenth is refused with a sentence."""
    async with visit(tmp_path) as (_, alice):
        statuses = [
            (await alice.send("/pulls/searches", {"name": f"s{n}", "q": "is:open"})).status for n in range(13)
        ]
    assert statuses == [303] * 12 + [400]


async def test_somebody_elses_search_does_not_exist(tmp_path: Path) -> None:
    """bob neither sees, renames nor removes what alice keeps; another site keeps nothing here."""
    async with visit(tmp_path) as (instance, alice), another(instance, BOB) as bob:
        await alice.send("/pulls/searches", {"name": "Hers", "q": "is:open"})
        assert "Hers" not in (await bob.open("/pulls?q=is:open")).text
        async with instance.site.db.read() as conn:
            number = str((await conn.execute(select(saved_search.c.id))).scalar_one())
        for form in ({"id": number, "name": "His"}, {"id": number, "remove": "1"}):
            assert (await bob.send("/pulls/searches/change", form)).status == 404
        assert "Hers" in (await alice.open("/pulls")).text
        form = {"name": "Bad", "q": "is:open"}
        refused = await alice.send("/pulls/searches", form, sec_fetch_site="cross-site")
        assert refused.status == 403


# ---- insights -----------------------------------------------------------------------------------


async def review(instance: LocalInstance, number: int, who: int, when: int) -> None:
    row = {"repository_id": ATLAS, "number": number, "state": "APPROVED", "submitted_at": when}
    async with instance.site.db.write() as conn:
        await conn.execute(fetched.review.insert().values(**row, id=1000 + number * 10 + who, author_id=who))


async def test_the_insights_say_what_was_counted(tmp_path: Path) -> None:
    """Of three merged and nine opened: rates, medians, sizes, reviewers, and what nobody looked at."""
    async with visit(tmp_path) as (instance, alice):
        await review(instance, 1, BOB, at("2026-11-18 12:00"))
        await set_pull(instance, 1, first_commit_at=at("2026-11-18 09:00"), additions=20, deletions=9)
        await set_pull(instance, 2, first_commit_at=at("2026-11-19 10:00"), additions=900, deletions=9)
        asked = {"repository_id": ATLAS, "number": 9, "reviewer_id": ALICE}
        async with instance.site.db.write() as conn:
            for when in ("2026-11-20 09:00", "2026-11-20 11:00", "2026-11-20 12:30"):
                await conn.execute(fetched.review_asked.insert().values(**asked, requested_at=at(when)))
        page = text_of((await alice.open(INSIGHTS)).text)
        short = text_of((await alice.open(f"{INSIGHTS}?period=7d")).text)
    assert "3 merged , 9 opened in the last 90 days, bots left out" in page
    assert "Time to merge 4 h median of 3 · p90 24 h" in page
    assert "Merge rate 75 % 3 of 4 finished" in page
    assert "Review depth 0.3 reviews and comments each" in page
    # The third request came after the first review.
    assert "Your review turnaround 60 min median of 1" in page.replace("1 h median", "60 min median")
    assert "1 of size S, 10–29" not in page
    assert "Merged pull requests by lines changed; 50% have 500 or more; 1 not known yet" in page
    assert "13 weeks that end with today: 9 opened, 3 merged" in page
    assert "Nobody looked yet 1 waiting" in page
    assert "Merged without review 2 merged" in page
    assert "alice 2 reviewed by alice" in page
    assert "bob 3 reviewed by bob" in page
    assert "Coding" in page and "2 of 3 known" in page
    assert "2 merged" in short


async def test_every_number_is_as_long_as_its_list(tmp_path: Path) -> None:
    """Follow each link of the page to a search: the list has as many as the number says."""
    async with visit(tmp_path) as (instance, alice):
        await review(instance, 1, BOB, at("2026-11-18 12:00"))
        await set_pull(instance, 1, additions=20, deletions=9)
        await set_pull(instance, 3, author_id=BOT)
        for query in ("", "?period=7d", "?bots=1", "?period=all&author=alice", "?repo=fernhill/atlas"):
            numbers = linked_numbers((await alice.open(INSIGHTS + query)).text)
            assert len(numbers) >= 9, (query, numbers)
            for link, number in numbers:
                assert counted((await alice.open(link)).text) == number, (query, link)


async def test_tiles_lead_to_what_they_are_made_of(tmp_path: Path) -> None:
    """Each of the five numbers names a search that can be read again."""
    async with visit(tmp_path) as (_, alice):
        page = (await alice.open(INSIGHTS)).text
        links = [html.unescape(link) for link in re.findall(r'<h2><a href="([^"]+)"', page)]
        assert len(links) == 5
        for link in links:
            assert (await alice.open(link)).status == 200, link
            assert ".." in parse_qs(urlsplit(link).query)["q"][0]


async def test_charts_have_their_tables_and_files(tmp_path: Path) -> None:
    """The twin of each chart holds what is drawn; a chart that does not exist is a 404."""
    async with visit(tmp_path) as (instance, alice):
        await set_pull(instance, 1, first_commit_at=at("2026-11-18 09:00"), additions=20, deletions=9)
        weeks = (await alice.open(f"{INSIGHTS}/weeks.csv")).text.split("\r\n")
        sizes = (await alice.open(f"{INSIGHTS}/sizes.csv")).text.split("\r\n")
        load = (await alice.open(f"{INSIGHTS}/load.csv")).text.split("\r\n")
        cycle = (await alice.open(f"{INSIGHTS}/cycle.csv")).text
        table = text_of((await alice.open(f"{INSIGHTS}/weeks?period=7d")).text)
        assert (await alice.open(f"{INSIGHTS}/pie")).status == 404
        assert (await alice.open(f"{INSIGHTS}/pie.csv")).status == 404
        assert (await alice.open(f"{INSIGHTS}?repo=atlas")).status == 400
    assert weeks[0] == "Seven days from,Opened,Merged,Closed without a merge"
    assert weeks[-2] == "2026-11-17,8,2,1"
    assert "S,1" in [line.replace('"', "").replace(", 10–29 lines", "") for line in sizes]
    assert load[1:3] == ["alice,2,3", "bob,2,2"]
    assert '"This period, cycle time",1,5.00,5.00' in cycle
    assert "17 November 2026 8 2 1" in table


async def test_insights_of_others_do_not_exist(tmp_path: Path) -> None:
    """alice's figures are the same with and without what bob alone may read, named or not."""
    row = {"repository_id": SECRET, "number": 1, "title": "secret-plan", "state": "merged", "author_id": BOB}
    when = {"created_at": NOW - 900, "updated_at": NOW - 60, "merged_at": NOW - 60, "closed_at": NOW - 60}
    given = {"repository_id": SECRET, "id": 7, "number": 1, "author_id": ALICE, "state": "APPROVED"}
    paths = [INSIGHTS, f"{INSIGHTS}?period=all&bots=1", f"{INSIGHTS}?repo=bob/secret-plan"]
    paths += [f"{INSIGHTS}/{chart}.csv?repo=bob/secret-plan" for chart in ("weeks", "cycle", "sizes", "load")]
    async with visit(tmp_path) as (instance, alice), another(instance, BOB) as bob:
        before = [text_of((await alice.open(path)).text) for path in paths]
        theirs = text_of((await bob.open(INSIGHTS)).text)
        async with instance.site.db.write() as conn:
            await conn.execute(fetched.pull_request.insert().values(**row, **when))
            await conn.execute(fetched.review.insert().values(**given, submitted_at=NOW - 300))
        assert [text_of((await alice.open(path)).text) for path in paths] == before
        assert text_of((await bob.open(INSIGHTS)).text) != theirs
        nowhere = (await alice.open(f"{INSIGHTS}?repo=bob/no-such-plan")).text
        assert text_of(nowhere) == before[2]


async def test_an_empty_instance_has_no_invented_figures(tmp_path: Path) -> None:
    """Without pull requests there are dashes and sentences, and no division by nothing."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            for table in (fetched.review, fetched.review_request, fetched.pull_request):
                await conn.execute(delete(table))
        for period in ("7d", "30d", "90d", "12m", "all"):
            page = text_of((await alice.open(f"{INSIGHTS}?period={period}")).text)
            assert "Merge rate — Nothing was finished" in page
            assert "Time to merge — None is known" in page
            assert "Nothing was merged in" in page
            assert "Nobody gave a review in" in page
