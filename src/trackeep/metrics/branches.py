"""Which branches are forgotten."""

from __future__ import annotations

STALE_AFTER_S = 90 * 86_400


def state(*, is_default: bool, is_merged: bool, committed_at: int | None, now: int) -> str:
    """default, merged, stale or active; a branch is stale after 90 days without a commit."""
    if is_default:
        return "default"
    if is_merged:
        return "merged"
    return "stale" if committed_at is not None and committed_at < now - STALE_AFTER_S else "active"
