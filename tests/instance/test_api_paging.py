"""Lists of the JSON API, page by page: each row once, on both databases, also while rows are added."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from api_client import Api, small_api
from small_world import ALICE, ATLAS, BOB, NOW

from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio

SECOND = NOW - 5_000
LISTS = {
    "/repos": "id",
    "/repos/fernhill/atlas/branches": "name",
    "/repos/fernhill/atlas/commits": "sha",
    "/repos/fernhill/atlas/pulls": "number",
    "/commits": "sha",
    "/pulls": "number",
    "/pulls?state=open": "number",
    "/search?q=Change": "commit",
}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, database_url=database_url) as found:
        yield found


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """For questions that no database ever sees."""
    async with small_api(tmp_path_factory.mktemp("shared")) as found:
        yield found


async def add_branches(api: Api, names: list[str], seen_at: int) -> None:
    """Branches that one sync has seen for the first time, all in the same second."""
    key = {"repository_id": ATLAS}
    refs = [
        {**key, "name": f"refs/heads/{name}", "first_seen_at": seen_at, "moved_at": seen_at} for name in names
    ]
    changes = [{**key, "name": f"refs/heads/{name}", "kind": "created", "seen_at": seen_at} for name in names]
    async with api.instance.site.db.write() as conn:
        await conn.execute(fetched.ref.insert(), refs)
        await conn.execute(fetched.ref_change.insert(), changes)


async def add_work(api: Api, number: int, at: int) -> None:
    """One more commit and one more pull request, both opened at an instant."""
    times = {"authored_at": at, "committed_at": at}
    who = {"author_name": "bob", "author_email": "bob@x.example", "committer_email": "bob@x.example"}
    commit = {"repository_id": ATLAS, "sha": f"b{number}", "message": "Change more", "parent_count": 1}
    pull = {"repository_id": ATLAS, "number": number, "title": "More", "state": "open", "author_id": BOB}
    async with api.instance.site.db.write() as conn:
        await conn.execute(fetched.commit.insert().values(**commit, **times, **who, on_default=True))
        await conn.execute(fetched.pull_request.insert().values(**pull, created_at=at, updated_at=at))


@pytest.mark.parametrize("limit", [1, 3])
async def test_every_row_comes_once(api: Api, limit: int) -> None:
    """Whatever the size of the pages, together they are the whole list in its order."""
    alice = await api.token()
    await add_branches(api, ["zeta", "Alpha", "über", "a/b"], SECOND)
    for path in LISTS:
        whole = (await api.get(path, alice))["items"]
        assert len(whole) > 1, path
        assert await api.every(path, alice, limit) == whole, path


@pytest.mark.parametrize("limit", [4, 50])
async def test_events_of_one_second_come_once(api: Api, limit: int) -> None:
    """A sync that sees a hundred and fifty branches at once hides none of them between two pages."""
    alice = await api.token()
    await add_branches(api, [f"topic-{n}" for n in range(150)], SECOND)
    paged = await api.every("/activity?since=2026-11-22", alice, limit)
    whole = (await api.get("/activity?since=2026-11-22&limit=500", alice))["items"]
    assert len([event for event in paged if event["kind"] == "created"]) == 150
    assert paged == whole


async def test_rows_that_arrive_move_nothing(api: Api) -> None:
    """A sync adds newer rows between all pages: what was there comes once, in the same order."""
    alice, added = await api.token(), count(100)
    for path in ("/commits", "/pulls", "/activity"):
        before = (await api.get(path, alice))["items"]
        seen: list[Any] = []
        cursor = ""
        for number in added:
            page = await api.get(f"{path}?limit=2&cursor={cursor}", alice)
            seen += page["items"]
            # Newer than all, but in the same day, author and repository as lines that come later.
            await add_work(api, number, NOW + number)
            if page["next"] is None:
                break
            cursor = page["next"]
        assert seen == before, path


async def test_rows_that_go_move_nothing(api: Api) -> None:
    """Where the row that a cursor stands on is gone, the list goes on behind its place."""
    alice = await api.token()
    whole = [one["sha"] for one in (await api.get("/commits", alice))["items"]]
    page = await api.get("/commits?limit=3", alice)
    async with api.instance.site.db.write() as conn:
        gone = fetched.commit.c.sha == page["items"][-1]["sha"]
        await conn.execute(fetched.commit.delete().where(gone))
    rest = await api.get(f"/commits?cursor={page['next']}", alice)
    assert [one["sha"] for one in rest["items"]] == whole[3:]


async def test_a_cursor_belongs_to_its_question(shared: Api) -> None:
    """Another list, another query or another person cannot use it; another size of page can."""
    alice, bob = await shared.token(ALICE), await shared.token(BOB)
    cursor = (await shared.get("/commits?limit=2", alice))["next"]
    await shared.get(f"/commits?limit=500&cursor={cursor}", alice)
    for path, token in (
        (f"/commits?cursor={cursor}", bob),
        (f"/commits?author=me&cursor={cursor}", alice),
        (f"/pulls?cursor={cursor}", alice),
        (f"/repos/fernhill/atlas/commits?cursor={cursor}", alice),
    ):
        assert (await shared.ask("GET", path, token)).problem == "bad_request", path


@pytest.mark.parametrize(
    "key",
    [
        *(
            [],
            ["x"],
            [1],
            [1, 2],
            ["1", "a"],
            [1, "a", 2],
            [True, "a"],
            [2**70, "a"],
            [1.5, "a"],
            [None, "a"],
        ),
        *([1, "\0"], [1, "\ud800"], {"a": 1}, "text", 7),
    ],
)
async def test_a_forged_cursor_is_refused(shared: Api, key: Any) -> None:
    """What is not ours is a wrong request, whatever it holds; never an error of the database."""
    alice = await shared.token()
    cursor = (await shared.get("/commits?limit=2", alice))["next"]
    question = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    forged = [question, *key] if isinstance(key, list) else key
    text = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    assert (await shared.ask("GET", f"/commits?cursor={text}", alice)).problem == "bad_request"


@pytest.mark.parametrize("text", ["x", "WyJ", "%25%25%25", "é", "W" * 4_000, "W1tb" * 1_000])
async def test_noise_is_no_cursor(shared: Api, text: str) -> None:
    """Nor is what is no text of ours at all, however long."""
    alice = await shared.token()
    assert (await shared.ask("GET", f"/commits?cursor={text}", alice)).problem == "bad_request"


LISTS = (
    *("/repos", "/commits", "/pulls", "/activity", "/repos/fernhill/atlas/commits"),
    *("/repos/fernhill/atlas/pulls", "/repos/fernhill/atlas/branches"),
)
ODD = (2**63 - 1, -(2**63) + 1, 2**31, -1, "", "x", "\x01", "\U0001f600" * 200, None, True, 1.5, [], {})


async def test_a_forged_part_of_a_cursor_is_no_failure(tmp_path: Path, database_url: str) -> None:
    """Each part of each list's cursor made as odd as can be: a page or a refusal, from both databases."""
    async with small_api(tmp_path, database_url=database_url) as api:
        alice = await api.token()
        for path in LISTS:
            cursor = (await api.get(f"{path}?limit=1", alice))["next"]
            question, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            for place, odd in [(place, odd) for place in range(len(key)) for odd in ODD]:
                forged = [question, *key[:place], odd, *key[place + 1 :]]
                text = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
                reply = await api.ask("GET", f"{path}?limit=500&cursor={text}", alice)
                assert reply.status in (200, 400), (path, forged, reply.text)
