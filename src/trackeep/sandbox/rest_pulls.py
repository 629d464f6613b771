"""REST answers about pull requests: lists, one of them, its reviews, comments, commits and files."""

from __future__ import annotations

from collections.abc import Callable

from trackeep.sandbox.representation_work import Work
from trackeep.sandbox.rest_protocol import OLDEST_SINCE, Answer, Call, not_found
from trackeep.sandbox.rest_repositories import canonical_path, changed_files, first_files, git, work_of
from trackeep.sandbox.world import PullRequest, Review

COMMITS_SHOWN = 250
_ORDER: dict[str, Callable[[PullRequest], tuple[int, int]]] = {
    "created": lambda p: (p.created_at, p.number),
    "updated": lambda p: (p.updated_at, p.number),
    "popularity": lambda p: (p.comment_count, p.number),
    "long-running": lambda p: (p.created_at, p.number),
}


async def pulls(call: Call) -> Answer:
    """The newest come first by default; any other order starts with the smallest."""
    work = work_of(call)
    state = call.choice("state", ("open", "closed", "all"), "open")
    sort = call.choice("sort", tuple(_ORDER), "created")
    direction = call.choice("direction", ("asc", "desc"), "desc" if sort == "created" else "asc")
    base, head = call.text("base"), call.text("head")
    found = [
        pull
        for pull in work.repository.pulls.values()
        if state in ("all", pull.state)
        and base in ("", pull.base_ref)
        and head in ("", f"{work.repository.owner}:{pull.head_ref}")
    ]
    found.sort(key=_ORDER[sort], reverse=direction == "desc")
    page, link = call.page_of(found, canonical_path(call, work.repository))
    return Answer([work.pull(pull) for pull in page], headers=link)


async def pull(call: Call) -> Answer:
    """The long form: sizes, comment counts and whether it can be merged."""
    work = work_of(call)
    found = _pull(call, work)
    return Answer(work.full_pull(found), last_modified=found.updated_at)


async def reviews(call: Call) -> Answer:
    """Oldest first, as they were submitted."""
    work = work_of(call)
    found = _pull(call, work)
    page, link = call.page_of(_in_order(found), canonical_path(call, work.repository))
    return Answer([work.review(found, review) for review in page], headers=link)


async def review(call: Call) -> Answer:
    """One review by its number."""
    work = work_of(call)
    found = _pull(call, work)
    wanted = call.request.path_params["review_id"]
    given = next((review for review in found.reviews if review.id == wanted), None)
    if given is None:
        raise not_found()
    return Answer(work.review(found, given))


async def comments(call: Call) -> Answer:
    """Comments on lines; they all stand on the first file that the pull request changes."""
    work = work_of(call)
    found = _pull(call, work)
    files = await changed_files(work.repository.git_dir, found.base_sha, found.head_sha)
    path = files[0].path if files else "README.md"
    written = [shape for given in _in_order(found) for shape in work.review_comments(found, given, path)]
    page, link = call.page_of(written, canonical_path(call, work.repository))
    return Answer(list(page), headers=link)


async def all_comments(call: Call) -> Answer:
    """Comments on lines of all pull requests; oldest first unless sorted otherwise."""
    work = work_of(call)
    sort = call.choice("sort", ("created", "updated", "created_at"), "")
    is_descending = bool(sort) and call.choice("direction", ("asc", "desc"), "asc") == "desc"
    since = call.time("since")
    found = [
        (given.submitted_at, given.id, line, pull, given)
        for pull in work.repository.pulls.values()
        for given in pull.reviews
        for line in range(1, given.comments + 1)
        if since is None or OLDEST_SINCE <= since <= given.submitted_at
    ]
    found.sort(key=lambda each: each[:3] if sort else each[1:3], reverse=is_descending)
    page, link = call.page_of(found, canonical_path(call, work.repository))
    paths = await first_files(work.repository.git_dir, [(p.base_sha, p.head_sha) for *_, p, _ in page])
    shapes = [
        work.review_comment(pull, given, paths.get((pull.base_sha, pull.head_sha), "README.md"), line)
        for _, _, line, pull, given in page
    ]
    return Answer(shapes, headers=link)


async def files(call: Call) -> Answer:
    """What the head changes against the base, with line counts."""
    work = work_of(call)
    found = _pull(call, work)
    changes = await changed_files(work.repository.git_dir, found.base_sha, found.head_sha)
    page, link = call.page_of(changes, canonical_path(call, work.repository))
    return Answer([work.file(found.head_sha, change) for change in page], headers=link)


async def requested_reviewers(call: Call) -> Answer:
    work = work_of(call)
    return Answer(work.review_requests(_pull(call, work)))


async def commits(call: Call) -> Answer:
    """What the head has and the base had not, oldest first, at most 250."""
    work = work_of(call)
    found = _pull(call, work)
    added = await git(work.repository.git_dir, "rev-list", "--reverse", found.head_sha, f"^{found.base_sha}")
    shas = added.decode().split()[-COMMITS_SHOWN:]
    page, link = call.page_of(shas, canonical_path(call, work.repository))
    return Answer([work.commit(work.repository.commits[sha]) for sha in page], headers=link)


def _pull(call: Call, work: Work) -> PullRequest:
    found = work.repository.pulls.get(call.request.path_params["number"])
    if found is None:
        raise not_found()
    return found


def _in_order(pull: PullRequest) -> list[Review]:
    return sorted(pull.reviews, key=lambda review: (review.submitted_at, review.id))
