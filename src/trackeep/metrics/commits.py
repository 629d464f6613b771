"""Which commits count, on which day and in which hour, and how many lines they moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Lines = tuple[int | None, int | None]
DAY_S, HOUR_S = 86_400, 3_600
# 1 January 1970 was a Thursday; Monday is 0.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True, slots=True)
class Made:
    """A commit as one repository holds it."""

    sha: str
    parents: int
    on_default: bool


def is_counted(commit: Made, *, everywhere: bool = False) -> bool:
    """No merge, and on the default branch unless all branches are asked for, as GitHub's statistics do."""
    return commit.parents <= 1 and (everywhere or commit.on_default)


def count(commits: Iterable[Made], *, everywhere: bool = False) -> int:
    """How many commits count; a sha that several repositories hold counts once."""
    return len({commit.sha for commit in commits if is_counted(commit, everywhere=everywhere)})


def counted_at(authored_at: int, committed_at: int, *, mine: bool) -> int:
    """The moment that dates a commit: the author's in one's own views, the committer's in a repository's."""
    return authored_at if mine else committed_at


def churn(lines: Iterable[Lines]) -> int | None:
    """Lines added plus lines deleted; commits that were not measured are left out, None if all are."""
    known = [(added, deleted) for added, deleted in lines if added is not None and deleted is not None]
    return sum(added + deleted for added, deleted in known) if known else None


def net(lines: Iterable[Lines]) -> int | None:
    """Lines added minus lines deleted; commits that were not measured are left out, None if all are."""
    known = [(added, deleted) for added, deleted in lines if added is not None and deleted is not None]
    return sum(added - deleted for added, deleted in known) if known else None


def punch_cell(at: int, offset_s: int) -> tuple[int, int]:
    """(weekday, hour) of an instant on a clock that is `offset_s` ahead of UTC; Monday is 0."""
    local = at + offset_s
    return (local // DAY_S + _FIRST_WEEKDAY) % 7, local // HOUR_S % 24


def punch_card(moments: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Seven rows of 24 counts, from (instant, seconds ahead of UTC) of each counted commit."""
    card = [[0] * 24 for _ in range(7)]
    for at, offset_s in moments:
        weekday, hour = punch_cell(at, offset_s)
        card[weekday][hour] += 1
    return card
