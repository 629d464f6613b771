"""What the JSON API answers about the small world, counted by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_client import Api, small_api
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with small_api(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture(scope="module")
async def alice(api: Api) -> str:
    return await api.token(ALICE, ("read",))


async def numbers(api: Api, path: str, token: str) -> list[int]:
    return [one["number"] for one in (await api.get(path, token))["items"]]


async def shas(api: Api, path: str, token: str) -> list[str]:
    return [one["sha"] for one in (await api.get(path, token))["items"]]


async def test_me(api: Api, alice: str) -> None:
    """Who asks, in which zone, and by what right."""
    me = await api.get("/me", alice)
    assert (me["id"], me["login"], me["name"], me["role"]) == (ALICE, "alice", "Alice Moreau", "member")
    assert (me["time_zone"], me["week_start"]) == ("Europe/Prague", 1)
    right = me["authentication"]
    assert (right["kind"], right["name"], right["scopes"]) == ("token", "Test", ["read"])
    assert right["expires_at"].startswith("2027-02-21T11:00:")


async def test_repositories(api: Api, alice: str) -> None:
    """By name, with the figures that the page has; a part of the name narrows them."""
    page = await api.get("/repos", alice)
    assert page["next"] is None
    heron, atlas = page["items"]
    assert (heron["id"], heron["repository"], heron["fork"]) == (HERON, "alice/heron", True)
    assert (atlas["id"], atlas["commits"], atlas["open_pulls"], atlas["branches"]) == (ATLAS, 6, 5, 2)
    assert (atlas["merged_pulls"], atlas["median_time_to_merge_s"]) == (2, 10_800)
    assert (atlas["oldest_open_at"], atlas["follow"]) == ("2026-11-21T09:00:00Z", "tracked")
    found = await api.get("/repos?q=ATL&period=12m", alice)
    assert [(one["repository"], one["commits"]) for one in found["items"]] == [("fernhill/atlas", 7)]


async def test_one_repository(api: Api, alice: str) -> None:
    """The same figures as in the list, whatever the case of the name."""
    listed = (await api.get("/repos", alice))["items"][1]
    assert await api.get("/repos/fernhill/atlas", alice) == listed
    assert await api.get("/repos/Fernhill/ATLAS", alice) == listed


async def test_branches(api: Api, alice: str) -> None:
    """The default branch first; tags are none."""
    main, topic = (await api.get("/repos/fernhill/atlas/branches", alice))["items"]
    assert (main["name"], main["state"], main["sha"], main["author"]["login"]) == (
        "main",
        "default",
        "a5",
        "bob",
    )
    assert (topic["name"], topic["state"], topic["committed_at"]) == (
        "topic",
        "active",
        "2026-11-23T07:00:00Z",
    )


async def test_commits(api: Api, alice: str) -> None:
    """Newest first, merges and other branches too, a commit of two repositories once."""
    everything = ["a8", "a3", "a7", "a6", "a5", "a4", "a2", "a1", "f1", "a9"]
    assert await shas(api, "/commits", alice) == everything
    first = (await api.get("/commits?limit=1", alice))["items"][0]
    assert (first["repository"], first["subject"], first["private"]) == ("fernhill/atlas", "Change a8", False)
    assert first["author"] == {"login": "alice", "name": "alice"}
    assert (first["authored_at"], first["author_offset_minutes"]) == ("2026-11-23T07:00:00Z", 0)
    assert (first["on_default_branch"], first["is_merge"], first["additions"]) == (False, False, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("author=me&dated=author&counted=true&since=2026-10-25", ["a3", "a2", "a1", "f1"]),
        ("author=bob", ["a5"]),
        ("q=change+A9", ["a9"]),
        ("repository=alice/heron", ["a1", "f1"]),
        ("repository=bob/secret-plan", []),
        ("since=2026-11-21&until=2026-11-21", ["a2"]),
        ("author=nobody", []),
    ],
)
async def test_commits_narrowed(api: Api, alice: str, query: str, found: list[str]) -> None:
    """Each part of the query leaves out what it says; days are those of alice's zone."""
    assert await shas(api, f"/commits?{query}", alice) == found


