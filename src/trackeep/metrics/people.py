"""Who carries a repository."""

from __future__ import annotations

from collections.abc import Iterable


def absence_factor(commits_by_author: Iterable[int]) -> int:
    """The smallest number of authors who made at least half of the commits; 0 when there are none.

    CHAOSS calls it contributor absence factor (https://chaoss.community/kb/metric-contributor-absence-factor/).
    """
    ordered = sorted((count for count in commits_by_author if count > 0), reverse=True)
    half, made = sum(ordered) / 2, 0
    for number, count in enumerate(ordered, start=1):
        made += count
        if made >= half:
            return number
    return 0


def is_bot(kind: str, login: str) -> bool:
    """A machine account: GitHub says so, or its login ends in [bot]."""
    return kind == "Bot" or login.endswith("[bot]")
