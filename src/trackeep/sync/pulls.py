"""Brings pull requests with their reviews up to date: newest pages first, then changed ones by number."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.errors import GitHubNoAccess, GitHubUnavailable
from trackeep.github import graphql, rest_pulls
from trackeep.github.graphql import PullPage, WantedPull
from trackeep.github.graphql_asking import TooMuch
from trackeep.github.parse_graphql import ParsedPull
from trackeep.model import PullRequest, Repository, ReviewRequest
from trackeep.store import activity
from trackeep.store.schedule import Cursor
from trackeep.sync import comments, plan, pulls_rest
from trackeep.sync.fallback import either
from trackeep.sync.work import ACCOUNT, Work

STREAM, DETAILS = pulls_rest.STREAM, "details"
AGAIN_AFTER_S = 86_400


async def backfill(work: Work, repositories: Sequence[Repository]) -> None:
    """Fetch every pull request of these, a page of each in turn; each page is stored with its cursor."""
    await either(
        work,
        lambda: _backfill(work, repositories),
        lambda: pulls_rest.backfill(work, repositories),
    )


async def fetch_numbers(work: Work, pairs: Sequence[tuple[Repository, int]]) -> dict[int, list[PullRequest]]:
    """These pull requests with details, by repository id; those that are gone are missing."""
    return await either(
        work,
        lambda: _fetch_numbers(work, pairs),
        lambda: pulls_rest.fetch_numbers(work, pairs),
    )


async def save_numbers(work: Work, conn: AsyncConnection, found: Mapping[int, list[PullRequest]]) -> None:
    """Save what `fetch_numbers` found; the people in it are saved before."""
    for repository_id, pulls in sorted(found.items()):
        await comments.expect(work, conn, repository_id, pulls)
        await activity.save_pulls(conn, repository_id, pulls, detailed_at=work.now)
        pulls_rest.count(work, pulls)


async def details(work: Work, repositories: Sequence[Repository]) -> None:
    """Ask for the details of open and recently merged pull requests that lack them.

    One that GitHub does not show to this account, as those of hidden people, is asked for again in a day.
    """
    by_id = {each.id: each for each in repositories}
    async with work.db.read() as conn:
        is_watched = plan.is_watched(work.last_visit_at, work.now)
        found = await activity.wanting_details(conn, work.account_id, by_id, work.now, is_watched=is_watched)
    unseen = {place: at for place, at in work.cursor(ACCOUNT, DETAILS).position.items() if at > work.now}
    wanted = [(key, number) for key, number in found if f"{key}/{number}" not in unseen]
    for start in range(0, len(wanted), graphql.DETAIL_PAGE):
        if not work.has_time():
            return
        some = wanted[start : start + graphql.DETAIL_PAGE]
        unseen |= await _some_details(work, [(by_id[key], number) for key, number in some], unseen)


async def _some_details(
    work: Work, pairs: Sequence[tuple[Repository, int]], unseen: Mapping[str, int]
) -> dict[str, int]:
    """Those that GitHub does not show, and until when they are not asked for."""
    found = await fetch_numbers(work, pairs)
    seen = {(key, each.number) for key, pulls in found.items() for each in pulls}
    gone = {
        f"{each.id}/{number}": work.now + AGAIN_AFTER_S
        for each, number in pairs
        if (each.id, number) not in seen
    }
    async with work.db.write() as conn:
        await activity.save_people(conn, activity.people_in(chain.from_iterable(found.values())))
        for repository_id, pulls in sorted(found.items()):
            await comments.expect(work, conn, repository_id, pulls)
            await activity.save_pulls(conn, repository_id, pulls, detailed_at=work.now)
        if gone:
            await work.advance(conn, ACCOUNT, DETAILS, Cursor({**unseen, **gone}, complete=True))
    work.notify()
    return gone


async def _backfill(work: Work, repositories: Sequence[Repository]) -> None:
    """Several small pages in one query."""
    waiting = deque(repositories)
    while waiting and work.has_time():
        front = islice(waiting, plan.MOST_ALIASES)
        pages = [plan.next_page(each, work.cursor(each.id, STREAM)) for each in front]
        some = [waiting.popleft() for _ in plan.packed(pages)]
        waiting.extend(await _fetch_pages(work, some))


async def _fetch_numbers(work: Work, pairs: Sequence[tuple[Repository, int]]) -> dict[int, list[PullRequest]]:
    asked = {WantedPull(each.node_id, number): each for each, number in pairs}
    try:
        answered = await graphql.pulls_by_number(work.github, list(asked), teams=work.teams)
    except TooMuch:
        # One is beyond GraphQL's ten seconds even alone, and must not hold up all others for ever.
        return await pulls_rest.fetch_numbers(work, pairs)
    found: dict[int, list[PullRequest]] = {}
    for key, parsed in answered.items():
        repository = asked[key]
        found.setdefault(repository.id, []).append(await _whole(work, repository, parsed))
    return found


async def _fetch_pages(work: Work, some: Sequence[Repository]) -> list[Repository]:
    """One page of each in one transaction; returns those that have more."""
    wanted = [plan.next_page(each, work.cursor(each.id, STREAM)) for each in some]
    if len(some) == 1:
        more: list[Repository] = []
        async with work.guarded(some[0], STREAM):
            try:
                pages = await graphql.pull_pages(work.github, wanted, teams=work.teams)
            except TooMuch:
                # Even one alone is beyond GraphQL's ten seconds; REST passes over those that are known.
                await pulls_rest.backfill(work, some)
                return []
            more = await _store_pages(work, some, pages)
        return more
    try:
        with work.charged(*((each.id, STREAM) for each in some)):
            pages = await graphql.pull_pages(work.github, wanted, teams=work.teams)
    except GitHubUnavailable:
        # One of them is the reason; alone, it fails alone.
        return [each for one in some for each in await _fetch_pages(work, [one])]
    return await _store_pages(work, some, pages)


async def _store_pages(work: Work, some: Sequence[Repository], pages: Sequence[PullPage]) -> list[Repository]:
    by_node = {each.node_id: each for each in some}
    for missing in by_node.keys() - {page.node_id for page in pages}:
        async with work.guarded(by_node[missing], STREAM):
            raise GitHubNoAccess("GitHub shows no pull requests of this repository to this token.")
    whole = {
        page.node_id: [await _whole(work, by_node[page.node_id], parsed) for parsed in page.pulls]
        for page in pages
    }
    more = []
    async with work.db.write() as conn:
        await activity.save_people(conn, activity.people_in(chain.from_iterable(whole.values())))
        for page in sorted(pages, key=lambda page: by_node[page.node_id].id):
            repository, pulls = by_node[page.node_id], whole[page.node_id]
            at = work.cursor(repository.id, STREAM)
            asked, read = plan.next_page(repository, at).first, at.position.get("read", 0) + len(pulls)
            await comments.expect(work, conn, repository.id, pulls)
            await activity.save_pulls(conn, repository.id, pulls)
            position = {
                **at.position,
                "total": page.total,
                "read": read,
                "after": page.after or at.position.get("after"),
                "first": plan.grown(at.position.get("first", graphql.LIST_PAGE), asked, page.first),
            }
            new = Cursor(position, complete=page.after is None, items=max(at.items, read))
            await work.advance(conn, repository.id, STREAM, new)
            pulls_rest.count(work, pulls)
            if page.after is not None:
                more.append(repository)
    work.notify()
    return more


async def _whole(work: Work, repository: Repository, parsed: ParsedPull) -> PullRequest:
    """With all reviews, labels and requests, when the page held only the first ones."""
    pull = parsed.pull
    if not parsed.cut:
        return pull
    try:
        full = await rest_pulls.whole(work.github, repository.full_name, pull.number)
    except GitHubNoAccess:
        # What neither of GitHub's ways shows to this token is stored as far as it came.
        return pull
    times = {_asked(each): each.requested_at for each in pull.review_requests}
    requests = tuple(replace(each, requested_at=times.get(_asked(each))) for each in full.review_requests)
    return replace(pull, reviews=full.reviews, labels=full.labels, review_requests=requests)


def _asked(request: ReviewRequest) -> int | str:
    return request.person.id if request.person else request.team
