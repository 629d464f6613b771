"""What the page of repositories does: bulk actions, adding, deleting after a question, nothing foreign."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from local_instance import Guest, LocalInstance
from small_visit import NOWHERE, text_of, visit
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY, NOW, SECRET, enter
from sqlalchemy import func, select, update
from visitor import Answer

from trackeep.errors import UsageError
from trackeep.instance.repository_names import full_name_in
from trackeep.store import following, schedule, tables, tables_sync, wishes
from trackeep.store import tables_fetched as fetched
from trackeep.store.tables_choices import repository_tag, wish

pytestmark = pytest.mark.anyio
UNKNOWN = 987_654_321
GITHUB = "https://github.com"


async def follows(instance: LocalInstance, account_id: int = ALICE) -> dict[int, tuple[str, bool]]:
    async with instance.site.db.read() as conn:
        rows = await conn.execute(select(tables.follow).where(tables.follow.c.account_id == account_id))
        return {row.repository_id: (row.state, row.hidden) for row in rows}


async def onward(guest: Guest, answer: Answer) -> Answer:
    """The page that a form led to."""
    return await guest.get(urljoin(answer.url, answer.location))


async def lose(instance: LocalInstance, repository_id: int) -> None:
    """GitHub shows it to alice no more."""
    async with instance.site.db.write() as conn:
        this = (tables.access.c.account_id == ALICE) & (tables.access.c.repository_id == repository_id)
        gone = {"state": "lost", "known_as": "fernhill/atlas"}
        await conn.execute(update(tables.access).where(this).values(**gone))
        said = "fernhill/atlas: it was deleted, or you lost access."
        await schedule.fail(conn, ALICE, (repository_id, "access"), said, NOW + 999)


async def test_every_button_does_what_it_says(tmp_path: Path) -> None:
    """Without script: the ticked ones change, the page says so, the others stay."""
    async with visit(tmp_path, path="/t") as (instance, alice):
        for do, expected, said in (
            ("pause", ("paused", False), "1 repository paused"),
            ("hide", ("paused", True), "1 repository hidden"),
            ("track", ("tracked", False), "1 repository followed"),
            ("hide", ("tracked", True), "hidden from your lists"),
            ("show", ("tracked", False), "1 repository back in your lists"),
            ("archive", ("paused", True), "asked about no more"),
        ):
            sent = await alice.send(
                "/repos/bulk", {"do": do, "repo": str(ATLAS), "return_to": "/repos?sort=push"}
            )
            assert (sent.status, urlsplit(sent.location).path) == (303, "/t/repos"), do
            assert "sort=push" in sent.location
            assert said in text_of((await onward(alice, sent)).text), do
            assert await follows(instance) == {ATLAS: expected, HERON: ("tracked", False)}, do


async def test_tags_on_the_page(tmp_path: Path) -> None:
    """Tagged in one form, shown in the row, filtered by a link; what is no word is refused."""
    async with visit(tmp_path) as (instance, alice):
        form = {"do": "tag", "repo": str(ATLAS), "tag": "  At   Work "}
        assert (await alice.send("/repos/bulk", form)).status == 303
        page = (await alice.open("/repos?tag=at+work")).text
        assert "atlas" in text_of(page) and "heron" not in text_of(page)
        assert 'href="/repos?tag=at+work">at work</a>' in page
        for nothing in ("", " ", "x" * 41, "a\x00b"):
            assert (await alice.send("/repos/bulk", {**form, "tag": nothing})).status == 400
        await alice.send("/repos/bulk", {**form, "do": "untag", "tag": "at work"})
        async with instance.site.db.read() as conn:
            assert (await conn.execute(select(repository_tag))).all() == []


async def test_foreign_numbers_change_nothing(tmp_path: Path) -> None:
    """A repository that is not alice's is answered like one that never was, alone and among her own."""
    dos = ("pause", "hide", "track", "archive", "sync", "deep", "show", "tag", "untag")
    async with visit(tmp_path) as (instance, alice):
        before = await everything(instance)
        for do in dos:
            form = {"do": do, "tag": "x"}
            answers = [
                await alice.send("/repos/bulk", {**form, "repo": str(one)}) for one in (SECRET, UNKNOWN)
            ]
            assert answers[0].status == answers[1].status == 404, do
            assert without_request(answers[0].text) == without_request(answers[1].text), do
        for path in ("/repos/delete?repo={}",):
            pages = [await alice.open(path.format(one)) for one in (SECRET, UNKNOWN)]
            assert pages[0].status == 404
            assert without_request(pages[0].text) == without_request(pages[1].text)
        gone = [await alice.send("/repos/delete", {"repo": str(one)}) for one in (SECRET, UNKNOWN)]
        assert [one.status for one in gone] == [404, 404]
        assert await everything(instance) == before
        both = await alice.open(f"/repos/delete?repo={SECRET}&repo={HERON}")
        assert "Delete the stored data of 1 repository?" in text_of(both.text)
        assert "secret-plan" not in both.text


