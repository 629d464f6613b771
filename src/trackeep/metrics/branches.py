"""Which branches are forgotten, and how far each has moved from the default branch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

STALE_AFTER_S = 90 * 86_400


@dataclass(frozen=True, slots=True)
class Distance:
    """Commits that only the branch has, and commits that only the default branch has."""

    ahead: int
    behind: int


def state(*, is_default: bool, is_merged: bool, committed_at: int | None, now: int) -> str:
    """default, merged, stale or active; a branch is stale after 90 days without a commit."""
    if is_default:
        return "default"
    if is_merged:
        return "merged"
    return "stale" if committed_at is not None and committed_at < now - STALE_AFTER_S else "active"


def distances(parents: Mapping[str, Sequence[str]], base: str, heads: Sequence[str]) -> dict[str, Distance]:
    """How far each of `heads` is from `base`; `parents` are those of every stored commit.

    One pass for all of them: each commit gets the set of those that reach it, as the bits of a number. A head
    of whose history a commit is missing is left out, and all of them when one of the base's is.
    """
    tips = [head for head in dict.fromkeys(heads) if head in parents]
    if base not in parents:
        return {}
    reached: dict[str, int] = {base: 1}
    for place, tip in enumerate(tips, start=1):
        reached[tip] = reached.get(tip, 0) | 1 << place
    incomplete = 0
    for sha in _children_first(parents):
        who = reached.get(sha, 0)
        if not who:
            continue
        for parent in parents[sha]:
            reached[parent] = reached.get(parent, 0) | who
            incomplete |= 0 if parent in parents else who
    if incomplete & 1:
        return {}
    shared = Counter(reached[sha] for sha in reached if sha in parents)
    return {
        tip: _distance(shared, 1 << place)
        for place, tip in enumerate(tips, start=1)
        if not incomplete & 1 << place
    }


def _distance(shared: Mapping[int, int], tip: int) -> Distance:
    ahead = sum(count for who, count in shared.items() if who & tip and not who & 1)
    behind = sum(count for who, count in shared.items() if who & 1 and not who & tip)
    return Distance(ahead, behind)


def _children_first(parents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every commit after all of its children."""
    waiting = Counter(parent for each in parents.values() for parent in each)
    ready = [sha for sha in parents if not waiting[sha]]
    while ready:
        sha = ready.pop()
        yield sha
        for parent in parents[sha]:
            waiting[parent] -= 1
            if not waiting[parent] and parent in parents:
                ready.append(parent)