async def test_commits_of_one_repository(api: Api, alice: str) -> None:
    """The address says which; the query narrows as elsewhere."""
    assert await shas(api, "/repos/alice/heron/commits", alice) == ["a1", "f1"]
    assert await shas(api, "/repos/alice/heron/commits?q=f1", alice) == ["f1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [8, 7, 6, 5, 4, 9, 2, 1, 3]),
        ("?state=open", [8, 7, 6, 5, 4]),
        ("?state=merged", [2, 1, 3]),
        ("?state=closed", [9]),
        ("?author=bob", [4, 9]),
        ("?state=merged&since=2026-11-20", [2]),
        ("?q=pull+7", [7]),
    ],
)
async def test_pulls(api: Api, alice: str, query: str, found: list[int]) -> None:
    """By creation, or by when they were merged or closed; of one repository the same."""
    assert await numbers(api, f"/pulls{query}", alice) == found
    assert await numbers(api, f"/repos/fernhill/atlas/pulls{query}", alice) == found


async def test_one_pull(api: Api, alice: str) -> None:
    """A draft that became ready says when; who was asked stands without a state."""
    (two,) = (await api.get("/pulls?state=merged&since=2026-11-20", alice))["items"]
    assert (two["created_at"], two["ready_at"]) == ("2026-11-19T09:00:00Z", "2026-11-20T09:00:00Z")
    assert (two["merged_at"], two["mine"]) == ("2026-11-20T11:00:00Z", True)
    assert two["author"] == {"login": "alice", "name": "Alice Moreau"}
    newest = (await api.get("/pulls?limit=1", alice))["items"][0]
    assert newest["reviewers"] == [{"login": "bob", "state": ""}]


async def test_activity(api: Api, alice: str) -> None:
    """10 lines of commits, 13 of pull requests, 5 reviews, 1 issue."""
    events = (await api.get("/activity", alice))["items"]
    kinds = [event["kind"] for event in events]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        **{"commit": 10, "opened": 9, "merged": 3, "closed": 1},
        **{"review": 5, "issue": 1},
    }
    assert events[0]["at"] == "2026-11-23T07:00:00Z"
    assert [event["at"] for event in events] == sorted((event["at"] for event in events), reverse=True)
    assert len((await api.get("/activity?kind=review&mine=true", alice))["items"]) == 3
    assert len((await api.get("/activity?repository=alice/heron", alice))["items"]) == 2


async def test_search(api: Api, alice: str) -> None:
    """All of the words, in the message or the author's name, or the beginning of a sha."""
    found = (await api.get("/search?q=change+a8", alice))["items"]
    assert [(one["kind"], one["commit"]["sha"]) for one in found] == [("commit", "a8")]
    assert (await api.get("/search?q=secret", alice))["items"] == []


async def test_summary(api: Api, alice: str) -> None:
    """The five numbers of the dashboard, with what they were before."""
    figures = await api.get("/stats/summary", alice)
    assert figures["window"] == {"period": "30d", "since": "2026-10-25", "until": "2026-11-23"}
    assert figures["commits"] == {"value": 4, "previous": 1}
    assert figures["merged_pulls"] == {"value": 2, "previous": 1}
    assert figures["reviews"] == {"value": 3, "previous": 0}
    assert (figures["contributions"], figures["active_days"]) == (12, 5)
    assert figures["time_to_merge"] == {"n": 2, "p50_s": 10_800, "p90_s": 14_400}
    assert figures["streak"] == {"current": 5, "longest": 5}
    ever = await api.get("/stats/summary?period=all", alice)
    assert (ever["window"]["since"], ever["commits"]) == (None, {"value": 5, "previous": None})


async def test_calendar(api: Api, alice: str) -> None:
    """Every day of the span once, with what the calendar's table says of it."""
    year = await api.get("/stats/calendar?year=2026", alice)
    assert (year["first"], year["last"], len(year["days"])) == ("2026-01-01", "2026-11-23", 327)
    assert (year["contributions"], year["active_days"]) == (14, 6)
    by_day = {day["day"]: day for day in year["days"]}
    busy = by_day["2026-11-20"]
    assert [busy[kind] for kind in ("commits", "pulls", "reviews", "issues")] == [1, 0, 1, 0]
    assert by_day["2026-11-23"]["level"] == 0
    reviews = await api.get("/stats/calendar?kind=review", alice)
    assert (reviews["contributions"], len(reviews["days"])) == (2, 365)


async def test_cycle_time(api: Api, alice: str) -> None:
    """Four hours and two; nothing was reviewed, and one waits for it."""
    times = await api.get("/stats/cycle-time", alice)
    assert times["time_to_merge"] == {"n": 2, "p50_s": 10_800, "p90_s": 14_400}
    assert times["pickup"] == times["coding"] == {"n": 0, "p50_s": None, "p90_s": None}
    assert (times["merged_pulls"], times["without_review"], times["waiting"]) == (2, 2, 1)
    assert (await api.get("/stats/cycle-time?author=bob", alice))["merged_pulls"] == 0


