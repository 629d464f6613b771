"""Who looked at what: which reviews count, how many there were, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """One review; people are GitHub's numbers, None for an account that is gone."""

    pull: Hashable
    author: int | None
    reviewer: int | None
    by_bot: bool
    submitted_at: int | None


@dataclass(frozen=True, slots=True)
class Load:
    """How many reviews somebody gave, and of how many pull requests."""

    reviews: int
    pulls: int


def counts(review: Given, *, bots: bool = False) -> bool:
    """Submitted, and by somebody else than the author; by a bot only where `bots` are asked for."""
    own = review.reviewer is not None and review.reviewer == review.author
    return review.submitted_at is not None and not own and (bots or not review.by_bot)


def first_at(reviews: Iterable[Given]) -> int | None:
    """When the first review that counts was given; None while there is none."""
    return min(
        (each.submitted_at for each in reviews if counts(each) and each.submitted_at is not None),
        default=None,
    )


def depth(comments: int, reviews: int, merged: int) -> float | None:
    """Reviews and comments on lines by people other than the author, per merged pull request."""
    return (comments + reviews) / merged if merged else None


def is_merged_without(merged_at: int | None, reviews: int) -> bool:
    """Merged although nobody gave a review that counts."""
    return merged_at is not None and not reviews


def is_waiting_for_first(state: str, *, draft: bool, first_review_at: int | None) -> bool:
    """Open, ready, and nobody has given a review that counts."""
    return state == "open" and not draft and first_review_at is None


def load(reviews: Iterable[Given], *, bots: bool = False) -> dict[int | None, Load]:
    """What each reviewer gave, by GitHub's number."""
    pulls: dict[int | None, list[Hashable]] = {}
    for review in reviews:
        if counts(review, bots=bots):
            pulls.setdefault(review.reviewer, []).append(review.pull)
    return {reviewer: Load(len(given), len(set(given))) for reviewer, given in pulls.items()}
