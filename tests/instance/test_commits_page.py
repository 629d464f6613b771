"""Searching in a browser: what is shown, what is offered, what can be taken along."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import AsyncIterator

import pytest
from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, ATLAS, BOB, NOW, SECRET, at, enter, fill

from trackeep.model import CoAuthor, Commit, Signature
from trackeep.store import history
from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio
NOWHERE = "http://127.0.0.1:1"
SHA = "9f31c7a" + "0" * 33
HOSTILE = "Merge [x](javascript:alert) <b>*bold*</b> `x`"


@pytest.fixture
async def instance(tmp_path: object) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, NOWHERE) as instance:  # type: ignore[arg-type]
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        await add(instance)
        yield instance


async def add(instance: LocalInstance) -> None:
    """A commit with a co-author that merged a pull request, one of hostile words, one of bob's secret."""
    alice = Signature("Alice Moreau", "alice@fernhill.example", at("2026-11-23 10:00"), 60)
    bob = CoAuthor("Bob Okafor", "bob@x.example")
    made = [
        Commit(SHA, ("0" * 40,), alice, alice, "Retry <deliveries> with jitter", co_authors=(bob,)),
        Commit("b" * 40, ("0" * 40, "1" * 40), alice, alice, HOSTILE),
        Commit("c" * 40, ("0" * 40,), alice, alice, "=2+5 formula"),
    ]
    async with instance.site.db.write() as conn:
        await history.save_commits(conn, ATLAS, made, reachable=True, on_default={SHA})
        secret = Commit("5ec" + "0" * 37, (), alice, alice, "Retry the secret-plan")
        await history.save_commits(conn, SECRET, [secret], reachable=True)
        pull = fetched.pull_request.update().where(fetched.pull_request.c.number == 1)
        await conn.execute(pull.values(merge_sha=SHA, title="Retry what fails"))
        ref = fetched.ref.update().where(fetched.ref.c.name == "refs/heads/topic")
        await conn.execute(ref.values(commit_sha="b" * 40))


async def opened(instance: LocalInstance, path: str, account_id: int = ALICE) -> tuple[int, str]:
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, account_id)
        answer = await guest.open(path)
        return answer.status, answer.text


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_a_row_says_who_where_and_by_which_pull_request(instance: LocalInstance) -> None:
    """Co-authors, pull request, branch, short sha stand beside a commit; what was found is marked."""
    _, page = await opened(instance, "/commits?q=retry")
    assert "alice with bob fernhill/atlas #1 10:00" in text_of(page)
    assert "<mark>Retry</mark> &lt;deliveries&gt; with jitter" in page
    assert f'data-sha="{SHA}"' in page and ">9f31c7a</a>" in page
    assert "1 commit matches in 1 repository" in text_of(page)
    _, merge = await opened(instance, "/commits?q=merge")
    assert "topic" in text_of(merge) and "<b>*bold*" not in merge


async def test_filters_are_offered_and_taken_back(instance: LocalInstance) -> None:
    """A chip adds its filter to the search; one that is on leaves it again."""
    _, page = await opened(instance, "/commits?q=retry+is:mine")
    chips = {
        text: html.unescape(link)
        for link, text in re.findall(r'class="badge" href="([^"]+)"[^>]*>([a-z]+:[^<]+)<', page)
    }
    assert chips["since:7d"].endswith("/commits?q=retry+is:mine+since:7d")
    assert chips["is:mine"].endswith("/commits?q=retry")


async def test_nothing_found_says_what_was_searched(instance: LocalInstance) -> None:
    """How many commits in how many repositories, what still syncs, and how to find more."""
    status, page = await opened(instance, "/commits?q=absent+since:7d")
    assert status == 200
    seen = text_of(page)
    assert "No commit matches Searched 14 commits in 2 repositories. 1 repository is still syncing." in seen
    assert "Without since:7d" in seen


