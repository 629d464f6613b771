"""Every kind of REST answer of the sandbox, held against GitHub's published OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote

import aiohttp
import openapi
import pytest
from programs import Program

pytestmark = pytest.mark.anyio

REPOSITORY = "/repos/{owner}/{repo}"
PULL = REPOSITORY + "/pulls/{pull_number}"
EVENTS = REPOSITORY + "/issues/{issue_number}/events"
Ask = tuple[str, str]


def about_people(logins: list[str]) -> Iterator[Ask]:
    """(path of the description, address) of everything that belongs to no repository."""
    for path in ("/meta", "/rate_limit", "/user", "/user/emails", "/user/orgs", "/user/repos", "/user/teams"):
        yield path, path
    yield "/user/repos", "/user/repos?type=all&affiliation=owner"
    yield "/issues", "/issues"
    yield "/issues", "/issues?filter=all&state=all&sort=updated&direction=asc"
    yield "/issues", "/issues?filter=all&since=yesterday"
    yield "/search/issues", "/search/issues?q=is:pr+is:merged&per_page=10"
    yield "/users/{username}", "/users/nobody-at-all"
    yield "/orgs/{org}", "/orgs/fernhill"
    yield "/orgs/{org}", "/orgs/alice"
    yield "/orgs/{org}/repos", "/orgs/fernhill/repos"
    for login in logins:
        yield "/users/{username}", f"/users/{quote(login)}"
        yield "/users/{username}/repos", f"/users/{quote(login)}/repos"
        yield "/users/{username}/orgs", f"/users/{quote(login)}/orgs"


def about_repository(truth: dict[str, Any], login: str) -> Iterator[Ask]:
    """The lists of one repository, and some of the things in each of them."""
    address = f"/repos/{truth['full_name']}"
    if login not in truth["readers"]:
        yield from ((REPOSITORY + part, address + part) for part in ("", "/branches", "/commits"))
        return
    for part in ("", "/branches", "/commits", "/contributors", "/languages", "/releases", "/tags"):
        yield REPOSITORY + part, f"{address}{part}?per_page=10"
    yield REPOSITORY + "/issues", f"{address}/issues?state=all&per_page=10"
    yield REPOSITORY + "/pulls", f"{address}/pulls?state=all&per_page=5"
    comments = f"{address}/pulls/comments?per_page=10"
    yield REPOSITORY + "/pulls/comments", comments
    yield REPOSITORY + "/pulls/comments", f"{comments}&sort=updated&direction=desc&since=2026-01-01T00:00:00Z"
    yield REPOSITORY + "/commits", f"{address}/commits?sha=no-such-branch"
    yield REPOSITORY + "/git/matching-refs/{ref}", f"{address}/git/matching-refs/tags"
    yield REPOSITORY + "/git/matching-refs/{ref}", f"{address}/git/matching-refs/heads/ma"
    yield REPOSITORY + "/releases/latest", f"{address}/releases/latest"
    yield PULL, f"{address}/pulls/99999"
    for name, sha in list(truth["branches"].items())[:2]:
        yield REPOSITORY + "/branches/{branch}", f"{address}/branches/{quote(name)}"
        yield REPOSITORY + "/commits/{ref}", f"{address}/commits/{sha}"
    for issue in truth["issues"][:2]:
        yield REPOSITORY + "/issues/{issue_number}", f"{address}/issues/{issue['number']}"
        yield EVENTS, f"{address}/issues/{issue['number']}/events"
    for release in truth["releases"][:1]:
        yield REPOSITORY + "/releases/{release_id}", f"{address}/releases/{release['id']}"
    for pull in telling(truth["pulls"]):
        yield from about_pull(address, pull)


def about_pull(address: str, pull: dict[str, Any]) -> Iterator[Ask]:
    for part in ("", "/comments", "/commits", "/files", "/requested_reviewers", "/reviews"):
        yield PULL + part, f"{address}/pulls/{pull['number']}{part}?per_page=5"
    yield REPOSITORY + "/issues/{issue_number}", f"{address}/issues/{pull['number']}"
    yield EVENTS, f"{address}/issues/{pull['number']}/events"
    for review in pull["reviews"][:1]:
        yield PULL + "/reviews/{review_id}", f"{address}/pulls/{pull['number']}/reviews/{review['id']}"


def telling(pulls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One pull request of each kind there is: a bot's, a draft, merged, closed, open, from a fork."""
    kinds = {
        (p["author"].endswith("[bot]"), p["draft"], p["state"], bool(p["merged_at"]), p["head_repository_id"])
        : p
        for p in pulls
    }  # fmt: skip
    return list(kinds.values())


