"""What REST tells of a single pull request: whole with its reviews, and in detail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trackeep.errors import GitHubNoAccess
from trackeep.github import parse, rest
from trackeep.github.parse import RestEvent, RestFullPull
from trackeep.github.transport import GitHub
from trackeep.model import PullRequest, ReviewRequest


async def whole(github: GitHub, full_name: str, number: int) -> PullRequest:
    """With sizes and every review: two requests.

    What only GraphQL knows stays empty, `review_decision` and `unresolved_threads`, or unknown: `checks`.
    Raises GitHubNoAccess when there is no such pull request.
    """
    return (await _whole(github, full_name, number))[1]


async def detailed(github: GitHub, full_name: str, number: int) -> PullRequest:
    """As `whole`, and since when it is ready, who was asked when, and its first commit: four requests."""
    said, pull = await _whole(github, full_name, number)
    events = await _events(github, full_name, number)
    return replace(
        pull,
        ready_at=_ready_at(pull, events),
        first_commit_at=await _first_commit_at(github, full_name, number),
        review_requests=tuple(_timed(pull.review_requests, events, said)),
        asked=tuple(_asked(events)),
    )


async def _whole(github: GitHub, full_name: str, number: int) -> tuple[RestFullPull, PullRequest]:
    answer = await github.get(f"/repos/{full_name}/pulls/{number}")
    said = parse.decoded(answer.body, RestFullPull)
    # Reviews come after the pull request: one that arrives in between moves its `updated_at`, which is
    # then newer than what is stored, and it is asked for again.
    return said, replace(said.full(), reviews=await rest.reviews(github, full_name, number))


async def _events(github: GitHub, full_name: str, number: int) -> list[RestEvent]:
    """Oldest first; none for a token that may see pull requests but not what happened to them."""
    path = f"/repos/{full_name}/issues/{number}/events"
    try:
        return [each async for each in rest.every(github, path, list[RestEvent])]
    except GitHubNoAccess:
        return []


async def _first_commit_at(github: GitHub, full_name: str, number: int) -> int | None:
    answer = await github.get(f"/repos/{full_name}/pulls/{number}/commits", {"per_page": 1})
    commits = parse.decoded(answer.body, list[parse.RestCommit])
    return commits[0].noun().author.at if commits else None


def _ready_at(pull: PullRequest, events: Sequence[RestEvent]) -> int | None:
    """Since when it is no draft: the last time that it was marked so, else since it was opened."""
    if pull.draft:
        return None
    marked = [each.created_at for each in events if each.event == "ready_for_review"]
    return parse.seconds(marked[-1]) if marked else pull.created_at


def _asked(events: Sequence[RestEvent]) -> Iterator[tuple[int, int]]:
    """Whom and when, of every request for a person's review."""
    for each in events:
        at = parse.seconds(each.created_at)
        if each.event == "review_requested" and each.requested_reviewer and at is not None:
            yield each.requested_reviewer.id, at


def _timed(
    requests: Sequence[ReviewRequest], events: Sequence[RestEvent], said: RestFullPull
) -> list[ReviewRequest]:
    """With the last time that each was asked."""
    asked = {}
    for each in events:
        if each.event == "review_requested":
            person = each.requested_reviewer.id if each.requested_reviewer else 0
            team = each.requested_team.combined_slug(said.base) if each.requested_team else ""
            asked[(person, team)] = parse.seconds(each.created_at)
    return [
        replace(each, requested_at=asked.get((each.person.id if each.person else 0, each.team)))
        for each in requests
    ]
