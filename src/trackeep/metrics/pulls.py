"""What a pull request is and whose turn it is: size, section of the queue, rates over many of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trackeep.metrics.windows import Window

SIZES = (("XS", 10), ("S", 30), ("M", 100), ("L", 500), ("XL", 1000))
SIZE_NAMES = (*(name for name, _ in SIZES), "XXL")
MY_TURN = ("review", "returned", "ready")
SECTIONS = (*MY_TURN, "waiting", "draft", "merged")
DAY_S = 86_400
STALE_DAYS = 14
RECENTLY_MERGED_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whose turn a pull request is, seen by one person ("me")."""

    state: str
    draft: bool
    mine: bool
    requested_of_me_at: int | None
    reviewers_asked: int
    reviewed_by_me_at: int | None
    decision: str
    decided_at: int | None
    head_pushed_at: int | None
    checks: str
    mergeable: str
    merged_at: int | None


@dataclass(frozen=True, slots=True)
class Moments:
    """When a pull request was opened, merged and closed; unix seconds. A merged one is closed, too."""

    created_at: int
    merged_at: int | None
    closed_at: int | None


@dataclass(frozen=True, slots=True)
class Throughput:
    """What happened to pull requests in a window; `closed` are those without a merge."""

    opened: int
    merged: int
    closed: int


def size(additions: int | None, deletions: int | None) -> str | None:
    """XS to XXL by lines added and removed; None where the lines are not known."""
    if additions is None or deletions is None:
        return None
    lines = additions + deletions
    return next((name for name, below in SIZES if lines < below), "XXL")


def section(pull: Standing, now: int) -> str | None:
    """The section of my queue a pull request belongs to, or None when it is no business of mine."""
    if pull.state == "merged":
        recent = pull.merged_at is not None and pull.merged_at >= now - RECENTLY_MERGED_S
        return "merged" if recent else None
    if pull.state != "open":
        return None
    if not pull.mine:
        return "review" if needs_review(pull) else None
    if pull.draft:
        return "draft"
    if is_returned(pull):
        return "returned"
    return "ready" if is_ready(pull) else "waiting"


def needs_review(pull: Standing) -> bool:
    """Open, no draft, asked of me, and not reviewed by me since."""
    if pull.state != "open" or pull.draft or pull.requested_of_me_at is None:
        return False
    return pull.reviewed_by_me_at is None or pull.reviewed_by_me_at < pull.requested_of_me_at


def is_returned(pull: Standing) -> bool:
    """My open pull request that waits for me: changes asked and none made since, failing checks, conflict."""
    return returned_because(pull) is not None


def returned_because(pull: Standing) -> str | None:
    """Why my pull request came back: changes, failing, conflict, or None when it did not."""
    if not pull.mine or pull.state != "open":
        return None
    if pull.checks in ("FAILURE", "ERROR"):
        return "failing"
    if pull.mergeable == "CONFLICTING":
        return "conflict"
    answered = (
        pull.head_pushed_at is not None
        and pull.decided_at is not None
        and pull.head_pushed_at > pull.decided_at
    )
    return "changes" if pull.decision == "CHANGES_REQUESTED" and not answered else None


def is_ready(pull: Standing) -> bool:
    """My open pull request that nothing stops: approved or no approval needed, checks fine, no conflict.

    Checks that GitHub does not tell (UNKNOWN) are not fine.
    """
    agreed = pull.decision == "APPROVED" or (not pull.decision and not pull.reviewers_asked)
    return (
        pull.mine
        and pull.state == "open"
        and not pull.draft
        and agreed
        and pull.checks in ("", "SUCCESS")
        and pull.mergeable != "CONFLICTING"
    )


def is_stale(state: str, updated_at: int, now: int, *, days: int = STALE_DAYS) -> bool:
    """Open, and nothing by anybody happened for so many days."""
    return state == "open" and updated_at < now - days * DAY_S


def throughput(pulls: Iterable[Moments], window: Window) -> Throughput:
    """What happened in a window: each event by its own moment, whenever the pull request was opened."""
    pulls = tuple(pulls)
    return Throughput(
        opened=sum(window.holds(each.created_at) for each in pulls),
        merged=sum(each.merged_at is not None and window.holds(each.merged_at) for each in pulls),
        closed=sum(
            each.merged_at is None and each.closed_at is not None and window.holds(each.closed_at)
            for each in pulls
        ),
    )


def weekly(pulls: Iterable[Moments], edges: Sequence[int]) -> list[Throughput]:
    """The throughput between each two neighbours of `edges`, which are ordered instants."""
    counts = [[0, 0, 0] for _ in edges[1:]]
    for each in pulls:
        closed_at = each.closed_at if each.merged_at is None else None
        for kind, at in enumerate((each.created_at, each.merged_at, closed_at)):
            if at is not None and edges[0] <= at < edges[-1]:
                counts[bisect_right(edges, at) - 1][kind] += 1
    return [Throughput(*three) for three in counts]


def sizes(lines: Iterable[tuple[int | None, int | None]]) -> dict[str | None, int]:
    """How many there are of each size, XS first; None counts those whose lines are not known yet."""
    found: dict[str | None, int] = {name: 0 for name in (*SIZE_NAMES, None)}
    for additions, deletions in lines:
        found[size(additions, deletions)] += 1
    return found


def merge_rate(merged: int, closed_unmerged: int) -> float | None:
    """The share of finished pull requests that were merged; both counted when they were finished."""
    finished = merged + closed_unmerged
    return merged / finished if finished else None