async def test_sync(api: Api, alice: str) -> None:
    """One repository is read to its end, one is not; the budget as GitHub told it."""
    state = await api.get("/sync", alice)
    assert (state["connection"], state["followed"], state["complete"]) == ("ok", 2, 1)
    (budget,) = state["budgets"]
    assert (budget["resource"], budget["limit"], budget["remaining"]) == ("core", 5000, 4812)
    complete = {one["repository"]: one["complete"] for one in state["repositories"]}
    assert complete == {"alice/heron": False, "fernhill/atlas": True}


async def test_export(api: Api, alice: str) -> None:
    """One line per row of what alice may read, and not a word of what she may not."""
    reply = await api.ask("GET", "/export", alice)
    lines: list[dict[str, Any]] = [json.loads(line) for line in reply.text.splitlines()]
    assert reply.headers["Content-Type"].startswith("application/x-ndjson")
    commits = [line["row"]["sha"] for line in lines if line["table"] == "commit"]
    assert sorted(commits) == ["a1", "a1", *(f"a{n}" for n in range(2, 10)), "f1"]
    assert "secret" not in reply.text
    assert (await api.ask("HEAD", "/export", alice)).status == 200


async def test_everybody_sees_their_own(api: Api) -> None:
    """Bob's private repository is in his lists alone; mallory, who reads nothing, has empty ones."""
    bob, mallory = await api.token(BOB), await api.token(MALLORY)
    assert "s1" in await shas(api, "/commits", bob)
    assert (await api.get("/search?q=secret", bob))["items"][0]["commit"]["private"] is True
    for path in ("/repos", "/commits", "/pulls", "/activity", "/search?q=Change"):
        assert await api.get(path, mallory) == {"items": [], "next": None}, path
    assert (await api.get("/stats/summary", mallory))["contributions"] == 0


async def test_answers_can_be_kept(api: Api, alice: str) -> None:
    """An answer comes again only when it has changed, and no cache between keeps it."""
    first = await api.ask("GET", "/commits", alice)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first.headers["Vary"]
    again = await api.ask("GET", "/commits", alice, if_none_match=f'"x", {first.headers["ETag"]}')
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    other = await api.ask("GET", "/commits?limit=1", alice, if_none_match=first.headers["ETag"])
    assert other.status == 200


async def test_head_is_get_without_a_body(api: Api, alice: str) -> None:
    """The same headers, for who only wants to know whether something changed."""
    got, head = await api.ask("GET", "/me", alice), await api.ask("HEAD", "/me", alice)
    assert (head.status, head.text) == (200, "")
    assert head.headers["ETag"] == got.headers["ETag"]


async def test_following(tmp_path: Path) -> None:
    """Unfollow, and what was fetched is gone; follow again, twice, and the worker is told to fetch it."""
    async with small_api(tmp_path) as own:
        alice = await own.token(ALICE)
        assert (await own.ask("DELETE", "/repos/alice/heron", alice)).status == 204
        assert (await own.get("/repos/alice/heron", alice))["follow"] == "no"
        assert (await own.ask("DELETE", "/repos/alice/heron", alice)).problem == "not_found"
        assert [one["repository"] for one in (await own.get("/repos", alice))["items"]] == ["fernhill/atlas"]
        for _ in range(2):
            reply = await own.ask("POST", "/repos", alice, body={"repository": "Alice/Heron"})
            assert (reply.status, reply.json["follow"], reply.json["commits"]) == (201, "tracked", 0)
            assert reply.headers["Cache-Control"] == "no-store"
        assert (await own.get("/sync", alice))["due_at"].startswith("2026-11-23T11:00:")


async def test_asking_for_a_sync(tmp_path: Path) -> None:
    """The worker is due now; nobody syncs what they do not follow."""
    async with small_api(tmp_path) as own:
        alice = await own.token(ALICE, ("sync",))
        reply = await own.ask("POST", "/repos/fernhill/atlas/sync", alice)
        assert (reply.status, reply.json["repository"]) == (202, "fernhill/atlas")
        assert (await own.ask("POST", "/repos/bob/secret-plan/sync", alice)).problem == "not_found"
        reader = await own.token(ALICE, ("read",))
        assert (await own.get("/sync", reader))["due_at"] is not None
