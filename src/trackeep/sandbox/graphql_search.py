"""The search field: repositories, and issues with pull requests, by the qualifiers a tracker uses."""

import shlex
from typing import Any

from trackeep.sandbox.graphql_connections import Connection, Info, Listing, connect
from trackeep.sandbox.graphql_nodes import Asked, IssueNode, PullNode, asked
from trackeep.sandbox.graphql_pulls import ordered
from trackeep.sandbox.world import Repository

_SORTS = {"updated": "UPDATED_AT", "created": "CREATED_AT", "comments": "COMMENTS"}


def search(root: object, info: Info, *, query: str, type: str, **args: Any) -> Connection:
    """`repo: org: user: is: author: involves: review-requested: reviewed-by: label: sort:`, words."""
    words = _words(query)
    qualifiers = [(name, value) for name, colon, value in (w.partition(":") for w in words) if colon]
    plain = [word.lower() for word in words if ":" not in word]
    who = asked(info)

    def listing() -> Listing:
        if type == "REPOSITORY":
            found = [r for r in who.readable() if _is_in(who, r, qualifiers) and _named(r, plain)]
            return Listing.by(lambda r: (r.updated_at, r.id), found, descending=True)
        nodes = [node for r in who.readable() if _is_in(who, r, qualifiers) for node in _nodes(r)]
        wanted = [n for n in nodes if all(_matches(n, *q) for q in qualifiers) and _titled(n, plain)]
        return ordered(wanted, _order(dict(qualifiers).get("sort", "created-desc")))

    return connect(info, args, listing, whole=type)


def _words(query: str) -> list[str]:
    try:
        return shlex.split(query)
    except ValueError:
        return query.split()


def _order(sort: str) -> dict[str, str]:
    field, _, direction = sort.partition("-")
    return {"field": _SORTS.get(field, "CREATED_AT"), "direction": (direction or "desc").upper()}


def _nodes(repository: Repository) -> list[PullNode | IssueNode]:
    pulls = [PullNode(repository, pull) for pull in list(repository.pulls.values())]
    return [*pulls, *(IssueNode(repository, issue) for issue in list(repository.issues.values()))]


def _is_in(who: Asked, repository: Repository, qualifiers: list[tuple[str, str]]) -> bool:
    repos = {value.lower() for name, value in qualifiers if name == "repo"}
    owners = {value.lower() for name, value in qualifiers if name in ("org", "user")}
    in_repos = repository.full_name.lower() in repos or not repos
    return in_repos and (repository.owner.lower() in owners or not owners)


def _named(repository: Repository, plain: list[str]) -> bool:
    text = f"{repository.name} {repository.description}".lower()
    return all(word in text for word in plain)


def _titled(node: PullNode | IssueNode, plain: list[str]) -> bool:
    text = f"{node.it.title} {node.it.body}".lower()
    return all(word in text for word in plain)


def _matches(node: PullNode | IssueNode, name: str, value: str) -> bool:
    reviewers = node.it.requested_reviewers if isinstance(node, PullNode) else []
    reviewed = {r.author for r in node.it.reviews} if isinstance(node, PullNode) else set()
    match name:
        case "is" | "type" | "state":
            return _is(node, value)
        case "author":
            return node.it.author == value
        case "review-requested":
            return value in reviewers
        case "reviewed-by":
            return value in reviewed
        case "involves":
            return value in {node.it.author, *reviewers, *reviewed}
        case "label":
            return value in {label.name for label in node.it.labels}
    return True


def _is(node: PullNode | IssueNode, value: str) -> bool:
    is_pull = isinstance(node, PullNode)
    match value:
        case "pr" | "pull-request":
            return is_pull
        case "issue":
            return not is_pull
        case "merged":
            return isinstance(node, PullNode) and node.it.merged_at is not None
        case "draft":
            return isinstance(node, PullNode) and node.it.draft
        case "open" | "closed":
            return node.it.state == value
    return True
