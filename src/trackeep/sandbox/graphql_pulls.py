"""GraphQL fields of pull requests and issues, with their reviews, review requests, events and threads."""

from collections.abc import Iterable
from typing import Any

from trackeep.sandbox.graphql_commits import checks_state, commit_node, pull_commits, ref_named
from trackeep.sandbox.graphql_connections import Connection, Info, Listing, Resolver, connect
from trackeep.sandbox.graphql_nodes import (
    EVENT_TYPES,
    CommitNode,
    EventNode,
    IssueNode,
    LabelNode,
    PullCommitNode,
    PullNode,
    ReviewNode,
    ReviewRequestNode,
    ThreadNode,
    asked,
)
from trackeep.sandbox.world import Label, Person, Repository, Review, Team, node_id

_OPINIONS = ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
# READY_FOR_REVIEW_EVENT is the item type of ReadyForReviewEvent, and so on.
_ITEM_TYPES = {
    "ready_for_review": "READY_FOR_REVIEW_EVENT",
    "converted_to_draft": "CONVERT_TO_DRAFT_EVENT",
    "review_requested": "REVIEW_REQUESTED_EVENT",
    "merged": "MERGED_EVENT",
    "closed": "CLOSED_EVENT",
    "reopened": "REOPENED_EVENT",
    "labeled": "LABELED_EVENT",
}


def pulls(repository: Repository, info: Info, **args: Any) -> Connection:
    def listing() -> Listing:
        nodes = [PullNode(repository, p) for p in list(repository.pulls.values())]
        return ordered([n for n in nodes if _is_wanted_pull(n, args)], args.get("orderBy"))

    return connect(info, args, listing)


def issues(repository: Repository, info: Info, **args: Any) -> Connection:
    wanted = args.get("filterBy") or {}
    states = args.get("states") or wanted.get("states")

    def is_wanted(node: IssueNode) -> bool:
        names = {label.name for label in node.it.labels}
        return (
            (not states or node.it.state.upper() in states)
            and (wanted.get("since") is None or node.it.updated_at >= wanted["since"])
            and (not wanted.get("createdBy") or node.it.author == wanted["createdBy"])
            and (not wanted.get("labels") or bool(names & set(wanted["labels"])))
        )

    def listing() -> Listing:
        nodes = [IssueNode(repository, i) for i in list(repository.issues.values())]
        return ordered([n for n in nodes if is_wanted(n)], args.get("orderBy"))

    return connect(info, args, listing)


def ordered(nodes: Iterable[PullNode | IssueNode], order: dict[str, str] | None) -> Listing:
    """By creation unless told otherwise; the number settles ties, so that pages never overlap."""
    field, direction = (order["field"], order["direction"]) if order else ("CREATED_AT", "ASC")

    def key(node: PullNode | IssueNode) -> tuple[int | str, ...]:
        values = {"UPDATED_AT": node.it.updated_at, "COMMENTS": node.it.comment_count}
        return (values.get(field, node.it.created_at), node.it.number, node.it.id)

    return Listing.by(key, nodes, descending=direction == "DESC")


def labels(repository: Repository, found: Iterable[Label], info: Info, **args: Any) -> Connection:
    order = args.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
    query = (args.get("query") or "").lower()

    def key(node: LabelNode) -> tuple[int | str, ...]:
        return (node.it.name, node.it.id) if order["field"] == "NAME" else (node.it.id,)

    def listing() -> Listing:
        nodes = [LabelNode(repository, label) for label in found if query in label.name.lower()]
        return Listing.by(key, nodes, descending=order["direction"] == "DESC")

    return connect(info, args, listing)


def pull_state(node: PullNode) -> str:
    return "MERGED" if node.it.merged_at is not None else node.it.state.upper()


def person(info: Info, login: str | None) -> Person | None:
    """An account by login; one that no longer exists is null, as a deleted person is on GitHub."""
    return asked(info).world.person(login) if login else None


def latest_reviews(found: Iterable[Review]) -> list[Review]:
    """The newest review of each author, oldest first."""
    newest = {review.author: review for review in sorted(found, key=_review_key)}
    return sorted(newest.values(), key=_review_key)


def _is_wanted_pull(node: PullNode, args: dict[str, Any]) -> bool:
    names = {label.name for label in node.it.labels}
    return (
        (not args.get("states") or pull_state(node) in args["states"])
        and (args.get("headRefName") is None or node.it.head_ref == args["headRefName"])
        and (args.get("baseRefName") is None or node.it.base_ref == args["baseRefName"])
        and (not args.get("labels") or bool(names & set(args["labels"])))
    )


def _review_key(review: Review) -> tuple[int | str, ...]:
    return (review.submitted_at, review.id)


