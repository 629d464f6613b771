"""Who carries a repository."""

from __future__ import annotations

from collections.abc import Collection, Iterable


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


def contributors(
    authors: Iterable[int | None], co_authors: Iterable[int | None], bots: Collection[int] = ()
) -> frozenset[int]:
    """Who took part in counted commits, by GitHub's numbers; None, whom GitHub does not know, is nobody."""
    return frozenset(who for who in (*authors, *co_authors) if who is not None) - frozenset(bots)


def is_bot(kind: str, login: str, chosen: Collection[str] = ()) -> bool:
    """A machine account: GitHub says so, its login ends in [bot], or is among those `chosen` (lower case)."""
    return kind == "Bot" or login.lower().endswith("[bot]") or login.lower() in chosen