@pytest.mark.parametrize("path", ["/commits", "/search", "/r/fernhill/atlas/commits"])
async def test_a_mistake_is_one_sentence_and_loses_nothing(instance: LocalInstance, path: str) -> None:
    """An unknown key: status 400, what is known, and the search is still in its box."""
    status, page = await opened(instance, f"{path}?q=colour:red+fix")
    assert status == 400
    assert "“colour:” is no filter of commits. There are repo:, owner:, author:," in text_of(page)
    assert 'value="colour:red fix"' in page and 'aria-invalid="true"' in page


async def test_files_are_refused_in_words(instance: LocalInstance) -> None:
    """path: says how to ask for files where there are none, instead of finding nothing."""
    status, page = await opened(instance, "/commits?q=path:src")
    assert status == 400 and "fetched only when you ask for it" in text_of(page)


async def test_a_result_is_taken_along(instance: LocalInstance) -> None:
    """CSV, JSON and Markdown hold what the page lists; nothing in them is a formula, a link or a tag."""
    _, table = await opened(instance, "/commits.csv?q=since:2026-11-23+author:me")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["sha"] for row in rows} == {SHA, "b" * 40, "c" * 40, "a8"}
    first = next(row for row in rows if row["sha"] == SHA)
    assert (first["repository"], first["pull_request"], first["co_authors"]) == ("fernhill/atlas", "1", "bob")
    assert next(row for row in rows if row["sha"] == "c" * 40)["subject"] == "'=2+5 formula"
    _, text = await opened(instance, "/commits.json?q=since:2026-11-23+author:me")
    assert {one["sha"] for one in json.loads(text)} == {row["sha"] for row in rows}
    _, notes = await opened(instance, "/commits.md?q=since:2026-11-23+author:me")
    assert notes.startswith("## fernhill/atlas\n\n- ")
    assert f"- Retry what fails ([#1]({NOWHERE}/fernhill/atlas/pull/1)), Mon 23" in notes
    assert "- Merge \\[x\\](javascript:alert) \\<b\\>\\*bold\\*\\</b\\> \\`x\\`" in notes
    assert (await opened(instance, "/commits.md?q=absent"))[1] == "No commit matches.\n"


async def test_one_search_looks_at_everything(instance: LocalInstance) -> None:
    """Commits, pull requests and repositories, each with its number and the way to all of them."""
    _, page = await opened(instance, "/search?q=retry")
    seen = text_of(page)
    assert "Everything Commits 1 Pull requests 1" in seen
    assert "Retry what fails" in seen and "with jitter" in seen
    _, page = await opened(instance, "/search?q=atlas")
    assert "Repositories 1" in text_of(page) and "/r/fernhill/atlas" in page
    # What is about commits alone finds no pull requests, and the other way round.
    _, page = await opened(instance, "/search?q=retry+is:merge")
    assert "Pull requests 1" not in text_of(page)
    status, page = await opened(instance, "/search?q=retry+is:open")
    assert status == 200 and "Commits" not in text_of(page).partition("Everything")[2].partition("Search")[0]


async def test_the_box_in_the_header_searches_everything(instance: LocalInstance) -> None:
    """A form without script: its address is the search page."""
    _, page = await opened(instance, "/")
    assert re.search(r'role="search" action="[^"]*/search"', page)


async def test_nobody_is_shown_what_they_may_not_read(instance: LocalInstance) -> None:
    """bob's private repository is in his results alone: no row, count, chip or file of it elsewhere."""
    for path in ("/commits?q=retry", "/commits.csv?q=retry", "/commits.md?q=retry", "/commits.json?q=5ec0000",
                 "/search?q=retry", "/search?q=secret-plan", "/search?q=owner:bob"):  # fmt: skip
        _, page = await opened(instance, path)
        assert "Retry the" not in text_of(page) and "bob/secret-plan" not in page, path
    assert "2 commits match" in text_of((await opened(instance, "/commits?q=retry", BOB))[1])
    assert "bob/secret-plan" in (await opened(instance, "/search?q=plan", BOB))[1].replace("</span>", "")
