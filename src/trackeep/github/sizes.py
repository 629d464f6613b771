"""How much GitHub manages to answer at once, by query and repository: halved at failures, then grown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# No query of ours asks for more at once.
MOST = 100


class Sizes:
    """Limits by query and repository; what is not among them has none. `as_json` is what to keep."""

    def __init__(self, known: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._known = {query: dict(limits) for query, limits in (known or {}).items()}

    def fit(self, query: str, repositories: Sequence[str]) -> int:
        """How many things, from the front, may be asked for at once; each is given by its repository."""
        limits, room = self._known.get(query, {}), len(repositories)
        for count, each in enumerate(repositories):
            room = min(room, limits.get(each, room))
            if count >= room:
                return max(1, count)
        return len(repositories)

    def too_much(self, query: str, repositories: Sequence[str]) -> None:
        """GitHub failed on these: half of them is tried next."""
        half = max(1, len(repositories) // 2)
        self._known.setdefault(query, {}).update(dict.fromkeys(repositories, half))

    def managed(self, query: str, repositories: Sequence[str]) -> None:
        """GitHub answered all of these; a limit that was used to the full becomes an eighth larger."""
        limits = self._known.get(query, {})
        for each in set(repositories):
            limit = limits.get(each, MOST)
            if len(repositories) < limit:
                continue
            limits[each] = limit + max(1, limit // 8)
            if limits[each] >= MOST:
                del limits[each]

    def as_json(self) -> dict[str, dict[str, int]]:
        return {query: dict(limits) for query, limits in self._known.items() if limits}