def _review_page(node: PullNode, found: Iterable[Review], info: Info, args: dict[str, Any]) -> Connection:
    def listing() -> Listing:
        return Listing.by(
            lambda n: _review_key(n.it), (ReviewNode(node.repository, node.it, review) for review in found)
        )

    return connect(info, args, listing)


def _reviews(node: PullNode, info: Info, **args: Any) -> Connection:
    author, states = args.get("author"), args.get("states")
    found = [r for r in node.it.reviews if author in (None, r.author) and (not states or r.state in states)]
    return _review_page(node, found, info, args)


def _latest_reviews(node: PullNode, info: Info, **args: Any) -> Connection:
    return _review_page(node, latest_reviews(node.it.reviews), info, args)


def _latest_opinions(node: PullNode, info: Info, **args: Any) -> Connection:
    found = latest_reviews(r for r in node.it.reviews if r.state in _OPINIONS)
    return _review_page(node, found, info, args)


def _review_decision(node: PullNode, info: Info) -> str | None:
    states = {r.state for r in latest_reviews(r for r in node.it.reviews if r.state in _OPINIONS)}
    for state in ("CHANGES_REQUESTED", "APPROVED"):
        if state in states:
            return state
    return "REVIEW_REQUIRED" if node.it.requested_reviewers or node.it.requested_teams else None


def _review_requests(node: PullNode, info: Info, **args: Any) -> Connection:
    def listing() -> Listing:
        names = [*node.it.requested_reviewers, *(f"team:{slug}" for slug in node.it.requested_teams)]
        found = [reviewer(info, name) for name in names]
        return Listing.as_given(ReviewRequestNode(node.repository, node.it, who) for who in found if who)

    return connect(info, args, listing)


def reviewer(info: Info, name: str) -> Person | Team | None:
    """Who is asked for a review: a login, or `team:` and a slug."""
    if name.startswith("team:"):
        return asked(info).world.teams.get(name.removeprefix("team:"))
    return person(info, name)


def _commits(node: PullNode, info: Info, **args: Any) -> Connection:
    def listing() -> Listing:
        commits = pull_commits(node.repository, node.it)
        return Listing.as_given(PullCommitNode(node.repository, node.it, commit) for commit in commits)

    return connect(info, args, listing, total=node.it.commit_count)


def _timeline(node: PullNode, info: Info, **args: Any) -> Connection:
    since, kinds = args.get("since"), args.get("itemTypes")

    def listing() -> Listing:
        events = [EventNode(node.repository, node.it, n, e) for n, e in enumerate(node.it.events)]
        wanted = [
            e
            for e in events
            if e.it.kind in EVENT_TYPES
            and (kinds is None or _ITEM_TYPES[e.it.kind] in kinds)
            and (since is None or e.it.at >= since)
        ]
        return Listing.by(lambda e: (e.it.at, e.place), wanted)

    return connect(info, args, listing, whole=node)


def _threads(node: PullNode, info: Info, **args: Any) -> Connection:
    """One thread for each review comment; every second one is still open while the pull request is."""

    def listing() -> Listing:
        count = sum(review.comments for review in node.it.reviews)
        is_open = node.it.state == "open"
        return Listing.as_given(
            ThreadNode(node.repository, node.it, n, not is_open or n % 2 == 0) for n in range(count)
        )

    return connect(info, args, listing)


def _only_counted(count: int, info: Info, args: dict[str, Any]) -> Connection:
    """Comments exist as a number only: the total is right, a page of them cannot be asked for."""
    return connect(info, args, lambda: Listing.as_given([]), total=count)


def _head_repository(node: PullNode, info: Info) -> Repository | None:
    other = node.it.head_repository_id
    head = node.repository if other is None else asked(info).world.repositories.get(other)
    return head if head is not None and asked(info).may_read(head) else None


def _head_owner(node: PullNode, info: Info) -> Person | None:
    head = _head_repository(node, info)
    return person(info, head.owner) if head else None


def _pull_rollup(node: PullNode, info: Info) -> CommitNode | None:
    head = commit_node(node.repository, node.it.head_sha)
    return head if head and checks_state(head.it.sha) else None


