"""Every URL of the REST API in one table."""

from __future__ import annotations

from starlette.routing import Route

from trackeep.sandbox import rest_people as people
from trackeep.sandbox.rest_protocol import Answer, Call, Endpoint, answering, not_found
from trackeep.sandbox.state import SandboxState

PREFIX = "/api/v3"
ORGANIZATION_SCOPES = "admin:org, read:org, repo, user, write:org"


async def _nothing_here(call: Call) -> Answer:
    raise not_found()


READING = {
    "/user": Endpoint(people.viewer, "users/users#get-the-authenticated-user"),
    "/user/emails": Endpoint(people.viewer_emails, "users/emails", "user, user:email"),
    "/user/orgs": Endpoint(people.viewer_organizations, "orgs/orgs", ORGANIZATION_SCOPES),
    "/user/repos": Endpoint(people.viewer_repositories, "repos/repos", "repo"),
    "/users/{login}": Endpoint(people.user, "users/users#get-a-user"),
    "/users/{login}/repos": Endpoint(people.user_repositories, "repos/repos", "repo"),
    "/users/{login}/orgs": Endpoint(people.user_organizations, "orgs/orgs"),
    "/orgs/{org}": Endpoint(people.organization, "orgs/orgs#get-an-organization", ORGANIZATION_SCOPES),
    "/orgs/{org}/repos": Endpoint(people.organization_repositories, "repos/repos", "repo"),
}


def routes(state: SandboxState) -> list[Route]:
    """The table as Starlette routes; what is in none of its rows is GitHub's own 404."""
    rows = [
        Route(PREFIX + path, answering(state, endpoint), methods=["GET"])
        for path, endpoint in READING.items()
    ]
    nothing = answering(state, Endpoint(_nothing_here, ""))
    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return [*rows, Route(PREFIX + "/{rest:path}", nothing, methods=methods)]
