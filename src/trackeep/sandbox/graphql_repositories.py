"""GraphQL fields of the root, of accounts and of repositories."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trackeep.sandbox import graphql_pulls
from trackeep.sandbox.graphql_commits import object_named, ref_named, refs
from trackeep.sandbox.graphql_connections import (
    Connection,
    Info,
    Listing,
    Refused,
    Resolver,
    connect,
    not_found,
)
from trackeep.sandbox.graphql_nodes import (
    Asked,
    IssueNode,
    PullNode,
    ReleaseNode,
    asked,
    node_of,
    repository_of,
)
from trackeep.sandbox.graphql_search import search
from trackeep.sandbox.world import Person, Release, Repository, node_id

NODE_IDS_LIMIT = 100
_COLORS = {
    "Python": "#3572A5",
    "TypeScript": "#3178c6",
    "Go": "#00ADD8",
    "Rust": "#dea584",
    "Shell": "#89e051",
}
_DEFAULT_LABELS = ("bug", "documentation", "duplicate", "enhancement", "good first issue", "help wanted")


@dataclass(frozen=True, slots=True)
class LanguageNode:
    name: str
    size: int


def _viewer(root: object, info: Info) -> Person:
    return asked(info).world.people[asked(info).grant.login]


def _repository(root: object, info: Info, *, owner: str, name: str, followRenames: bool) -> Repository:
    found = asked(info).world.repository(owner, name)
    is_current = found is not None and found.name.lower() == name.lower()
    if found is None or not asked(info).may_read(found) or not (followRenames or is_current):
        not_found(f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return found


def _node(root: object, info: Info, *, id: str) -> Any:
    found = node_of(asked(info).world, id)
    repository = repository_of(found)
    if found is None or (repository is not None and not asked(info).may_read(repository)):
        not_found(f"Could not resolve to a node with the global id of '{id}'")
    return found


def _nodes(root: object, info: Info, *, ids: list[str]) -> list[Any]:
    """In the order asked for; an unknown id is null in its place, with an error of its own."""
    if len(ids) > NODE_IDS_LIMIT:
        message = f"You may not provide more than 100 node ids; you provided {len(ids)}."
        raise Refused("ARGUMENT_LIMIT", message)
    return [_node_or_error(info, wanted) for wanted in ids]


def _node_or_error(info: Info, wanted: str) -> Any:
    try:
        return _node(None, info, id=wanted)
    except Refused as refused:
        return refused


def _account(kind: str, article: str) -> Resolver:
    def resolve(root: object, info: Info, *, login: str) -> Person:
        found = asked(info).world.person(login)
        if found is None or found.kind != kind:
            not_found(f"Could not resolve to {article} {kind} with the login of '{login}'.")
        return found

    return resolve


def _rate_limit(root: object, info: Info) -> dict[str, int]:
    budget, price = asked(info).budget, asked(info).price
    return {
        "cost": price.points,
        "limit": budget.limit,
        "nodeCount": price.nodes,
        "remaining": budget.remaining,
        "resetAt": budget.reset_at,
        "used": budget.used,
    }


def _repositories(person: Person, info: Info, **args: Any) -> Connection:
    order = args.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}

    def key(repository: Repository) -> tuple[int | str, ...]:
        values: dict[str, int | str] = {
            "NAME": repository.name.lower(),
            "PUSHED_AT": repository.pushed_at or 0,
            "UPDATED_AT": repository.updated_at,
            "STARGAZERS": 0,
        }
        return (values.get(order["field"], repository.created_at), repository.id)

    def listing() -> Listing:
        found = [r for r in asked(info).readable() if _is_wanted(asked(info), person, r, args)]
        return Listing.by(key, found, descending=order["direction"] == "DESC")

    return connect(info, args, listing)


def _is_wanted(who: Asked, person: Person, repository: Repository, args: dict[str, Any]) -> bool:
    privacy = args.get("privacy")
    return (
        _affiliation(who, person, repository) in (args.get("ownerAffiliations") or ())
        and (not args.get("affiliations") or _affiliation(who, person, repository) in args["affiliations"])
        and args.get("isArchived") in (None, repository.archived)
        and args.get("isFork") in (None, repository.fork)
        and (privacy is None or (privacy == "PRIVATE") is repository.private)
    )


def _affiliation(who: Asked, person: Person, repository: Repository) -> str | None:
    owner = who.world.person(repository.owner)
    if repository.owner == person.login:
        return "OWNER"
    if owner is not None and person.login in owner.members:
        return "ORGANIZATION_MEMBER"
    return "COLLABORATOR" if person.login in repository.collaborators else None


def _by_number(kind: str, article: str, *, pulls: bool, issues: bool) -> Resolver:
    def resolve(repository: Repository, info: Info, *, number: int) -> PullNode | IssueNode:
        if pulls and number in repository.pulls:
            return PullNode(repository, repository.pulls[number])
        if issues and number in repository.issues:
            return IssueNode(repository, repository.issues[number])
        not_found(f"Could not resolve to {article} {kind} with the number of {number}.")

    return resolve


def _languages(repository: Repository, info: Info, **args: Any) -> Connection:
    order = args.get("orderBy") or {"direction": "DESC"}

    def listing() -> Listing:
        found = [LanguageNode(name, size) for name, size in repository.languages.items()]
        return Listing.by(lambda n: (n.size, n.name), found, descending=order["direction"] == "DESC")

    return connect(info, args, listing, whole=sum(repository.languages.values()))


def _primary_language(repository: Repository, info: Info) -> LanguageNode | None:
    sizes = [LanguageNode(name, size) for name, size in repository.languages.items()]
    return max(sizes, key=lambda n: n.size, default=None)


def _releases(repository: Repository, info: Info, **args: Any) -> Connection:
    order = args.get("orderBy") or {"field": "CREATED_AT", "direction": "DESC"}

    def key(node: ReleaseNode) -> tuple[int | str, ...]:
        return (node.it.name if order["field"] == "NAME" else node.it.created_at, node.it.id)

    def listing() -> Listing:
        nodes = [ReleaseNode(repository, r) for r in _visible(asked(info), repository)]
        return Listing.by(key, nodes, descending=order["direction"] == "DESC")

    return connect(info, args, listing)


def _visible(who: Asked, repository: Repository) -> list[Release]:
    """Drafts are for those who may push."""
    may_push = who.world.permission(who.grant.login, repository) in ("admin", "maintain", "push")
    return [r for r in repository.releases if may_push or not r.draft]


def _release(repository: Repository, info: Info, *, tagName: str) -> ReleaseNode | None:
    found = [r for r in _visible(asked(info), repository) if r.tag_name == tagName]
    return ReleaseNode(repository, found[0]) if found else None


def _latest_release(repository: Repository, info: Info) -> ReleaseNode | None:
    newest = latest(repository.releases)
    return ReleaseNode(repository, newest) if newest else None


def latest(releases: Iterable[Release]) -> Release | None:
    """The newest one that is neither draft nor prerelease."""
    published = [r for r in releases if not r.draft and not r.prerelease]
    return max(published, key=lambda r: (r.created_at, r.id), default=None)


def _parent(repository: Repository, info: Info) -> Repository | None:
    parent = asked(info).world.repositories.get(repository.parent_id or 0)
    return parent if parent is not None and asked(info).may_read(parent) else None


def _topics(repository: Repository, info: Info, **args: Any) -> Connection:
    return connect(info, args, lambda: Listing.as_given(repository.topics))


def _text_id(prefix: str, text: str) -> str:
    return node_id(prefix, int.from_bytes(text.encode()[:8], "big"))


def _public_email(person: Person, info: Info) -> str:
    return next((email.address for email in person.emails if email.visibility == "public"), "")


QUERY: dict[str, Resolver] = {
    "id": lambda root, info: "Query",
    "node": _node,
    "nodes": _nodes,
    "organization": _account("Organization", "an"),
    "rateLimit": _rate_limit,
    "repository": _repository,
    "search": search,
    "user": _account("User", "a"),
    "viewer": _viewer,
}
ACCOUNT: dict[str, Resolver] = {
    "avatarUrl": lambda person, info, **_: f"{asked(info).state.url}/avatars/u/{person.id}",
    "databaseId": lambda person, info: person.id,
    "description": lambda person, info: None,
    "email": _public_email,
    "id": lambda person, info: person.node_id,
    "isViewer": lambda person, info: person.login == asked(info).grant.login,
    "repositories": _repositories,
    "updatedAt": lambda person, info: person.created_at,
}
TEAM: dict[str, Resolver] = {
    "combinedSlug": lambda team, info: f"{team.organization}/{team.slug}",
    "databaseId": lambda team, info: team.id,
    "id": lambda team, info: team.node_id,
    "organization": lambda team, info: asked(info).world.person(team.organization),
}
REPOSITORY: dict[str, Resolver] = {
    "archivedAt": lambda repository, info: repository.updated_at if repository.archived else None,
    "databaseId": lambda repository, info: repository.id,
    "defaultBranchRef": lambda repository, info: ref_named(
        repository, f"refs/heads/{repository.default_branch}"
    ),
    "forkCount": lambda repository, info: sum(
        r.parent_id == repository.id for r in asked(info).world.repositories.values()
    ),
    "hasIssuesEnabled": lambda repository, info: True,
    "id": lambda repository, info: repository.node_id,
    "isArchived": lambda repository, info: repository.archived,
    "isDisabled": lambda repository, info: False,
    "isEmpty": lambda repository, info: not repository.branches,
    "isFork": lambda repository, info: repository.fork,
    "isInOrganization": lambda repository, info: (
        getattr(asked(info).world.person(repository.owner), "kind", None) == "Organization"
    ),
    "isLocked": lambda repository, info: False,
    "isMirror": lambda repository, info: False,
    "isPrivate": lambda repository, info: repository.private,
    "isTemplate": lambda repository, info: False,
    "issue": _by_number("Issue", "an", pulls=False, issues=True),
    "issueOrPullRequest": _by_number("issue or pull request", "an", pulls=True, issues=True),
    "issues": graphql_pulls.issues,
    "labels": lambda repository, info, **args: graphql_pulls.labels(
        repository, repository.labels, info, **args
    ),
    "languages": _languages,
    "latestRelease": _latest_release,
    "nameWithOwner": lambda repository, info: repository.full_name,
    "object": lambda repository, info, expression=None, oid=None: object_named(repository, expression, oid),
    "owner": lambda repository, info: asked(info).world.person(repository.owner),
    "parent": _parent,
    "primaryLanguage": _primary_language,
    "pullRequest": _by_number("PullRequest", "a", pulls=True, issues=False),
    "pullRequests": graphql_pulls.pulls,
    "pushedAt": lambda repository, info: repository.pushed_at or None,
    "ref": lambda repository, info, qualifiedName: ref_named(repository, qualifiedName),
    "refs": refs,
    "release": _release,
    "releases": _releases,
    "repositoryTopics": _topics,
    "visibility": lambda repository, info: "PRIVATE" if repository.private else "PUBLIC",
}
LABEL: dict[str, Resolver] = {
    "createdAt": lambda node, info: node.repository.created_at,
    "id": lambda node, info: node.it.node_id,
    "isDefault": lambda node, info: node.it.name in _DEFAULT_LABELS,
}
RELEASE: dict[str, Resolver] = {
    "author": lambda node, info: graphql_pulls.person(info, node.it.author),
    "databaseId": lambda node, info: node.it.id,
    "description": lambda node, info: node.it.body,
    "id": lambda node, info: node.it.node_id,
    "isDraft": lambda node, info: node.it.draft,
    "isLatest": lambda node, info: latest(node.repository.releases) is node.it,
    "isPrerelease": lambda node, info: node.it.prerelease,
    "updatedAt": lambda node, info: node.it.published_at or node.it.created_at,
}
LANGUAGE: dict[str, Resolver] = {
    "color": lambda node, info: _COLORS.get(node.name),
    "id": lambda node, info: _text_id("LA", node.name),
}
TOPIC: dict[str, Resolver] = {
    "id": lambda topic, info: _text_id("RT", topic),
    "topic": lambda topic, info: topic,
    "name": lambda topic, info: topic,
}
LANGUAGES: dict[str, Resolver] = {"totalSize": lambda page, info: page.whole}
LANGUAGE_EDGE: dict[str, Resolver] = {"size": lambda edge, info: edge[1].size}