async def everything(instance: LocalInstance) -> list[object]:
    async with instance.site.db.read() as conn:
        watched = (tables.follow, repository_tag, tables_sync.cursor, tables_sync.schedule)
        return [sorted((await conn.execute(select(table))).all(), key=repr) for table in watched]


def without_request(page: str) -> str:
    return re.sub(r"[0-9a-f]{16}|\d\d:\d\d:\d\d", "", page)


async def test_deleting_asks_before_it_deletes(tmp_path: Path) -> None:
    """The page names what goes; what bob follows too stays for him and goes with him."""
    async with visit(tmp_path) as (instance, alice), Guest(instance.url, "") as bob:
        await enter(instance, bob, BOB)
        async with instance.site.db.write() as conn:
            commits = tables_sync.cursor.c.stream == "commits"
            await conn.execute(update(tables_sync.cursor).where(commits).values(items=3))
            await following.tag(conn, ALICE, [ATLAS], "work")
        sent = await alice.send("/repos/bulk", {"one": f"delete.{ATLAS}"})
        assert sent.location.endswith(f"/repos/delete?repo={ATLAS}")
        page = text_of((await onward(alice, sent)).text)
        assert "fernhill/atlas 3 commits, with branches and tags" in page
        assert await count(instance, fetched.commit, ATLAS) == 9, "asking deletes nothing"
        both = {"repo": str(ATLAS)}
        said = await onward(alice, await alice.send("/repos/delete", both))
        assert "1 repository followed no more" in text_of(said.text)
        assert ATLAS not in await follows(instance)
        assert await count(instance, fetched.commit, ATLAS) == 9, "bob follows it still"
        assert await count(instance, repository_tag, ATLAS) == 0
        await bob.send("/repos/delete", both)
        assert await count(instance, fetched.commit, ATLAS) == 0
        assert await count(instance, fetched.commit, HERON) == 2


async def count(instance: LocalInstance, table: object, repository_id: int) -> int:
    rows = select(func.count()).where(table.c.repository_id == repository_id)  # type: ignore[attr-defined]
    async with instance.site.db.read() as conn:
        return int((await conn.execute(rows)).scalar_one())


async def test_what_is_lost_can_be_archived_and_deleted(tmp_path: Path) -> None:
    """By the name alice knew, with three buttons; archived it is out of sight, deleted it is gone."""
    async with visit(tmp_path) as (instance, alice):
        await lose(instance, ATLAS)
        page = text_of((await alice.open("/repos")).text)
        assert "GitHub answers 404 for fernhill/atlas — renamed, deleted or access removed." in page
        assert "Your stored history is kept." in page
        assert "1 without access" in page
        await alice.send("/repos/bulk", {"one": f"archive.{ATLAS}"})
        assert "GitHub answers 404" not in text_of((await alice.open("/repos")).text)
        assert "archived by you" in text_of((await alice.open("/repos?state=lost")).text)
        async with instance.site.db.write() as conn:
            alone = (tables.follow.c.account_id == BOB) & (tables.follow.c.repository_id == ATLAS)
            await conn.execute(tables.follow.delete().where(alone))
        page = text_of((await alice.open(f"/repos/delete?repo={ATLAS}")).text)
        assert "its stored history cannot be fetched again" in page
        assert " commits," not in page, "what others have read since is not told"
        await alice.send("/repos/delete", {"repo": str(ATLAS)})
        assert await count(instance, fetched.commit, ATLAS) == 0
        assert "without access" not in text_of((await alice.open("/repos")).text)


