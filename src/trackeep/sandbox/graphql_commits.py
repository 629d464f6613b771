"""GraphQL fields of what git holds: refs, commits, tags, and the people that commits name."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from trackeep.sandbox.graphql_connections import Connection, Info, Listing, Resolver, connect
from trackeep.sandbox.graphql_nodes import ActorNode, CommitNode, PullNode, RefNode, TagNode, asked
from trackeep.sandbox.world import Commit, PullRequest, Repository, ancestors, node_id

HEADS, TAGS = "refs/heads/", "refs/tags/"
WALKS_KEPT = 32
_WEB_FLOW = "noreply@github.com"


def commit_node(repository: Repository, sha: str | None) -> CommitNode | None:
    commit = repository.commits.get(sha or "")
    return CommitNode(repository, commit) if commit else None


def ref_named(repository: Repository, qualified: str) -> RefNode | None:
    """`refs/heads/main`, `heads/main` or `main`; branches before tags."""
    for prefix in (HEADS, TAGS):
        shas = _shas(repository, prefix)
        for start in (prefix, prefix.removeprefix("refs/"), ""):
            name = qualified.removeprefix(start)
            if qualified.startswith(start) and name in shas:
                return RefNode(repository, prefix, name, shas[name])
    return None


def object_named(
    repository: Repository, expression: str | None, oid: str | None
) -> CommitNode | TagNode | None:
    """A commit or annotated tag by its id, or by a name such as `HEAD` or a branch; paths are not served."""
    wanted = oid or expression or ""
    if wanted == "HEAD":
        wanted = HEADS + repository.default_branch
    ref = None if oid else ref_named(repository, wanted)
    return object_at(repository, ref.sha if ref else wanted)


def object_at(repository: Repository, sha: str) -> CommitNode | TagNode | None:
    tag = next((t for t in repository.tags.values() if t.sha == sha != t.commit_sha), None)
    return TagNode(repository, tag) if tag else commit_node(repository, sha)


def refs(repository: Repository, info: Info, **args: Any) -> Connection:
    """Branches or tags under `refPrefix`, by name or by the date of the commit they name."""
    prefix = next((p for p in (HEADS, TAGS) if args["refPrefix"].startswith(p)), HEADS)
    order = args.get("orderBy") or {"field": "ALPHABETICAL", "direction": args.get("direction") or "ASC"}
    by_date = order["field"] == "TAG_COMMIT_DATE"

    def key(ref: RefNode) -> tuple[int | str, ...]:
        return (_date_of(ref), ref.name) if by_date else (ref.name,)

    def listing() -> Listing:
        found = [RefNode(repository, prefix, name, sha) for name, sha in _shas(repository, prefix).items()]
        wanted = [r for r in found if (args.get("query") or "").lower() in r.name.lower()]
        starting = [r for r in wanted if (r.prefix + r.name).startswith(args["refPrefix"])]
        return Listing.by(key, starting, descending=order["direction"] == "DESC")

    return connect(info, args, listing)


def pull_commits(repository: Repository, pull: PullRequest) -> list[Commit]:
    """The commits that a pull request shows, oldest first."""
    return between(repository.commits, pull.base_sha, pull.head_sha)


def between(commits: Mapping[str, Commit], base: str, head: str) -> list[Commit]:
    """The commits reachable from head and not from base, oldest first, found without walking all of history.

    Both sides are walked by committer date until only base's side is left, as `git rev-list base..head` does.
    """
    known = {sha for sha in (base,) if sha in commits}
    queue = [(-commits[sha].committer.at, sha) for sha in {base, head} if sha in commits]
    heapq.heapify(queue)
    seen = {sha for _, sha in queue}
    found: list[Commit] = []
    waiting = len(seen - known)
    while queue and waiting:
        commit = commits[heapq.heappop(queue)[1]]
        is_known = commit.sha in known
        waiting -= not is_known
        if not is_known:
            found.append(commit)
        for parent in commit.parents:
            if is_known and parent not in known:
                known.add(parent)
                waiting -= parent in seen
            if parent not in seen:
                seen.add(parent)
                waiting += parent not in known
                heapq.heappush(queue, (-commits[parent].committer.at, parent))
    return [commit for commit in reversed(found) if commit.sha not in known]


def checks_state(sha: str) -> str | None:
    """The checks of a commit are invented from its sha: mostly green, some failed, running or missing."""
    return {"0": "FAILURE", "1": "PENDING", "2": None}.get(sha[:1], "SUCCESS")


def _history(node: CommitNode, info: Info, **args: Any) -> Connection:
    """The commits reachable from this one, newest first, cut by committer date and author."""
    since, until = args.get("since"), args.get("until")
    emails = _author_emails(info, args.get("author"))

    def listing() -> Listing:
        walked = _walk(node.repository, node.it.sha)
        wanted = [
            c
            for c in walked
            if (since is None or c.committer.at >= since)
            and (until is None or c.committer.at <= until)
            and (emails is None or c.author.email.lower() in emails)
        ]
        return Listing.as_given(CommitNode(node.repository, c) for c in wanted)

    return connect(info, args, listing)


def _author_emails(info: Info, author: dict[str, Any] | None) -> set[str] | None:
    if author is None:
        return None
    emails = {email.lower() for email in author.get("emails") or ()}
    for person in asked(info).world.people.values():
        if person.node_id == author.get("id"):
            emails |= {email.address.lower() for email in person.emails} | {person.noreply.lower()}
    return emails


def _walk(repository: Repository, sha: str) -> Sequence[Commit]:
    """Kept between the pages of one history: what a sha reaches never changes."""
    if sha not in _walks:
        while len(_walks) >= WALKS_KEPT:
            _walks.pop(next(iter(_walks)))
        _walks[sha] = tuple(ancestors(repository.commits, sha))
    return _walks[sha]


_walks: dict[str, Sequence[Commit]] = {}


def _associated(node: CommitNode, info: Info, **args: Any) -> Connection:
    """The pull requests that brought this commit or still offer it."""
    order = args["orderBy"]

    def key(pull: PullNode) -> tuple[int | str, ...]:
        return (pull.it.updated_at if order["field"] == "UPDATED_AT" else pull.it.created_at, pull.it.id)

    def listing() -> Listing:
        pulls = list(node.repository.pulls.values())
        found = [p for p in pulls if node.it.sha in (p.merge_sha, p.head_sha) or _contains(node, p)]
        nodes = [PullNode(node.repository, p) for p in found]
        return Listing.by(key, nodes, descending=order["direction"] == "DESC")

    return connect(info, args, listing)


def _contains(node: CommitNode, pull: PullRequest) -> bool:
    """A commit older than the pull request's branch point cannot be one of its commits."""
    base = node.repository.commits.get(pull.base_sha)
    if base is None or node.it.committer.at > pull.updated_at:
        return False
    return any(c.sha == node.it.sha for c in pull_commits(node.repository, pull))


