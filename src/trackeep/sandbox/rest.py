"""Every URL of the REST API in one table."""

from __future__ import annotations

from dataclasses import replace

from starlette.routing import Route

from trackeep.sandbox import rest_applications as applications
from trackeep.sandbox import rest_issues as issues
from trackeep.sandbox import rest_people as people
from trackeep.sandbox import rest_pulls as pulls
from trackeep.sandbox import rest_refs as refs
from trackeep.sandbox import rest_repositories as repositories
from trackeep.sandbox import rest_service as service
from trackeep.sandbox.rest_protocol import Answer, Call, Endpoint, answering, not_found
from trackeep.sandbox.state import SandboxState

PREFIX = "/api/v3"
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_ORGANIZATION_SCOPES = "admin:org, read:org, repo, user, write:org"

Row = tuple[str, str, Endpoint]


def routes(state: SandboxState) -> list[Route]:
    """The table as Starlette routes; what is in none of its rows is GitHub's own 404."""
    rows = [
        Route(PREFIX + path, answering(state, endpoint), methods=[method])
        for method, path, endpoint in (*_SERVICE, *_PEOPLE, *_APPLICATIONS, *_both_ways(_repository_rows()))
    ]
    nothing = answering(state, Endpoint(_nothing_here, ""))
    return [
        Route("/avatars/u/{id:int}", service.avatar),
        *rows,
        Route(PREFIX + "/{rest:path}", nothing, methods=METHODS),
    ]


async def _nothing_here(call: Call) -> Answer:
    raise not_found()


_SERVICE: tuple[Row, ...] = (
    ("GET", "/meta", Endpoint(service.meta, "meta/meta#get-github-meta-information")),
    ("GET", "/rate_limit", Endpoint(service.rate_limit, "rate-limit/rate-limit", cost=0)),
    ("GET", "/issues", Endpoint(issues.all_issues, "issues/issues#list-issues", "repo")),
    ("GET", "/search/issues", Endpoint(issues.search_issues, "search/search", resource="search")),
)

_PEOPLE: tuple[Row, ...] = (
    ("GET", "/user", Endpoint(people.viewer, "users/users#get-the-authenticated-user")),
    ("GET", "/user/emails", Endpoint(people.viewer_emails, "users/emails", "user, user:email")),
    ("GET", "/user/orgs", Endpoint(people.viewer_organizations, "orgs/orgs", _ORGANIZATION_SCOPES)),
    ("GET", "/user/teams", Endpoint(people.viewer_teams, "teams/teams", _ORGANIZATION_SCOPES)),
    ("GET", "/user/repos", Endpoint(people.viewer_repositories, "repos/repos", "repo")),
    ("GET", "/users/{login}", Endpoint(people.user, "users/users#get-a-user")),
    ("GET", "/users/{login}/repos", Endpoint(people.user_repositories, "repos/repos", "repo")),
    ("GET", "/users/{login}/orgs", Endpoint(people.user_organizations, "orgs/orgs")),
    ("GET", "/orgs/{org}", Endpoint(people.organization, "orgs/orgs", _ORGANIZATION_SCOPES)),
    ("GET", "/orgs/{org}/repos", Endpoint(people.organization_repositories, "repos/repos", "repo")),
)

_BY_APP = Endpoint(_nothing_here, "apps/oauth-applications", cost=0, by_app=True)
_APPLICATIONS: tuple[Row, ...] = (
    ("POST", "/applications/{client_id}/token", replace(_BY_APP, handle=applications.check_token)),
    ("PATCH", "/applications/{client_id}/token", replace(_BY_APP, handle=applications.reset_token)),
    ("DELETE", "/applications/{client_id}/token", replace(_BY_APP, handle=applications.delete_token)),
    ("DELETE", "/applications/{client_id}/grant", replace(_BY_APP, handle=applications.delete_grant)),
)


def _repository_rows() -> tuple[Row, ...]:
    """What follows a repository's own address."""
    history = repositories.History()
    rows = (
        ("", repositories.repository, "repos/repos#get-a-repository"),
        ("/languages", repositories.languages, "repos/repos#list-repository-languages"),
        ("/contributors", history.contributors, "repos/repos#list-repository-contributors"),
        ("/commits", history.commits, "commits/commits#list-commits"),
        ("/commits/{ref:path}", history.commit, "commits/commits#get-a-commit"),
        ("/branches", repositories.branches, "branches/branches#list-branches"),
        ("/branches/{branch:path}", repositories.branch, "branches/branches#get-a-branch"),
        ("/tags", repositories.tags, "repos/repos#list-repository-tags"),
        ("/git/matching-refs/{ref:path}", refs.matching_refs, "git/refs#list-matching-references"),
        ("/pulls", pulls.pulls, "pulls/pulls#list-pull-requests"),
        ("/pulls/comments", pulls.all_comments, "pulls/comments"),
        ("/pulls/{number:int}", pulls.pull, "pulls/pulls#get-a-pull-request"),
        ("/pulls/{number:int}/reviews", pulls.reviews, "pulls/reviews"),
        ("/pulls/{number:int}/reviews/{review_id:int}", pulls.review, "pulls/reviews"),
        ("/pulls/{number:int}/comments", pulls.comments, "pulls/comments"),
        ("/pulls/{number:int}/commits", pulls.commits, "pulls/pulls"),
        ("/pulls/{number:int}/files", pulls.files, "pulls/pulls#list-pull-requests-files"),
        ("/pulls/{number:int}/requested_reviewers", pulls.requested_reviewers, "pulls/review-requests"),
        ("/issues", issues.issues, "issues/issues#list-repository-issues"),
        ("/issues/{number:int}", issues.issue, "issues/issues#get-an-issue"),
        ("/issues/{number:int}/events", issues.events, "issues/events#list-issue-events"),
        ("/releases", issues.releases, "releases/releases#list-releases"),
        ("/releases/latest", issues.latest_release, "releases/releases#get-the-latest-release"),
        ("/releases/tags/{tag:path}", issues.release_by_tag, "releases/releases"),
        ("/releases/{release_id:int}", issues.release, "releases/releases#get-a-release"),
    )
    return tuple(("GET", path, Endpoint(handle, docs, "repo")) for path, handle, docs in rows)


def _both_ways(rows: tuple[Row, ...]) -> list[Row]:
    """A repository is reached by name and, as redirects and links to further pages do it, by id."""
    starts = ("/repos/{owner}/{name}", "/repositories/{repository_id:int}")
    return [(method, start + path, endpoint) for start in starts for method, path, endpoint in rows]