async def test_an_error_has_its_reason_and_a_retry(tmp_path: Path) -> None:
    """The row says why, Retry ends the waiting, and the account is due at once."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await schedule.fail(conn, ALICE, (ATLAS, "pulls"), "GitHub answered 502.", NOW + 3600)
        page = text_of((await alice.open("/repos?state=error")).text)
        assert "GitHub answered 502. Retry fernhill/atlas" in page
        assert "Error · 4 min ago" in page
        await alice.send("/repos/bulk", {"one": f"sync.{ATLAS}"})
        async with instance.site.db.read() as conn:
            assert (await schedule.cursors(conn, ALICE))[ATLAS, "pulls"].due_at == 0
            due = (await conn.execute(select(tables_sync.schedule))).one()
        assert (due.account_id, due.priority) == (ALICE, schedule.CLICK)


@pytest.mark.parametrize(
    "form",
    [
        {"do": "pause"},
        {"do": "pause", "repo": "x"},
        {"do": "explode", "repo": "10"},
        {"one": "pause"},
        {"one": "explode.10"},
        {"one": "pause.9999999999999999999"},
        {"repo": "10"},
    ],
)
async def test_a_form_that_means_nothing(tmp_path: Path, form: dict[str, str]) -> None:
    """One clear sentence and status 400; nothing changes."""
    async with visit(tmp_path) as (instance, alice):
        before = await everything(instance)
        answer = await alice.send("/repos/bulk", form)
        assert answer.status == 400 and "went wrong" not in answer.text
        assert await everything(instance) == before


async def test_from_a_refusal_a_link_leads_back_to_the_form(tmp_path: Path) -> None:
    """With its filter; an address of somebody else is not repeated."""
    async with visit(tmp_path) as (instance, alice):
        here = instance.url + "/repos?q=at&sort=open"
        refused = await alice.send("/repos/bulk", {"do": "pause"}, Referer=here)
        assert 'href="/repos?q=at&amp;sort=open">Back to the form' in refused.text
        for other in ("http://mallory.example/", "javascript:mallory()", instance.url + "//mallory.example"):
            refused = await alice.send("/repos/bulk", {"do": "pause"}, Referer=other)
            assert (refused.status, "mallory" in refused.text) == (400, False)


async def test_too_many_at_once(tmp_path: Path) -> None:
    """More numbers than a database takes in one question are refused by us, in words."""
    many = "&".join(f"repo={number}" for number in range(1_000, 1_600))
    async with visit(tmp_path) as (_, alice):
        answer = await alice.open(f"/repos/delete?{many}")
    assert (answer.status, "At most 500 repositories at once" in answer.text) == (400, True)


async def test_pages_of_the_list_follow_each_other(tmp_path: Path) -> None:
    """Each page links to the next in the order that was asked for; a link of another list is refused."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            for number in range(100, 190):
                made = {"id": number, "owner": "fernhill", "name": f"n{number}", "default_branch": "main"}
                await conn.execute(tables.repository.insert().values(**made))
                mine = {"account_id": ALICE, "repository_id": number}
                await conn.execute(tables.follow.insert().values(**mine, state="tracked", created_at=NOW))
                await conn.execute(tables.access.insert().values(**mine, state="granted", checked_at=NOW))
        for query in ("", "?sort=push&dir=up", "?sort=repository&dir=down", "?sort=oldest"):
            names, address, pages = [], f"/repos{query}", 0
            while address:
                page = (await alice.open(address)).text
                names += re.findall(r'aria-label="Select ([^" ]+/[^"]+)"', page)
                link = re.search(r'<a class="btn" href="([^"]+)" rel="next">', page)
                address, pages = html.unescape(link[1]) if link else "", pages + 1
            assert (len(names), len(set(names)), pages) == (92, 92, 3), query
        foreign = re.search(r"cursor=[\w-]+", (await alice.open("/repos")).text)
        assert foreign
        assert (await alice.open(f"/repos?sort=push&{foreign[0]}")).status == 400
        assert (await alice.open("/repos?cursor=eyJh")).status == 400


