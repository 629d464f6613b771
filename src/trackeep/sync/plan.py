"""Decides what to fetch next, from what is known, what was said about time, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trackeep.github.graphql import LIST_PAGE, WantedPage
from trackeep.github.ratelimit import RESERVE
from trackeep.github.rest import PER_PAGE
from trackeep.model import Repository
from trackeep.store import schedule
from trackeep.store.schedule import STREAMS, Cursor

Cursors = Mapping[tuple[int, str], Cursor]

# The whole list of repositories is walked this often; proof of access holds for a day.
FULL_WALK_EVERY_S = 12 * 3600
# After a walk that was asked for, for each hundred repositories.
WALK_REST_S = 30
DAILY = schedule.DAILY
LOOK_EVERY_S = 24 * 3600
RECONCILE_EVERY_S = 7 * 24 * 3600
MOST_ALIASES = 40
FEW = 10
LONGEST_BACKOFF_S = 6 * 3600
LEFT_ALONE_S = 6 * 3600
SLOWER = 5
RESTLESS_AFTER = 5


@dataclass(frozen=True, slots=True)
class Steps:
    """What each stream has to fetch, the repository pushed last first."""

    unknown: tuple[Repository, ...]
    commits: tuple[Repository, ...]
    pulls: tuple[Repository, ...]
    issues: tuple[Repository, ...]
    looks: tuple[Repository, ...] = ()


def steps(repositories: Sequence[Repository], cursors: Cursors, now: int, *, urgent: bool) -> Steps:
    """What these repositories still lack; one that failed waits, unless a person asks (`urgent`)."""

    def wanting(stream: str) -> Iterable[tuple[Repository, Cursor]]:
        for each in repositories:
            at = cursors.get((each.id, stream), Cursor())
            if urgent or at.due_at <= now:
                yield each, at

    return Steps(
        unknown=tuple(each for each, at in wanting("pulls") if "total" not in at.position),
        commits=tuple(
            each
            for each, at in wanting("commits")
            if not at.complete or at.position.get("pushed_at") != each.pushed_at
        ),
        pulls=tuple(each for each, at in wanting("pulls") if "total" in at.position and not at.complete),
        issues=tuple(each for each, at in wanting("issues") if "total" in at.position and not at.complete),
        looks=tuple(
            each
            for each, at in wanting(DAILY)
            if at.complete and now - int(at.position["looked_at"]) >= LOOK_EVERY_S
        ),
    )


def with_new_files(
    repositories: Sequence[Repository], cursors: Cursors, now: int, *, urgent: bool
) -> list[Repository]:
    """Those whose commits are all stored, but not all compared; one that failed waits, unless asked for."""
    found = []
    for each in repositories:
        at = cursors.get((each.id, schedule.FILES), Cursor())
        is_there = cursors.get((each.id, "commits"), Cursor()).complete
        is_done = at.complete and at.position.get("seen") == commits_seen(cursors, each.id)
        if is_there and not is_done and (urgent or at.due_at <= now):
            found.append(each)
    return found


def commits_seen(cursors: Cursors, repository_id: int) -> list[int]:
    """What is different once a repository may have other commits than before."""
    at = cursors.get((repository_id, "commits"), Cursor())
    return [int(at.position.get("pushed_at") or 0), at.items]


def next_page(repository: Repository, at: Cursor) -> WantedPage:
    """The next page of a repository's pull requests, no larger than what is left or what GitHub can do."""
    known = int(at.position["total"]) - int(at.position.get("read", 0))
    # More than there were: some came twice because they changed meanwhile, and a few are still to come.
    left = known if known > 0 else FEW
    first = min(left, int(at.position.get("first", LIST_PAGE)), LIST_PAGE)
    return WantedPage(repository.node_id, first, at.position.get("after"), max(0, known))