def _signature_user(actor: ActorNode, info: Info) -> Any:
    person = asked(info).world.person_by_email(actor.it.email)
    return person if person is not None and person.kind == "User" else None


def _shas(repository: Repository, prefix: str) -> dict[str, str]:
    if prefix == HEADS:
        return dict(repository.branches)
    return {name: tag.sha for name, tag in list(repository.tags.items())}


def _date_of(ref: RefNode) -> int:
    target = object_at(ref.repository, ref.sha)
    sha = target.it.commit_sha if isinstance(target, TagNode) else ref.sha
    commit = ref.repository.commits.get(sha)
    return commit.committer.at if commit else 0


def _id_of(prefix: str, sha: str) -> str:
    """A global id made of the object's own: GitHub's are opaque as well."""
    return node_id(prefix, int(sha[:14], 16))


COMMIT: dict[str, Resolver] = {
    "abbreviatedOid": lambda node, info: node.it.sha[:7],
    "additions": lambda node, info: node.it.additions,
    "associatedPullRequests": _associated,
    "author": lambda node, info: ActorNode(node.it.author),
    "authoredByCommitter": lambda node, info: node.it.author.email == node.it.committer.email,
    "authoredDate": lambda node, info: node.it.author.at,
    "authors": lambda node, info, **args: connect(
        info, args, lambda: Listing.as_given([ActorNode(node.it.author)])
    ),
    "changedFiles": lambda node, info: node.it.changed_files,
    "changedFilesIfAvailable": lambda node, info: node.it.changed_files,
    "committedDate": lambda node, info: node.it.committer.at,
    "committedViaWeb": lambda node, info: node.it.committer.email == _WEB_FLOW,
    "committer": lambda node, info: ActorNode(node.it.committer),
    "deletions": lambda node, info: node.it.deletions,
    "history": _history,
    "id": lambda node, info: _id_of("C", node.it.sha),
    "message": lambda node, info: node.it.message,
    "messageBody": lambda node, info: node.it.message.partition("\n")[2].strip(),
    "messageHeadline": lambda node, info: node.it.message.partition("\n")[0],
    "oid": lambda node, info: node.it.sha,
    "parents": lambda node, info, **args: connect(
        info, args, lambda: Listing.as_given(commit_node(node.repository, sha) for sha in node.it.parents)
    ),
    "signature": lambda node, info: None,
    "statusCheckRollup": lambda node, info: node if checks_state(node.it.sha) else None,
}
ROLLUP: dict[str, Resolver] = {
    "commit": lambda node, info: node,
    "id": lambda node, info: _id_of("SCR", node.it.sha),
    "state": lambda node, info: checks_state(node.it.sha),
}
TAG: dict[str, Resolver] = {
    "abbreviatedOid": lambda node, info: node.it.sha[:7],
    "id": lambda node, info: _id_of("TA", node.it.sha),
    "message": lambda node, info: node.it.name,
    "name": lambda node, info: node.it.name,
    "oid": lambda node, info: node.it.sha,
    "tagger": lambda node, info: None,
    "target": lambda node, info: commit_node(node.repository, node.it.commit_sha),
}
REF: dict[str, Resolver] = {
    "id": lambda node, info: _id_of("REF", node.sha),
    "target": lambda node, info: object_at(node.repository, node.sha),
}
GIT_ACTOR: dict[str, Resolver] = {
    "avatarUrl": lambda node, info, **_: f"{asked(info).state.url}/avatars/git",
    "date": lambda node, info: (node.it.at, node.it.offset_min),
    "email": lambda node, info: node.it.email,
    "name": lambda node, info: node.it.name,
    "user": _signature_user,
}
