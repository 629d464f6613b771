"""The sandbox's REST API by GitHub's rules: access, filters, order, pages, redirects and refusals."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from programs import Program

pytestmark = pytest.mark.anyio


class Asker:
    """Asks the API as somebody and keeps the last answer's status and headers."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __call__(self, path: str, login: str | None = "alice", **headers: str) -> Any:
        if login is not None:
            token = f"ghp_sandbox{login.replace('-', '')}".ljust(40, "0")
            headers.setdefault("Authorization", f"token {token}")
        address = path if path.startswith("http") else f"{self.url}/api/v3{path}"
        async with self.http.get(address, headers=headers, allow_redirects=False) as answer:
            self.status = answer.status
            self.headers = {name.lower(): value for name, value in answer.headers.items()}
            is_json = answer.content_type == "application/json"
            return await answer.json() if is_json else await answer.text()

    async def everything(self, path: str) -> list[Any]:
        """All pages of a list, by following rel=next."""
        found, address = [], path
        while address:
            found += await self(address)
            link = re.search(r'<([^>]+)>; rel="next"', self.headers.get("link", ""))
            address = link[1] if link else ""
        return found

    async def scoped(self, *scopes: str) -> dict[str, str]:
        """The headers of a new token of alice's with just these scopes."""
        body = {"login": "alice", "scopes": scopes}
        async with self.http.post(f"{self.url}/_sandbox/tokens", json=body) as answer:
            return {"Authorization": f"Bearer {(await answer.json())['token']}"}

    async def truth(self, full_name: str) -> dict[str, Any]:
        async with self.http.get(f"{self.url}/_sandbox/truth") as answer:
            repositories = (await answer.json())["repositories"]
        return next(r for r in repositories if r["full_name"] == full_name)


@pytest.fixture
async def ask(sandbox: Program) -> AsyncIterator[Asker]:
    async with aiohttp.ClientSession() as http:
        yield Asker(http, sandbox.url)


async def test_a_user_agent_is_required(ask: Asker) -> None:
    """Without one GitHub refuses in plain text."""
    async with ask.http.get(
        f"{ask.url}/api/v3/user", headers={"User-Agent": ""}, skip_auto_headers=["User-Agent"]
    ) as answer:
        assert answer.status == 403 and "User-Agent header" in await answer.text()


async def test_who_may_ask(ask: Asker) -> None:
    """401 with GitHub's words for nobody and for a dead token; Basic works with the token as password."""
    assert (await ask("/user", login=None))["message"] == "Requires authentication"
    assert ask.status == 401
    body = await ask("/user", Authorization="Bearer ghp_dead")
    assert (ask.status, body["message"]) == (401, "Bad credentials")
    basic = aiohttp.encode_basic_auth("x-access-token", "ghp_sandboxbob".ljust(40, "0"))
    assert (await ask("/user", Authorization=basic))["login"] == "bob"


async def test_private_repositories_need_the_scope(ask: Asker) -> None:
    """Without `repo` a private repository is a 404 and in no list, for its owner too."""
    narrow = await ask.scoped("read:user", "public_repo")
    assert (await ask("/repos/alice/paper-boat"))["private"] is True
    await ask("/repos/alice/paper-boat", **narrow)
    assert ask.status == 404
    assert not [r for r in await ask("/user/repos?per_page=100", **narrow) if r["private"]]
    listed = await ask("/issues?filter=all&state=all&per_page=100", **narrow)
    assert listed and not [issue for issue in listed if issue["repository"]["private"]]


async def test_private_repositories_need_access(ask: Asker) -> None:
    """A stranger's token, whatever its scopes, learns nothing of them."""
    for path in ("", "/commits", "/branches", "/pulls", "/issues", "/languages", "/contributors"):
        body = await ask(f"/repos/alice/paper-boat{path}", login="mallory")
        assert (ask.status, body["message"]) == (404, "Not Found") and "paper-boat" not in str(body)
    found = await ask("/search/issues?q=repo:fernhill/harbor", login="mallory")
    assert found["total_count"] == 0
    assert "paper-boat" not in str(await ask("/users/alice/repos"))


