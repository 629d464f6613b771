"""What GitHub's API tells of a repository's history, by whichever of its two ways it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trackeep.model import Commit, Ref


@dataclass(frozen=True, slots=True)
class ListedRefs:
    """Every branch and tag; `head` is the default branch's full name, "" when there is no such branch.

    `commits` are those shas that refs lead to which are commits: a tag may lead to a file or folder.
    """

    head: str
    refs: tuple[Ref, ...]
    commits: frozenset[str]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Commits that one commit reaches, last committed first; `after` asks for more, None at the end."""

    commits: tuple[Commit, ...]
    after: str | None


class History(Protocol):
    """One repository's history at GitHub; raises what GitHub.get or graphql_asking.ask raise."""

    @property
    def name(self) -> str:
        """By which way it is asked for: graphql or rest."""

    async def refs(self) -> ListedRefs:
        """Every branch and tag as they are now."""

    async def page(self, tip: str, after: str | None) -> HistoryPage | None:
        """The next commits that `tip` reaches, itself the first of all; None when GitHub does not have it."""
