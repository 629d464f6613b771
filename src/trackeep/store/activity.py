"""Writes what GitHub told: repositories, people, pull requests with reviews, issues, and who may read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked, upsert
from trackeep.model import SOME_TEAM, Issue, Label, Person, PullRequest, Release, Repository, ReviewRequest
from trackeep.store import commit_words
from trackeep.store.comments import counts
from trackeep.store.tables import access, person, repository
from trackeep.store.tables_branches import branch_distance
from trackeep.store.tables_fetched import (
    LACKS_DETAILS,
    co_author,
    commit,
    issue,
    language,
    pull_request,
    ref,
    ref_change,
    release,
    review,
    review_asked,
    review_comment,
    review_request,
    unclaimed_address,
    walked,
)
from trackeep.store.tables_paths import path
from trackeep.store.tables_sharing import badge
from trackeep.store.walks import FROM_FILE

GRANTED, LOST = "granted", "lost"
FETCHED = (
    *(commit, path, walked, co_author, unclaimed_address, ref, ref_change),
    *(pull_request, review, review_comment, review_request, review_asked, issue, release, language),
    # Not fetched, but made of what was.
    *(branch_distance, badge),
)
# Pull requests merged this recently are asked for their details, which the time charts need.
DETAIL_WINDOW_S = 90 * 86_400


# ---- repositories and who may read them ---------------------------------------------------------


async def save_repositories(conn: AsyncConnection, repositories: Collection[Repository]) -> None:
    """Save what a list says; a repository keeps its number when it is renamed, and its former name."""
    known = await _known_names(conn, [each.id for each in repositories])
    rows = [
        {
            "id": each.id,
            "node_id": each.node_id,
            "owner": each.owner,
            "name": each.name,
            "private": each.private,
            "fork": each.fork,
            "archived": each.archived,
            "default_branch": each.default_branch,
            "description": _stored(each.description),
            "language": each.language,
            "size_kb": each.size_kb,
            "created_at": each.created_at,
            "pushed_at": each.pushed_at,
            "updated_at": each.updated_at,
            "state": "",
            "state_since": None,
            "former_names": _former(known.get(each.id), each),
        }
        for each in sorted(repositories, key=lambda each: each.id)
    ]
    await upsert(conn, repository, rows, key=["id"])


async def pushed_times(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """When each stored repository was pushed last, by id."""
    rows = select(repository.c.id, repository.c.pushed_at).where(repository.c.id.in_(sorted(ids)))
    return {row.id: row.pushed_at or 0 for row in await conn.execute(rows)}


async def grant_access(
    conn: AsyncConnection, account_id: int, permissions: Mapping[int, str], now: int
) -> None:
    """The account's own token has just shown these repositories (id to permission), which are saved."""
    names = await _known_names(conn, list(permissions))
    rows = [
        {
            "account_id": account_id,
            "repository_id": repository_id,
            "state": GRANTED,
            "permission": permission,
            "checked_at": now,
            "known_as": f"{names[repository_id].owner}/{names[repository_id].name}",
        }
        for repository_id, permission in sorted(permissions.items())
    ]
    await upsert(conn, access, rows, key=["account_id", "repository_id"])
    await _make_way(conn, permissions)