def packed(pages: Sequence[WantedPage]) -> list[WantedPage]:
    """As many pages, from the front, as one query of one point holds; at least one."""
    taken: list[WantedPage] = []
    room = LIST_PAGE
    for page in pages[:MOST_ALIASES]:
        if taken and page.first > room:
            break
        taken.append(page)
        room -= page.first
    return taken


def grown(limit: int, asked: int, answered: int) -> int:
    """The largest page to try next: what GitHub managed when it did not manage all, else a little more."""
    return answered if answered < asked else min(LIST_PAGE, limit + max(1, limit // 8))


def is_walk_due(full_at: int, now: int, *, asked_at: int = 0, listed: int = 0) -> bool:
    """True when the last whole walk, begun at `full_at`, is long ago or no younger than the wish for one.

    The more repositories are `listed`, the longer a wish waits after a walk: each page costs a request, and
    whoever can send one delivery can send many.
    """
    rest_s = WALK_REST_S * (listed // PER_PAGE)
    return now - full_at >= FULL_WALK_EVERY_S or (full_at <= asked_at and now - full_at >= rest_s)


def stop_walk(pushed: Sequence[tuple[int, int]], stored: Mapping[int, int]) -> bool:
    """True when the last of a page of (id, pushed_at), newest push first, is stored as it is.

    Only the last one tells: an earlier one may have been stored for another account a moment ago.
    """
    return bool(pushed) and stored.get(pushed[-1][0]) == pushed[-1][1]


def is_reconcile_due(cursors: Cursors, repository_id: int, now: int) -> bool:
    """True when a week has passed since the first look or the last comparison, or one has begun.

    One that failed waits.
    """
    looked, at = (cursors.get((repository_id, stream), Cursor()) for stream in (DAILY, "reconcile"))
    if at.due_at > now or not all(
        cursors.get((repository_id, stream), Cursor()).complete for stream in STREAMS
    ):
        return False
    if at.position and not at.complete:
        return True
    last_at = at.position.get("done_at") or looked.position.get("first_at", now)
    return now - int(last_at) >= RECONCILE_EVERY_S


def backoff_s(failures: int) -> int:
    """Seconds until something that failed `failures` times in a row is tried again."""
    return int(min(LONGEST_BACKOFF_S, 60 * 2 ** min(max(0, failures - 1), 12)))


def settle_s(newest: int, now: float) -> float:
    """Seconds to wait until nothing more can happen within the second of the newest change.

    GitHub's times are whole seconds: a second change within the same one could not be told from the
    first. A clock that differs from GitHub's by more than two seconds is not waited for.
    """
    wait = newest + 1.05 - now
    return wait if 0 < wait <= 2 else 0.0


def is_watched(last_visit_at: int | None, now: int) -> bool:
    """True when the person looked within the hour."""
    return last_visit_at is not None and now - last_visit_at < 3600


def spendable(limit: int, remaining: int) -> int:
    """What may still be asked of a bucket of `limit` with so much left; the reserve is for other tools."""
    return max(0, remaining - int(limit * RESERVE))


def is_restless(polls: Sequence[tuple[int, int]]) -> bool:
    """True when the last polls found nothing, yet less than half of their answers were "unchanged".

    `polls` are (requests, answers 304) of those that found nothing. GitHub's validators then change though
    nothing else does, and asking costs quota.
    """
    asked, unchanged = (sum(column) for column in zip(*polls, strict=True)) if polls else (0, 0)
    return len(polls) >= RESTLESS_AFTER and 2 * unchanged < asked


def next_due_at(
    now: int, poll_s: int, *, last_visit_at: int | None = None, failures: int = 0, restless: bool = False
) -> int:
    """When to look again: doubling after failures, slower when nobody has looked for hours or it costs."""
    if failures:
        return now + max(poll_s, backoff_s(failures))
    is_left_alone = last_visit_at is not None and now - last_visit_at > LEFT_ALONE_S
    return now + poll_s * (SLOWER if is_left_alone or restless else 1)
