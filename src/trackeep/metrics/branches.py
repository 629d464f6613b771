"""Which branches are forgotten, which are merged, and how far each is from the default branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STALE_AFTER_S = 90 * 86_400


def state(*, is_default: bool, is_merged: bool, committed_at: int | None, now: int) -> str:
    """default, merged, stale or active; a branch is stale after 90 days without a commit."""
    if is_default:
        return "default"
    if is_merged:
        return "merged"
    return "stale" if is_stale(is_default=is_default, committed_at=committed_at, now=now) else "active"


def is_stale(*, is_default: bool, committed_at: int | None, now: int) -> bool:
    """Not the default, and without a commit for 90 days; a branch whose commit is not known is not."""
    return not is_default and committed_at is not None and committed_at < now - STALE_AFTER_S


def is_merged(*, is_default: bool, on_default: bool, head_of_merged_pull: bool) -> bool:
    """Not the default, and its last commit is part of the default or was the head of a merged pull."""
    return not is_default and (on_default or head_of_merged_pull)


def ahead_behind(parents: Mapping[str, Sequence[str]], branch: str, default: str) -> tuple[int, int] | None:
    """Commits that only `branch` has, and that only `default` has; both are shas.

    `parents` are those of every stored commit. None where one of the two is not stored, for example because
    it has just moved.
    """
    if branch not in parents or default not in parents:
        return None
    ours, theirs = _reached(parents, branch), _reached(parents, default)
    return len(ours - theirs), len(theirs - ours)


def _reached(parents: Mapping[str, Sequence[str]], tip: str) -> set[str]:
    found, waiting = {tip}, [tip]
    while waiting:
        new = [sha for sha in parents.get(waiting.pop(), ()) if sha not in found]
        found.update(new)
        waiting += new
    return found