async def renew_access(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """Everything in `ids` that was granted is shown still (GitHub answered that its list is unchanged)."""
    mine = access.c.account_id == account_id
    # Written once an hour at most: proof holds for a day.
    due = mine & (access.c.state == GRANTED) & (access.c.checked_at < now - 3600)
    for some in chunked(sorted(ids)):
        await conn.execute(
            update(access).where(due & access.c.repository_id.in_(some)).values(checked_at=now)
        )


async def _make_way(conn: AsyncConnection, ids: Collection[int]) -> None:
    """Commits that came from a file go where git can bring its own, which have parents."""
    for some in chunked(sorted(ids)):
        these = walked.c.repository_id.in_(some) & (walked.c.account_id == FROM_FILE)
        imported = set(await conn.scalars(select(walked.c.repository_id).distinct().where(these)))
        for repository_id in sorted(imported):
            marked = select(walked.c.sha).where(walked.c.repository_id == repository_id, these)
            await commit_words.forget(conn, [repository_id], only=commit.c.sha.in_(marked))
            for table in (commit, walked):
                place = table.c.repository_id == repository_id
                await conn.execute(delete(table).where(place, table.c.sha.in_(marked)))


async def lose_access(conn: AsyncConnection, account_id: int, ids: Collection[int], now: int) -> None:
    """GitHub shows these no more to this account; what was fetched stays, hidden from it."""
    for some in chunked(sorted(ids)):
        these = (access.c.account_id == account_id) & access.c.repository_id.in_(some)
        await conn.execute(update(access).where(these).values(state=LOST, checked_at=now))


async def granted_ids(conn: AsyncConnection, account_id: int) -> set[int]:
    rows = select(access.c.repository_id).where(access.c.account_id == account_id, access.c.state == GRANTED)
    return set((await conn.execute(rows)).scalars())


async def newest_time(conn: AsyncConnection, account_id: int) -> int:
    """The latest moment that GitHub's own lists tell of, in unix seconds of GitHub's clock; 0 for none."""
    mine = (access.c.repository_id == repository.c.id) & (access.c.account_id == account_id)
    times = select(func.max(repository.c.pushed_at), func.max(repository.c.updated_at)).join(access, mine)
    return max((each or 0 for each in (await conn.execute(times)).one()), default=0)


# ---- people -------------------------------------------------------------------------------------


async def save_people(conn: AsyncConnection, people: Iterable[Person | None]) -> None:
    """Save accounts as GitHub mentions them; a mention without a name does not erase a known name.

    Once in a transaction, before what mentions them: accounts are shared rows, and two writers that took
    them bit by bit could wait for each other in a circle.
    """
    by_id = {each.id: each for each in people if each is not None}
    known: dict[int, Any] = {}
    for some in chunked(sorted(by_id)):
        known |= {row.id: row for row in await conn.execute(select(person).where(person.c.id.in_(some)))}
    rows = []
    for key, each in sorted(by_id.items()):
        was = known.get(key)
        row = {
            "id": key,
            "login": each.login,
            "name": each.name or (was.name if was else ""),
            "avatar_url": _avatar(each.avatar_url, was.avatar_url if was else ""),
            "kind": each.kind,
        }
        # Untouched rows are not locked, so that two workers with the same people do not wait crosswise.
        if was is None or row != dict(was._mapping):
            rows.append(row)
    await upsert(conn, person, rows, key=["id"])


# ---- pull requests and issues -------------------------------------------------------------------


def people_in(pulls: Iterable[PullRequest]) -> Iterable[Person | None]:
    """Everybody whom these pull requests mention."""
    for each in pulls:
        yield from (request.person for request in each.review_requests)
        yield from (each_review.author for each_review in each.reviews)
        yield each.merged_by
        yield each.author


async def save_pulls(
    conn: AsyncConnection,
    repository_id: int,
    pulls: Sequence[PullRequest],
    *,
    detailed_at: int | None = None,
) -> None:
    """Save pull requests with all their reviews, labels and standing requests; the people are saved before.

    `detailed_at` (unix seconds) says that they carry details too; without it stored details stay.
    """
    # One order for everybody who writes, or two transactions could wait for each other.
    pulls = sorted(pulls, key=lambda each: each.number)
    rows = [_pull_row(repository_id, each) for each in pulls]
    if detailed_at is not None:
        details = [_detail_row(each, detailed_at) for each in pulls]
        rows = [row | detail for row, detail in zip(rows, details, strict=True)]
    await upsert(conn, pull_request, rows, key=["repository_id", "number"])
    await _replace_reviews(conn, repository_id, pulls)
    await _replace_requests(conn, repository_id, pulls)


async def save_issues(conn: AsyncConnection, repository_id: int, issues: Sequence[Issue]) -> None:
    """Save issues of one repository, whatever is stored of them; their authors are saved before."""
    rows = [
        {
            "repository_id": repository_id,
            "number": each.number,
            "id": each.id,
            "title": _stored(each.title),
            "state": each.state,
            "author_id": each.author.id if each.author else None,
            "created_at": each.created_at,
            "updated_at": each.updated_at,
            "closed_at": each.closed_at,
            "comments": each.comments,
            "labels": _labels(each.labels),
        }
        for each in sorted(issues, key=lambda each: each.number)
    ]
    await upsert(conn, issue, rows, key=["repository_id", "number"])


async def save_releases(conn: AsyncConnection, repository_id: int, releases: Sequence[Release]) -> None:
    """Save all releases of one repository, whose authors are saved before; those not among them go.

    GitHub shows drafts only to those who may push. Rows are shared with those who may not, so none is kept.
    """
    releases = [each for each in releases if not each.draft]
    ids = [each.id for each in releases]
    gone = (release.c.repository_id == repository_id) & release.c.id.not_in(ids)
    await conn.execute(delete(release).where(gone))
    rows = [
        {
            "repository_id": repository_id,
            "id": each.id,
            "tag": each.tag,
            "name": _stored(each.name),
            "draft": each.draft,
            "prerelease": each.prerelease,
            "author_id": each.author.id if each.author else None,
            "created_at": each.created_at,
            "published_at": each.published_at,
        }
        for each in sorted(releases, key=lambda each: each.id)
    ]
    await upsert(conn, release, rows, key=["repository_id", "id"])


async def known_updates(
    conn: AsyncConnection, numbers: Mapping[int, Collection[int]]
) -> dict[tuple[int, int], int]:
    """`updated_at` as stored, by (repository id, number), of issues and pull requests alike."""
    found: dict[tuple[int, int], int] = {}
    for repository_id, wanted in numbers.items():
        for table in (issue, pull_request):
            rows = select(table.c.number, table.c.updated_at).where(
                table.c.repository_id == repository_id, table.c.number.in_(sorted(wanted))
            )
            found |= {(repository_id, row.number): row.updated_at for row in await conn.execute(rows)}
    return found


async def wanting_details(
    conn: AsyncConnection, account_id: int, ids: Collection[int], now: int, *, is_watched: bool
) -> list[tuple[int, int]]:
    """(repository id, number) of pull requests whose details are missing or old, last changed first.

    Checks and mergeability move without `updated_at`: the person's own open pull requests and those that
    wait for their review are asked again after 5 minutes while the person looks (`is_watched`), else an hour.
    """
    fresh_s = 300 if is_watched else 3600
    pull = pull_request.c
    asked = select(review_request.c.number).where(
        review_request.c.repository_id == pull.repository_id,
        review_request.c.number == pull.number,
        review_request.c.reviewer_id == account_id,
    )
    old = (pull.detailed_at < now - fresh_s) & or_(pull.author_id == account_id, asked.exists())
    rows = select(pull.updated_at, pull.repository_id, pull.number)
    # Two questions, each with an index of its own that holds few rows however many there are in all. The
    # second one's knows no repositories: named in the question, they would lead to another index.
    found: set[tuple[int, int, int]] = set()
    for some in chunked(sorted(ids)):
        wanted = (pull.state == "open") & pull.repository_id.in_(some) & (LACKS_DETAILS | old)
        found.update((row[0], row[1], row[2]) for row in await conn.execute(rows.where(wanted)))
    merged = (pull.merged_at > now - DETAIL_WINDOW_S) & LACKS_DETAILS
    these = frozenset(ids)
    found.update(
        (row[0], row[1], row[2])
        for row in await conn.execute(rows.where(merged))
        if row.repository_id in these
    )
    return [(repository_id, number) for _, repository_id, number in sorted(found, reverse=True)]


async def forget_activity(conn: AsyncConnection, ids: Collection[int]) -> None:
    """Delete everything fetched of these repositories; their names stay to be chosen again."""
    await commit_words.forget(conn, ids)
    for table in FETCHED:
        for some in chunked(sorted(ids)):
            await conn.execute(delete(table).where(table.c.repository_id.in_(some)))


# ---- rows ---------------------------------------------------------------------------------------


async def _known_names(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for some in chunked(sorted(ids)):
        rows = select(
            repository.c.id, repository.c.owner, repository.c.name, repository.c.former_names
        ).where(repository.c.id.in_(some))
        found |= {row.id: row for row in await conn.execute(rows)}
    return found


def _former(known: Any, new: Repository) -> str:
    """Former full names, separated by spaces; the present one is never among them."""
    if known is None:
        return ""
    names = [*known.former_names.split(), f"{known.owner}/{known.name}"]
    return " ".join(name for name in dict.fromkeys(names) if name.lower() != new.full_name.lower())


def _avatar(seen: str, known: str) -> str:
    """REST and GraphQL give one picture with different queries; that alone is no reason to write a row."""
    return known if seen.partition("?")[0] in ("", known.partition("?")[0]) else seen


def _pull_row(repository_id: int, each: PullRequest) -> dict[str, Any]:
    return {
        "repository_id": repository_id,
        "number": each.number,
        "id": each.id,
        "node_id": each.node_id,
        "title": _stored(each.title),
        "state": each.state,
        "draft": each.draft,
        "author_id": each.author.id if each.author else None,
        "base_ref": each.base_ref,
        "head_ref": each.head_ref,
        "head_sha": each.head_sha,
        "created_at": each.created_at,
        "updated_at": each.updated_at,
        "closed_at": each.closed_at,
        "merged_at": each.merged_at,
        "merged_by_id": each.merged_by.id if each.merged_by else None,
        "merge_sha": each.merge_sha,
        "additions": each.additions,
        "deletions": each.deletions,
        "changed_files": each.changed_files,
        "review_decision": each.review_decision,
        "labels": _labels(each.labels),
    }


def _detail_row(each: PullRequest, detailed_at: int) -> dict[str, Any]:
    return {
        "comments": each.comments,
        "mergeable": each.mergeable,
        "checks": each.checks,
        "ready_at": each.ready_at,
        "first_commit_at": each.first_commit_at,
        "unresolved_threads": each.unresolved_threads,
        # GitHub's clock may be ahead of ours; details of this very state must not look older than it.
        "detailed_at": max(detailed_at, each.updated_at),
    }


async def _replace_reviews(conn: AsyncConnection, repository_id: int, pulls: Sequence[PullRequest]) -> None:
    await _clear(conn, review, repository_id, pulls)
    # GitHub lists comments elsewhere: what is stored of them counts.
    counted = await counts(conn, repository_id, [pull.number for pull in pulls])
    rows = [
        {
            "repository_id": repository_id,
            "id": each.id,
            "number": pull.number,
            "author_id": each.author.id if each.author else None,
            "state": each.state,
            "submitted_at": each.submitted_at,
            "commit_sha": each.commit_sha,
            "comments": counted.get(each.id, 0),
        }
        for pull in pulls
        for each in pull.reviews
        # One that is not submitted yet is shown to its author alone, and these rows to everybody.
        if each.state != "PENDING"
    ]
    await upsert(conn, review, rows, key=["repository_id", "id"])


async def _replace_requests(conn: AsyncConnection, repository_id: int, pulls: Sequence[PullRequest]) -> None:
    numbers = [pull.number for pull in pulls]
    stored = select(review_request).where(
        review_request.c.repository_id == repository_id, review_request.c.number.in_(numbers)
    )
    asked = {(row.number, row.reviewer_id, row.team): row.requested_at for row in await conn.execute(stored)}
    await _clear(conn, review_request, repository_id, pulls)
    rows = []
    for pull in pulls:
        for each in _named(pull, asked):
            key = (pull.number, each.person.id if each.person else 0, each.team)
            names = dict(zip(("number", "reviewer_id", "team"), key, strict=True))
            requested_at = each.requested_at or asked.get(key)
            rows.append({"repository_id": repository_id, **names, "requested_at": requested_at})
    await upsert(conn, review_request, rows, key=["repository_id", "number", "reviewer_id", "team"])
    await _keep_asked(conn, repository_id, pulls)


def _named(pull: PullRequest, stored: Iterable[tuple[int, int, str]]) -> tuple[ReviewRequest, ...]:
    """Requests with the teams that another token has told of, where this one tells only that there is one."""
    known = {team for number, _, team in stored if number == pull.number} - {"", SOME_TEAM}
    if not known or all(each.team != SOME_TEAM for each in pull.review_requests):
        return pull.review_requests
    others = (each for each in pull.review_requests if each.team not in (SOME_TEAM, *known))
    return (*others, *(ReviewRequest(team=team) for team in sorted(known)))


async def _keep_asked(conn: AsyncConnection, repository_id: int, pulls: Sequence[PullRequest]) -> None:
    """A request that is answered is gone at GitHub; when it was made stays here."""
    known = {(pull.number, who, at) for pull in pulls for who, at in pull.asked}
    known |= {
        (pull.number, each.person.id, each.requested_at)
        for pull in pulls
        for each in pull.review_requests
        if each.person and each.requested_at is not None
    }
    names = ("number", "reviewer_id", "requested_at")
    rows = [{"repository_id": repository_id, **dict(zip(names, key, strict=True))} for key in sorted(known)]
    await upsert(conn, review_asked, rows, key=["repository_id", *names])


async def _clear(conn: AsyncConnection, table: Any, repository_id: int, pulls: Sequence[PullRequest]) -> None:
    numbers = [pull.number for pull in pulls]
    await conn.execute(
        delete(table).where(table.c.repository_id == repository_id, table.c.number.in_(numbers))
    )


def _labels(labels: Iterable[Label]) -> str:
    return json.dumps([{"name": each.name, "color": each.color} for each in labels], ensure_ascii=False)


def _stored(text: str) -> str:
    """PostgreSQL has no place for NUL."""
    return text.replace("\0", "\ufffd")