_SHARED: dict[str, Resolver] = {
    "author": lambda node, info: person(info, node.it.author),
    "bodyText": lambda node, info: node.it.body,
    "closed": lambda node, info: node.it.state == "closed",
    "comments": lambda node, info, **args: _only_counted(node.it.comment_count, info, args),
    "databaseId": lambda node, info: node.it.id,
    "fullDatabaseId": lambda node, info: node.it.id,
    "id": lambda node, info: node.it.node_id,
    "labels": lambda node, info, **args: labels(node.repository, node.it.labels, info, **args),
    "locked": lambda node, info: False,
    "publishedAt": lambda node, info: node.it.created_at,
}
PULL: dict[str, Resolver] = _SHARED | {
    "baseRef": lambda node, info: ref_named(node.repository, f"refs/heads/{node.it.base_ref}"),
    "baseRefName": lambda node, info: node.it.base_ref,
    "baseRefOid": lambda node, info: node.it.base_sha,
    "baseRepository": lambda node, info: node.repository,
    "commits": _commits,
    "headRef": lambda node, info: ref_named(node.repository, f"refs/heads/{node.it.head_ref}"),
    "headRefName": lambda node, info: node.it.head_ref,
    "headRefOid": lambda node, info: node.it.head_sha,
    "headRepository": _head_repository,
    "headRepositoryOwner": _head_owner,
    "isCrossRepository": lambda node, info: node.it.head_repository_id not in (None, node.repository.id),
    "isDraft": lambda node, info: node.it.draft,
    "latestOpinionatedReviews": _latest_opinions,
    "latestReviews": _latest_reviews,
    "mergeCommit": lambda node, info: commit_node(node.repository, node.it.merge_sha),
    "mergeable": lambda node, info: "MERGEABLE" if node.it.state == "open" else "UNKNOWN",
    "merged": lambda node, info: node.it.merged_at is not None,
    "mergedBy": lambda node, info: person(info, node.it.merged_by),
    "reviewDecision": _review_decision,
    "reviewRequests": _review_requests,
    "reviewThreads": _threads,
    "reviews": _reviews,
    "state": lambda node, info: pull_state(node),
    "statusCheckRollup": _pull_rollup,
    "timelineItems": _timeline,
}
ISSUE: dict[str, Resolver] = _SHARED | {
    "state": lambda node, info: node.it.state.upper(),
    "stateReason": lambda node, info: "COMPLETED" if node.it.state == "closed" else None,
}
REVIEW: dict[str, Resolver] = {
    "author": lambda node, info: person(info, node.it.author),
    "authorAssociation": lambda node, info: (
        "MEMBER" if node.it.author in node.repository.collaborators else "NONE"
    ),
    "bodyText": lambda node, info: node.it.body,
    "comments": lambda node, info, **args: _only_counted(node.it.comments, info, args),
    "commit": lambda node, info: commit_node(node.repository, node.it.commit_sha),
    "createdAt": lambda node, info: node.it.submitted_at,
    "databaseId": lambda node, info: node.it.id,
    "fullDatabaseId": lambda node, info: node.it.id,
    "id": lambda node, info: node.it.node_id,
    "publishedAt": lambda node, info: node.it.submitted_at,
    "pullRequest": lambda node, info: PullNode(node.repository, node.pull),
    "updatedAt": lambda node, info: node.it.submitted_at,
}
REVIEW_REQUEST: dict[str, Resolver] = {
    "asCodeOwner": lambda node, info: False,
    "id": lambda node, info: node_id("RR", node.pull.id * 1000 + node.reviewer.id % 1000),
    "pullRequest": lambda node, info: PullNode(node.repository, node.pull),
    "requestedReviewer": lambda node, info: node.reviewer,
}
PULL_COMMIT: dict[str, Resolver] = {
    "commit": lambda node, info: CommitNode(node.repository, node.commit),
    "id": lambda node, info: node_id("PURC", int(node.commit.sha[:14], 16)),
    "pullRequest": lambda node, info: PullNode(node.repository, node.pull),
}
THREAD: dict[str, Resolver] = {
    "id": lambda node, info: node_id("PRRT", node.pull.id * 1000 + node.place),
    "isResolved": lambda node, info: node.is_resolved,
    "pullRequest": lambda node, info: PullNode(node.repository, node.pull),
}
EVENT: dict[str, Resolver] = {
    "actor": lambda node, info: person(info, node.it.actor),
    "commit": lambda node, info: commit_node(node.repository, node.pull.merge_sha),
    "createdAt": lambda node, info: node.it.at,
    "id": lambda node, info: node_id("EV", node.pull.id * 1000 + node.place),
    "label": lambda node, info: next(
        (LabelNode(node.repository, it) for it in node.repository.labels if it.name == node.it.subject), None
    ),
    "mergeRefName": lambda node, info: node.pull.base_ref,
    "pullRequest": lambda node, info: PullNode(node.repository, node.pull),
    "requestedReviewer": lambda node, info: reviewer(info, node.it.subject),
}
TIMELINE: dict[str, Resolver] = {
    "filteredCount": lambda page, info: page.total_count,
    "updatedAt": lambda page, info: page.whole.it.updated_at,
}