async def test_addresses_need_the_scope(ask: Asker) -> None:
    """/user/emails is a 404 without user:email; /user says less without read:user."""
    await ask("/user/emails", **await ask.scoped("repo"))
    assert ask.status == 404 and ask.headers["x-accepted-oauth-scopes"] == "user, user:email"
    assert len(await ask("/user/emails", **await ask.scoped("user:email"))) == 4
    assert ask.headers["x-oauth-scopes"] == "user:email"
    assert "two_factor_authentication" not in await ask("/user", **await ask.scoped("user:email"))
    assert "two_factor_authentication" in await ask("/user", **await ask.scoped("user"))


async def test_organisations_need_the_scope(ask: Asker) -> None:
    """/user/orgs is refused with a reason when the token has neither read:org nor user."""
    assert [o["login"] for o in await ask("/user/orgs")] == ["fernhill"]
    body = await ask("/user/orgs", **await ask.scoped("repo"))
    assert ask.status == 403 and "read:org" in body["message"]


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("sort=pushed", lambda r: r["pushed_at"]),
        ("sort=updated", lambda r: r["updated_at"]),
        ("sort=created", lambda r: r["created_at"]),
        ("sort=full_name&direction=desc", lambda r: r["full_name"].lower()),
    ],
)
async def test_repositories_in_order(ask: Asker, query: str, key: Callable[[Any], str]) -> None:
    """Newest first unless asked otherwise; by name they start with A."""
    found = await ask(f"/user/repos?per_page=100&{query}")
    assert [key(r) for r in found] == sorted(map(key, found), reverse=True)
    names = [r["full_name"].lower() for r in await ask("/user/repos?per_page=100")]
    assert names == sorted(names)


async def test_which_repositories(ask: Asker) -> None:
    """Affiliation, visibility and type choose; type excludes the other two."""
    everything = await ask("/user/repos?per_page=100")
    owned = await ask("/user/repos?per_page=100&affiliation=owner")
    assert {r["owner"]["login"] for r in owned} == {"alice"}
    private = await ask("/user/repos?per_page=100&visibility=private")
    assert {r["id"] for r in private} == {r["id"] for r in everything if r["private"]}
    member = await ask("/user/repos?per_page=100&type=member")
    assert {r["id"] for r in member} | {r["id"] for r in owned} == {r["id"] for r in everything}
    await ask("/user/repos?type=all&visibility=private")
    assert ask.status == 422


async def test_pages_and_their_links(ask: Asker) -> None:
    """per_page is at most 100; links name the repository by id and keep the query."""
    await ask("/repos/fernhill/atlas/pulls?state=all&per_page=20&page=2")
    links = ask.headers["link"]
    assert [part.rpartition("=")[2] for part in links.split(", ")] == [
        '"prev"',
        '"next"',
        '"last"',
        '"first"',
    ]
    assert "/api/v3/repositories/" in links and "state=all" in links and "page=3" in links
    everything = await ask.everything("/repos/fernhill/atlas/pulls?state=all&per_page=20")
    assert len({pull["number"] for pull in everything}) == len((await ask.truth("fernhill/atlas"))["pulls"])
    assert len(await ask("/repos/fernhill/atlas/commits?per_page=1000")) == 100
    assert await ask("/repos/fernhill/atlas/pulls?page=999") == []


async def test_issues_by_cursor(ask: Asker) -> None:
    """The link to the next page of a repository's issues holds a cursor that suffices without a page."""
    address = "/repos/fernhill/atlas/issues?state=all&per_page=60"
    seen = [issue["id"] for issue in await ask(address)]
    while found := re.search(r'[?&](after=[^&>]+)[^>]*>; rel="next"', ask.headers.get("link", "")):
        seen += [issue["id"] for issue in await ask(f"{address}&{found[1]}")]
    assert len(seen) > 120 and len(seen) == len(set(seen))
    assert seen == [issue["id"] for issue in await ask.everything(address)]


