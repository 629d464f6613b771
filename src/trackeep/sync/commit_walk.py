"""Decides how a history is walked by the graph: which commit is asked for next, and what a page adds.

A walk is through when every commit that it has heard of is stored with all of its ancestors. It never looks
at dates and does not stop at the first known commit: a branch merged late is known on one path only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trackeep.github.history import HistoryPage
from trackeep.model import Commit


@dataclass(frozen=True, slots=True)
class Walk:
    """`open` are commits known by name only, the next to be asked for in front.

    `tip` and `after` say whose history is being read and from where; without `after` the walk starts a new
    one.
    """

    open: tuple[str, ...] = ()
    tip: str = ""
    after: str | None = None

    @property
    def is_through(self) -> bool:
        return not self.open

    @property
    def question(self) -> tuple[str, str | None]:
        """Whose history to ask for, and after what."""
        return (self.tip, self.after) if self.after else (self.open[0], None)


def with_tips(walk: Walk, tips: Iterable[str], met: Collection[str]) -> Walk:
    """The walk with these tips too; `met` are commits at which it need not look any more."""
    return replace(walk, open=tuple(sha for sha in dict.fromkeys([*walk.open, *tips]) if sha not in met))


def named(page: HistoryPage) -> set[str]:
    """Every commit that the page has or has a child of."""
    return {each.sha for each in page.commits}.union(*(each.parents for each in page.commits))


def stepped(walk: Walk, page: HistoryPage, met: Collection[str]) -> tuple[Walk, list[Commit]]:
    """The walk behind `page`, the answer to its question, and the commits of it that are new.

    `met`: which of the `named` commits it need not look at. As long as half of what comes is new the same
    history is read on; else what is still open is asked for itself, so that nothing known is read through.
    """
    fresh = [each for each in page.commits if each.sha not in met]
    listed = {each.sha for each in page.commits}
    parents = [sha for each in fresh for sha in each.parents]
    still = [sha for sha in dict.fromkeys([*walk.open, *parents]) if sha not in listed and sha not in met]
    tip, _ = walk.question
    goes_on = page.after is not None and bool(fresh) and 2 * len(fresh) >= len(page.commits)
    return Walk(tuple(still), tip, page.after if goes_on else None), fresh


def written(walk: Walk, source: str) -> dict[str, Any]:
    """The walk as part of a cursor's position; `source` is who understands `after`."""
    return {"open": list(walk.open), "tip": walk.tip, "after": walk.after, "source": source}


def read(position: Mapping[str, Any], source: str) -> Walk | None:
    """The walk that a position holds; what another source has begun goes on at the commits that are open."""
    kept = position.get("walk")
    if kept is None:
        return None
    if kept["source"] != source:
        return Walk(tuple(kept["open"]))
    return Walk(tuple(kept["open"]), kept["tip"], kept["after"])
