"""The questions that GitHub's REST API answers: one question is one function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import quote

from trackeep.errors import GitHubNoAccess
from trackeep.github import parse
from trackeep.github.parse import Changed, Listed
from trackeep.github.transport import Answer, GitHub
from trackeep.model import Commit, Email, Issue, Person, PullRequest, Ref, Release, Repository, Review

T = TypeVar("T")
PER_PAGE = 100


@dataclass(frozen=True)
class Viewer:
    """Whose token this is; `scopes` is None when the token has permissions instead of scopes."""

    person: Person
    emails: tuple[Email, ...]
    scopes: tuple[str, ...] | None


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; when `not_modified` it is empty, and what is stored still holds."""

    items: tuple[T, ...]
    url: str
    etag: str
    next_url: str | None
    not_modified: bool = False


async def viewer(github: GitHub) -> Viewer:
    """The token's owner with every e-mail address the token may see (none without `user:email`)."""
    answer = await github.get("/user")
    person = parse.decoded(answer.body, parse.RestPerson).noun()
    try:
        emails = parse.decoded(
            (await github.get("/user/emails", {"per_page": PER_PAGE})).body, list[parse.RestEmail]
        )
    except GitHubNoAccess:
        emails = []
    return Viewer(person, tuple(email.noun() for email in emails), answer.scopes)


async def person(github: GitHub, login: str) -> Person:
    """Who has this login today. Raises GitHubNoAccess when nobody has."""
    return parse.decoded((await github.get(f"/users/{quote(login, safe='')}")).body, parse.RestPerson).noun()


async def organisations(github: GitHub) -> tuple[str, ...]:
    """The organisations the token's owner belongs to, those only that the token may see."""
    return tuple([each.login async for each in _all(github, "/user/orgs", list[parse.RestPerson])])


async def repositories(
    github: GitHub, next_url: str | None = None, *, conditional: bool = False
) -> Page[Listed]:
    """One page of the repositories the token's owner works in, most recently pushed first."""
    params = {"sort": "pushed", "direction": "desc", "per_page": PER_PAGE}
    answer = await _page(github, next_url or "/user/repos", params, conditional)
    return _parsed(answer, [each.listed() for each in _items(answer, list[parse.RestRepository])])


async def commits(
    github: GitHub, full_name: str, sha: str = "", next_url: str | None = None, *, conditional: bool = False
) -> Page[Commit]:
    """One page of the commits that `sha` reaches (else the default branch), last committed first.

    Raises GitHubError (409) for a repository without any commit.
    """
    params = {"sha": sha, "per_page": PER_PAGE} if sha else {"per_page": PER_PAGE}
    answer = await _page(github, next_url or f"/repos/{full_name}/commits", params, conditional)
    return _parsed(answer, [each.noun() for each in _items(answer, list[parse.RestCommit])])


async def branches(
    github: GitHub, full_name: str, next_url: str | None = None, *, conditional: bool = False
) -> Page[Ref]:
    """One page of a repository's branches, by name."""
    params = {"per_page": PER_PAGE}
    answer = await _page(github, next_url or f"/repos/{full_name}/branches", params, conditional)
    return _parsed(answer, [each.noun() for each in _items(answer, list[parse.RestBranch])])


async def pulls(
    github: GitHub, full_name: str, next_url: str | None = None, *, conditional: bool = False
) -> Page[PullRequest]:
    """One page of a repository's pull requests of all states, last changed first.

    As the list shows them: without reviews, sizes and who merged.
    """
    params = {"state": "all", "sort": "updated", "direction": "desc", "per_page": PER_PAGE}
    answer = await _page(github, next_url or f"/repos/{full_name}/pulls", params, conditional)
    return _parsed(answer, [each.noun() for each in _items(answer, list[parse.RestPull])])


async def changed_issues(
    github: GitHub, since: int, next_url: str | None = None, *, conditional: bool = False
) -> Page[Changed]:
    """Issues and pull requests, in every repository the owner works in, changed at or after `since`."""
    params = {
        "filter": "all",
        "state": "all",
        "sort": "updated",
        "direction": "asc",
        "since": parse.iso(since),
        "per_page": PER_PAGE,
    }
    answer = await _page(github, next_url or "/issues", params, conditional)
    return _parsed(answer, [each.changed() for each in _items(answer, list[parse.RestIssue])])


async def repository(github: GitHub, full_name: str) -> Listed:
    """One repository by its name; GitHub follows former names. Raises GitHubNoAccess."""
    return parse.decoded((await github.get(f"/repos/{full_name}")).body, parse.RestRepository).listed()


async def issues(github: GitHub, repository: Repository, next_url: str | None = None) -> Page[Issue]:
    """One page of a repository's issues of all states, last changed first; pull requests left out."""
    params = {"state": "all", "sort": "updated", "direction": "desc", "per_page": PER_PAGE}
    answer = await _page(github, next_url or f"/repos/{repository.full_name}/issues", params, False)
    found = _items(answer, list[parse.RestIssue])
    return _parsed(answer, [each.noun() for each in found if each.pull_request is None])


async def issues_changed(
    github: GitHub, repository: Repository, since: int, next_url: str | None = None
) -> Page[Changed]:
    """Issues and pull requests of one repository changed at or after `since`, oldest change first."""
    params = {
        "state": "all",
        "sort": "updated",
        "direction": "asc",
        "since": parse.iso(since),
        "per_page": PER_PAGE,
    }
    answer = await _page(github, next_url or f"/repos/{repository.full_name}/issues", params, False)
    found = [each.changed() for each in _items(answer, list[parse.RestIssue])]
    # Only the list across repositories says which one each issue belongs to.
    return _parsed(answer, [replace(each, repository_id=repository.id) for each in found])


async def reviews(github: GitHub, full_name: str, number: int) -> tuple[Review, ...]:
    """Every review of one pull request, oldest first."""
    path = f"/repos/{full_name}/pulls/{number}/reviews"
    return tuple([each.noun() async for each in _all(github, path, list[parse.RestReview])])


async def releases(github: GitHub, full_name: str) -> tuple[Release, ...]:
    """Every release of a repository, newest first."""
    found = _all(github, f"/repos/{full_name}/releases", list[parse.RestRelease])
    return tuple([each.noun() async for each in found])


async def _all(github: GitHub, path: str, shape: type[list[T]]) -> AsyncIterator[T]:
    url: str | None = path
    while url is not None:
        answer = await _page(github, url, {"per_page": PER_PAGE}, False)
        for item in parse.decoded(answer.body, shape):
            yield item
        url = answer.next_url


async def _page(github: GitHub, path_or_url: str, params: Mapping[str, object], conditional: bool) -> Answer:
    """A next page's URL already holds its parameters."""
    given = {name: str(value) for name, value in params.items()} if path_or_url.startswith("/") else None
    return await github.get(path_or_url, given, conditional=conditional)


def _items(answer: Answer, shape: type[list[T]]) -> list[T]:
    return [] if answer.not_modified else parse.decoded(answer.body, shape)


def _parsed(answer: Answer, items: list[T]) -> Page[T]:
    return Page(tuple(items), answer.url, answer.etag, answer.next_url, answer.not_modified)