async def test_a_former_name_is_moved(ask: Asker) -> None:
    """301 to the address by id, the rest of path and query kept, the address in the body as well."""
    body = await ask("/repos/alice/beacon/commits?per_page=1")
    assert (ask.status, body["message"]) == (301, "Moved Permanently")
    assert ask.headers["location"] == body["url"] and body["url"].endswith("/commits?per_page=1")
    moved = await ask(body["url"])
    assert ask.status == 200 and "/alice/lighthouse/" in moved[0]["url"]
    await ask("/repos/alice/beacon", login=None)
    assert ask.status == 301


async def test_commits_are_those_of_git(ask: Asker) -> None:
    """The list of each branch is what git itself counts, with the same dates."""
    truth = await ask.truth("alice/almanac")
    for name in truth["branches"]:
        listed = await ask.everything(f"/repos/alice/almanac/commits?sha={name}&per_page=100")
        command = ["git", f"--git-dir={truth['git_dir']}", "log", "--format=%H %ct", f"refs/heads/{name}"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
        assert {commit["sha"] for commit in listed} == {line.split()[0] for line in lines if line}
        dates = [commit["commit"]["committer"]["date"] for commit in listed]
        assert dates == sorted(dates, reverse=True)


async def test_commits_of_a_period_person_or_path(ask: Asker) -> None:
    """since and until include their ends; author is a login or an address; path is git's own."""
    address = "/repos/alice/almanac/commits"
    everything = await ask.everything(f"{address}?per_page=100")
    middle = everything[len(everything) // 2]["commit"]["committer"]["date"]
    later = await ask.everything(f"{address}?per_page=100&since={middle}")
    earlier = await ask.everything(f"{address}?per_page=100&until={middle}")
    assert len(later) + len(earlier) > len(everything) and later[-1]["commit"]["committer"]["date"] == middle
    by_alice = await ask.everything(f"{address}?author=alice&per_page=100")
    assert {commit["author"]["login"] for commit in by_alice} == {"alice"}
    file = (await ask(f"{address}/{everything[0]['sha']}"))["files"][0]["filename"]
    touching = await ask.everything(f"{address}?path={file}&per_page=100")
    assert everything[0]["sha"] in {commit["sha"] for commit in touching}
    assert 0 < len(touching) < len(everything)


async def test_one_commit_has_its_files(ask: Asker) -> None:
    """Branch, tag, short and full sha name a commit; its line counts are the sum of its files'."""
    truth = await ask.truth("alice/almanac")
    sha = truth["branches"]["main"]
    for ref in ("main", "heads/main", sha, sha[:10]):
        commit = await ask(f"/repos/alice/almanac/commits/{ref}")
        assert commit["sha"] == sha
    stats, files = commit["stats"], commit["files"]
    assert stats["additions"] == sum(file["additions"] for file in files)
    assert stats["deletions"] == sum(file["deletions"] for file in files)
    body = await ask("/repos/alice/almanac/commits/no-such-ref")
    assert (ask.status, body["message"]) == (422, "No commit found for SHA: no-such-ref")


async def test_an_empty_repository(ask: Asker) -> None:
    """No branch, no language, no contributor, and 409 for its commits."""
    address = "/repos/alice/seedling"
    assert await ask(f"{address}/branches") == [] and await ask(f"{address}/languages") == {}
    await ask(f"{address}/contributors")
    assert ask.status == 204
    assert (await ask(f"{address}/commits"))["message"] == "Git Repository is empty."
    assert ask.status == 409


async def test_contributors_are_counted(ask: Asker) -> None:
    """Everybody by number of commits on the default branch, most first."""
    counted = await ask("/repos/alice/almanac/contributors?anon=1")
    commits = await ask.everything("/repos/alice/almanac/commits?per_page=100")
    assert sum(person["contributions"] for person in counted) == len(commits)
    known = [person["contributions"] for person in counted if person["type"] != "Anonymous"]
    assert known == sorted(known, reverse=True)


async def test_pull_requests_by_state_and_order(ask: Asker) -> None:
    """Open ones, newest first, unless asked otherwise; updated ones oldest first."""
    address, truth = "/repos/fernhill/atlas/pulls", await ask.truth("fernhill/atlas")
    open_ones = await ask.everything(f"{address}?per_page=100")
    assert {p["number"] for p in open_ones} == {p["number"] for p in truth["pulls"] if p["state"] == "open"}
    created = [p["created_at"] for p in await ask.everything(f"{address}?state=all&per_page=100")]
    assert created == sorted(created, reverse=True)
    updated = [p["updated_at"] for p in await ask(f"{address}?state=all&sort=updated&per_page=100")]
    assert updated == sorted(updated)


async def test_a_pull_requests_commits_are_those_it_adds(ask: Asker) -> None:
    """As many as it counts, ending at its head."""
    truth = await ask.truth("fernhill/atlas")
    for pull in [p for p in truth["pulls"] if p["head_repository_id"] is None][:8]:
        commits = await ask(f"/repos/fernhill/atlas/pulls/{pull['number']}/commits?per_page=100")
        assert commits[-1]["sha"] == pull["head_sha"]
        assert len(commits) == pull["commit_count"]


async def test_issues_everywhere(ask: Asker) -> None:
    """One list holds all issues and pull requests of the person's repositories, with their repository."""
    found = await ask.everything("/issues?filter=all&state=all&sort=updated&direction=asc&per_page=100")
    stamps = [thing["updated_at"] for thing in found]
    assert stamps == sorted(stamps)
    harbor = await ask.truth("fernhill/harbor")
    theirs = {t["number"] for t in found if t["repository"]["full_name"] == "fernhill/harbor"}
    assert theirs == {t["number"] for t in (*harbor["pulls"], *harbor["issues"])}
    assert await ask("/issues") == []


async def test_since_includes_its_own_second(ask: Asker) -> None:
    """The thing whose stamp is asked for is in the answer; 1970 gives nothing, as at GitHub."""
    address = "/issues?filter=all&state=all&sort=updated&direction=asc&per_page=100"
    last = (await ask.everything(address))[-1]
    found = await ask(f"{address}&since={last['updated_at']}")
    assert last["id"] in {thing["id"] for thing in found}
    assert {thing["updated_at"] for thing in found} == {last["updated_at"]}
    assert await ask(f"{address}&since=1970-01-01T00:00:00Z") == []
    assert len(await ask(f"{address}&since=2008-01-01T00:00:00Z")) == 100
    await ask(f"{address}&since=yesterday")
    assert ask.status == 422


async def test_the_api_version_is_checked(ask: Asker) -> None:
    """Known versions are echoed, unknown ones are a 400; Accept must allow JSON or a type of GitHub's."""
    await ask("/user", **{"X-GitHub-Api-Version": "2022-11-28"})
    assert ask.headers["x-github-api-version-selected"] == "2022-11-28"
    await ask("/user", **{"X-GitHub-Api-Version": "1999-01-01"})
    assert ask.status == 400
    await ask("/user", Accept="text/csv")
    assert ask.status == 415
    await ask("/user", Accept="application/vnd.github.squirrel-girl-preview")
    assert ask.status == 200
    await ask("/user", Accept="application/vnd.github+json")
    assert ask.status == 200 and ask.headers["x-github-media-type"].startswith("github.v3")


async def test_unknown_addresses_are_githubs_404(ask: Asker) -> None:
    """The body has a message and a page that documents it, for any method."""
    body = await ask("/no/such/thing")
    assert ask.status == 404 and body["documentation_url"].startswith("https://docs.github.com/rest")
    async with ask.http.delete(f"{ask.url}/api/v3/repos/alice/almanac") as answer:
        assert answer.status in (404, 405)
