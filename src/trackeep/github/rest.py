"""The questions that GitHub's REST API answers: one question is one function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubRateLimited,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github import parse
from trackeep.github.graphql import CountsPage, Signers, WantedCommit
from trackeep.github.parse import Changed, Listed
from trackeep.github.transport import Answer, GitHub
from trackeep.model import (
    Commit,
    Email,
    Issue,
    Language,
    LineCounts,
    Person,
    PullRequest,
    Ref,
    Release,
    Repository,
    Review,
    ReviewComment,
    Team,
)

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


@dataclass(frozen=True)
class Counted:
    """How long a list is and when the last of it changed (0: it is empty); nothing when `not_modified`."""

    total: int
    newest_at: int
    url: str
    etag: str
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
    return tuple([each.login async for each in every(github, "/user/orgs", list[parse.RestPerson])])


async def my_teams(github: GitHub, next_url: str | None = None, *, conditional: bool = False) -> Page[Team]:
    """One page of the teams that the token's owner is in, in all organisations."""
    answer = await _page(github, next_url or "/user/teams", {"per_page": PER_PAGE}, conditional)
    return _parsed(answer, [each.noun() for each in _items(answer, list[parse.RestOwnTeam])])


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
    github: GitHub,
    full_name: str,
    next_url: str | None = None,
    *,
    conditional: bool = False,
    per_page: int = PER_PAGE,
) -> Page[PullRequest]:
    """One page of a repository's pull requests of all states, last changed first.

    As the list shows them: without reviews, sizes and who merged.
    """
    params = {"state": "all", "sort": "updated", "direction": "desc", "per_page": per_page}
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


async def shown(github: GitHub, full_name: str, *, conditional: bool = False) -> Page[Listed]:
    """One repository by its name, as a list of one that may be unchanged. Raises GitHubNoAccess."""
    answer = await github.get(f"/repos/{full_name}", conditional=conditional)
    listed = [] if answer.not_modified else [parse.decoded(answer.body, parse.RestRepository).listed()]
    return _parsed(answer, listed)


async def repository(github: GitHub, full_name: str) -> Listed:
    """One repository by its name; GitHub follows former names. Raises GitHubNoAccess."""
    return parse.decoded((await github.get(f"/repos/{full_name}")).body, parse.RestRepository).listed()


async def repository_by_id(github: GitHub, repository_id: int) -> Listed:
    """One repository by the number that it keeps under every name. Raises GitHubNoAccess."""
    answer = await github.get(f"/repositories/{repository_id}")
    return parse.decoded(answer.body, parse.RestRepository).listed()


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
    return tuple([each.noun() async for each in every(github, path, list[parse.RestReview])])


async def review_comments(
    github: GitHub,
    full_name: str,
    since: int | None = None,
    next_url: str | None = None,
    *,
    conditional: bool = False,
) -> Page[ReviewComment]:
    """One page of the comments on lines of all pull requests, last changed (at or after `since`) first."""
    params: dict[str, object] = {"sort": "updated", "direction": "desc", "per_page": PER_PAGE}
    if since is not None:
        params["since"] = parse.iso(since)
    answer = await _page(github, next_url or f"/repos/{full_name}/pulls/comments", params, conditional)
    return _parsed(answer, [each.noun() for each in _items(answer, list[parse.RestReviewComment])])


async def counted(github: GitHub, full_name: str, kind: str, *, conditional: bool = False) -> Counted:
    """How many `pulls` or `issues` (among which pull requests are too) of all states there are."""
    params = {"state": "all", "sort": "updated", "direction": "desc", "per_page": 1}
    answer = await _page(github, f"/repos/{full_name}/{kind}", params, conditional)
    newest = _items(answer, list[parse.RestMoved])
    # With one on a page, the last page's number is their count.
    last = parse_qs(urlsplit(answer.link("last") or "").query).get("page", [str(len(newest))])
    newest_at = max((int(each.updated_at.timestamp()) for each in newest), default=0)
    return Counted(int(last[0]), newest_at, answer.url, answer.etag, answer.not_modified)


async def signers(github: GitHub, wanted: Sequence[WantedCommit]) -> dict[WantedCommit, Signers]:
    """Who these commits are by, a request each; commits that GitHub does not show are missing."""
    found = {}
    for each in wanted:
        # The list, not the commit itself, which comes with all that it changes.
        params: dict[str, str | int] = {"sha": each.sha, "per_page": 1}
        try:
            answer = await github.get(f"/repos/{each.full_name}/commits", params)
        except GitHubNoAccess:
            continue
        for first in parse.decoded(answer.body, list[parse.RestCommit]):
            found[each] = Signers(*first.people())
    return found


async def languages(github: GitHub, full_name: str) -> tuple[Language, ...]:
    """In what a repository is written, most first; REST does not tell the languages' colours."""
    sizes = parse.decoded((await github.get(f"/repos/{full_name}/languages")).body, dict[str, int])
    return tuple(Language(name, size, "") for name, size in sizes.items())


async def line_counts(github: GitHub, wanted: Sequence[WantedCommit]) -> CountsPage:
    """What these commits added and deleted, a request each; how many files they changed is not counted."""
    counts, shown = {}, set()
    for each in wanted:
        try:
            # Of the files that come along one is enough.
            answer = await github.get(f"/repos/{each.full_name}/commits/{each.sha}", {"per_page": 1})
        except (GitHubRateLimited, GitHubTokenDead, GitHubUnavailable):
            raise
        except GitHubNoAccess:
            continue
        except GitHubError:  # 422: the repository has no such commit any more
            shown.add(each.node_id)
            continue
        shown.add(each.node_id)
        stats = parse.decoded(answer.body, parse.RestCommit).stats
        if stats is not None:
            counts[each] = LineCounts(stats.additions, stats.deletions, None)
    return CountsPage(tuple(wanted), counts, frozenset(shown))


async def releases(github: GitHub, full_name: str) -> tuple[Release, ...]:
    """Every release of a repository, newest first."""
    found = every(github, f"/repos/{full_name}/releases", list[parse.RestRelease])
    return tuple([each.noun() async for each in found])


async def every(github: GitHub, path: str, shape: type[list[T]]) -> AsyncIterator[T]:
    """Everything in a list, page after page."""
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
