"""Fetches pull requests one by one over REST, where GraphQL, which gives pages of them whole, is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from trackeep.errors import GitHubNoAccess
from trackeep.github import rest, rest_pulls
from trackeep.model import PullRequest, Repository
from trackeep.store import activity
from trackeep.store.schedule import Cursor
from trackeep.sync import comments
from trackeep.sync.work import Work

STREAM = "pulls"
# Each costs two or four requests, and a page that was broken off is fetched again.
PAGE = 20


async def backfill(work: Work, repositories: Sequence[Repository]) -> None:
    """Fetch every pull request of these, a page of each in turn, last changed first.

    What changes meanwhile moves to the front of the list: it pushes others onto a later page, where they are
    known already, and arrives itself by the poll. What is stored as the list shows it is not fetched again,
    by whatever way it came.
    """
    waiting = deque(each for each in repositories if not work.cursor(each.id, STREAM).complete)
    while waiting and work.has_time():
        repository = waiting.popleft()
        async with work.guarded(repository, STREAM):
            await _next_page(work, repository)
            if not work.cursor(repository.id, STREAM).complete:
                waiting.append(repository)


async def fetch_numbers(work: Work, pairs: Sequence[tuple[Repository, int]]) -> dict[int, list[PullRequest]]:
    """These pull requests with details, by repository id; those that are gone are missing."""
    found: dict[int, list[PullRequest]] = {}
    for repository, number in pairs:
        try:
            pull = await rest_pulls.detailed(work.github, repository.full_name, number)
        except GitHubNoAccess:
            continue
        found.setdefault(repository.id, []).append(pull)
    return found


async def _next_page(work: Work, repository: Repository) -> None:
    at = work.cursor(repository.id, STREAM)
    page = await rest.pulls(work.github, repository.full_name, at.position.get("page"), per_page=PAGE)
    async with work.db.read() as conn:
        known = await activity.known_updates(conn, {repository.id: [each.number for each in page.items]})
    fresh = [each for each in page.items if known.get((repository.id, each.number)) != each.updated_at]
    await work.settled(max((each.updated_at for each in fresh), default=0))
    detailed, others = [], []
    for each in fresh:
        # Those whose details would be asked for next get them at once.
        if each.state == "open" or (each.merged_at or 0) > work.now - activity.DETAIL_WINDOW_S:
            detailed.append(await rest_pulls.detailed(work.github, repository.full_name, each.number))
        else:
            others.append(await rest_pulls.whole(work.github, repository.full_name, each.number))
    found = [*detailed, *others]
    position = {**at.position, "page": page.next_url}
    new = Cursor(position, complete=page.next_url is None, items=at.items + len(found))
    async with work.db.write() as conn:
        await activity.save_people(conn, activity.people_in(found))
        await comments.expect(work, conn, repository.id, found)
        await activity.save_pulls(conn, repository.id, detailed, detailed_at=work.now)
        await activity.save_pulls(conn, repository.id, others)
        await work.advance(conn, repository.id, STREAM, new)
    count(work, found)
    work.notify()


def count(work: Work, pulls: Sequence[PullRequest]) -> None:
    """These were found."""
    work.found.pull_requests += len(pulls)
    work.found.reviews += sum(len(each.reviews) for each in pulls)