async def test_adding_by_name(tmp_path: Path) -> None:
    """What is known is followed at once; everything else waits for the worker, and no name is confirmed."""
    async with visit(tmp_path) as (instance, alice), Guest(instance.url, "") as mallory:
        await enter(instance, mallory, MALLORY)
        await alice.send("/repos/bulk", {"do": "pause", "repo": str(ATLAS)})
        known = await alice.send("/repos/add", {"repository": f"{NOWHERE}/Fernhill/Atlas/pulls"})
        assert "done=track.1" in known.location
        assert (await follows(instance))[ATLAS] == ("tracked", False)
        pages = []
        for name in ("bob/secret-plan", "bob/secret-plot"):
            sent = await alice.send("/repos/add", {"repository": name})
            assert "done=asked.1" in sent.location
            page = (await onward(alice, sent)).text
            pages.append(re.sub(r"secret-pl\w+|[0-9a-f]{16}", "", text_of(page)))
            await alice.send("/repos/wishes/dismiss", {"name": name})
        assert pages[0] == pages[1], "whether it is stored for somebody else is not told"
        async with instance.site.db.write() as conn:
            assert (await conn.execute(select(wish))).all() == []
            await wishes.make(conn, ALICE, "a/b", NOW)
            await wishes.answer(conn, ALICE, "a/b", NOW, problem="GitHub shows no such repository to you.")
        assert "GitHub shows no such repository to you." in text_of((await alice.open("/repos")).text)
        assert "a/b" not in text_of((await mallory.open("/repos")).text)
        for nothing in ("", "atlas", "https://evil.example/a/b", "a/b/c", "../x", "a/.."):
            answer = await alice.send("/repos/add", {"repository": nothing})
            assert answer.status == 400, nothing


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fernhill/atlas", "fernhill/atlas"),
        ("  Fernhill/Atlas ", "Fernhill/Atlas"),
        (f"{GITHUB}/fernhill/atlas", "fernhill/atlas"),
        (f"{GITHUB}/fernhill/atlas/", "fernhill/atlas"),
        (f"{GITHUB}/fernhill/atlas/pull/12#issuecomment-1", "fernhill/atlas"),
        (f"{GITHUB}/fernhill/atlas?tab=readme", "fernhill/atlas"),
        (f"{GITHUB}/fernhill/atlas.git", "fernhill/atlas"),
        ("GitHub.com/fernhill/atlas.js", "fernhill/atlas.js"),
        ("git@github.com:fernhill/atlas.git", "fernhill/atlas"),
        ("ssh://git@github.com/fernhill/atlas.git", "fernhill/atlas"),
    ],
)
async def test_names_as_people_paste_them(text: str, name: str) -> None:
    """A name, an address of any of its pages, or what git clones."""
    assert full_name_in(text, GITHUB) == name


@pytest.mark.parametrize(
    "text",
    ["", "atlas", "/", "a/b/c", "a b/c", "https://evil.example/a/b", "https://github.com/a", "a/.git", "./x"],
)
async def test_what_is_no_name(text: str) -> None:
    """One sentence that says how to write it."""
    with pytest.raises(UsageError) as refused:
        full_name_in(text, GITHUB)
    assert "owner/name" in refused.value.hint


async def test_suggestions_are_followed_by_one_click(tmp_path: Path) -> None:
    """Readable, pushed to lately and not followed: one button, and it is."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await schedule.unfollow_repositories(conn, ALICE, [HERON])
        page = text_of((await alice.open("/repos")).text)
        assert "Pushed to lately, and not followed alice/heron" in page
        await alice.send("/repos/bulk", {"one": f"track.{HERON}"})
        assert (await follows(instance))[HERON] == ("tracked", False)


async def test_all_paused_and_resumed(tmp_path: Path) -> None:
    """One button on the sync page pauses everything, another resumes it; a third retries what failed."""
    async with visit(tmp_path) as (instance, alice):
        await alice.send("/sync/all", {"do": "pause"})
        assert {state for state, _ in (await follows(instance)).values()} == {"paused"}
        page = text_of((await alice.open("/sync")).text)
        assert "Resume all" in page and "Pause all" not in page
        assert (await follows(instance, BOB))[ATLAS] == ("tracked", False)
        await alice.send("/sync/all", {"do": "resume"})
        assert {state for state, _ in (await follows(instance)).values()} == {"tracked"}
        assert (await alice.send("/sync/all", {"do": "retry"})).status == 303
        assert (await alice.send("/sync/all", {"do": "delete"})).status == 400