@pytest.mark.parametrize("login", ["alice", "bob", "mallory"])
async def test_every_answer_is_as_github_describes_it(sandbox: Program, login: str) -> None:
    """Required fields, types, nulls and formats agree, and there is no field that GitHub does not have."""
    seen: set[Ask] = set()
    async with aiohttp.ClientSession() as http:
        people = await read(http, f"{sandbox.url}/_sandbox/people")
        token = next(person["token"] for person in people if person["login"] == login)
        truth = (await read(http, f"{sandbox.url}/_sandbox/truth"))["repositories"]
        asks = list(about_people([person["login"] for person in people]))
        asks += [ask for repository in truth for ask in about_repository(repository, login)]
        headers = {"Authorization": f"Bearer {token}"}
        for path, address in asks:
            async with http.get(f"{sandbox.url}/api/v3{address}", headers=headers) as answer:
                body: Any = await answer.json() if answer.content_length else None
                assert answer.headers["X-GitHub-Request-Id"]
            if answer.status >= 400:
                # GitHub repeats the status in every error; its description says so for some of them only.
                assert body.pop("status") == str(answer.status)
            if (answer.status, path) in UNDESCRIBED:
                continue
            assert not openapi.complaints("get", path, answer.status, body), f"{answer.status} {address}"
            seen.add((path, str(answer.status)))
    described = {path for path, methods in openapi.document()["paths"].items() if "get" in methods}
    assert {path for path, status in seen if status == "200"} >= described - {
        REPOSITORY + "/releases/tags/{tag}"
    }


# Ordinary answers of GitHub's which its own description leaves out.
UNDESCRIBED = {(404, REPOSITORY + "/releases/latest")}


@pytest.mark.parametrize("method", ["post", "patch"])
async def test_what_an_app_learns_about_a_token(sandbox: Program, method: str) -> None:
    """The answers to checking and resetting a token agree with the description too."""
    secret = "sandbox-expiring-secret-0123456789abcdef0123"
    client = {"client_id": "Iv23sandbox0000000002", "client_secret": secret}
    async with aiohttp.ClientSession(sandbox.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await post(http, "/login", {"person": "alice"})
        back = await post(http, "/login/oauth/authorize", {**client, "decision": "authorize"})
        code = back.headers["Location"].partition("code=")[2]
        asked = await post(http, "/login/oauth/access_token", {**client, "code": code})
        token = parse_qs(await asked.text())["access_token"][0]
        basic = {"Authorization": aiohttp.encode_basic_auth(client["client_id"], secret)}
        address = f"/api/v3/applications/{client['client_id']}/token"
        async with http.request(method, address, headers=basic, json={"access_token": token}) as answer:
            body = await answer.json()
        grant = address.replace("/token", "/grant")
        ended = await http.delete(grant, headers=basic, json={"access_token": body["token"]})
    assert (answer.status, ended.status) == (200, 204)
    assert not openapi.complaints(method, "/applications/{client_id}/token", 200, body)


async def post(http: aiohttp.ClientSession, path: str, form: dict[str, str]) -> aiohttp.ClientResponse:
    async with http.post(path, data=form, allow_redirects=False) as answer:
        await answer.read()
        return answer


def test_githubs_examples_agree_with_its_own_description() -> None:
    """The yardstick is sound: most of GitHub's own examples pass it."""
    judged = [
        openapi.complaints("get", path, 200, example)
        for path, methods in openapi.document()["paths"].items()
        if "get" in methods
        for example in openapi.examples("get", path)
    ]
    assert len(judged) > 30
    assert sum(not complaints for complaints in judged) > len(judged) / 2


async def read(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as answer:
        return await answer.json()
