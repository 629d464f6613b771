"""A repository's refs and commits asked for by REST, which writes every time in UTC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from trackeep.errors import GitHubNoAccess
from trackeep.github import rest
from trackeep.github.history import HistoryPage, ListedRefs
from trackeep.github.parse import RestSha, decoded
from trackeep.github.transport import GitHub
from trackeep.model import Ref, Repository

T = TypeVar("T")
_HEADS, _TAGS = "refs/heads/", "refs/tags/"


@dataclass(frozen=True, slots=True)
class RestHistory:
    """The writer's time zone is lost on this way: offsets are stored as 0, which is UTC."""

    github: GitHub
    repository: Repository
    name: str = "rest"

    async def refs(self) -> ListedRefs:
        """One request for the default branch, one for each hundred branches, and where there are tags one
        for all of them and one for each hundred.

        The list of tags names commits only, the list of refs the tags themselves; a tag of a file or folder
        stands for itself.
        """
        found = await rest.repository(self.github, self.repository.full_name)
        head = _HEADS + found.repository.default_branch
        branches = [each async for each in self._branches()]
        # Without any branch the repository is empty, for which the list of refs is refused (409).
        tags = [each async for each in self._tags()] if branches else []
        names = {each.name for each in branches}
        commits = {each.commit_sha for each in branches} | {
            ref.commit_sha for ref, is_commit in tags if is_commit
        }
        refs = (*branches, *(ref for ref, _ in tags))
        return ListedRefs(head if head in names else "", refs, frozenset(commits))

    async def page(self, tip: str, after: str | None) -> HistoryPage | None:
        """One request; `after` is the next page's URL, which names `tip`."""
        try:
            found = await rest.commits(self.github, self.repository.full_name, tip, after)
        except GitHubNoAccess:
            # The same answer for a commit and for a repository that is not there.
            await rest.repository(self.github, self.repository.full_name)
            return None
        return HistoryPage(found.items, found.next_url)

    async def _branches(self) -> AsyncIterator[Ref]:
        page = await rest.branches(self.github, self.repository.full_name)
        while True:
            for each in page.items:
                yield each
            if page.next_url is None:
                return
            page = await rest.branches(self.github, self.repository.full_name, page.next_url)

    async def _tags(self) -> AsyncIterator[tuple[Ref, bool]]:
        """Each tag, and whether it leads to a commit.

        Source: https://docs.github.com/en/rest/git/refs#list-matching-references
        """
        own = await self._all("/git/matching-refs/tags", list[_GitRef])
        commits: dict[str, str] = {}
        if own:
            commits = {each.name: each.commit.sha for each in await self._all("/tags", list[_Tag])}
        for each in own:
            if each.ref.startswith(_TAGS):
                sha = each.object.sha
                commit = commits.get(each.ref.removeprefix(_TAGS))
                yield Ref(each.ref, sha, commit or sha), commit is not None

    async def _all(self, path: str, shape: type[list[T]]) -> list[T]:
        found: list[T] = []
        url: str | None = f"/repos/{self.repository.full_name}{path}"
        while url is not None:
            given = {"per_page": rest.PER_PAGE} if url.startswith("/") else None
            answer = await self.github.get(url, given)
            found += decoded(answer.body, shape)
            url = answer.next_url
        return found


class _Object(msgspec.Struct):
    sha: str


class _GitRef(msgspec.Struct):
    ref: str
    object: _Object


class _Tag(msgspec.Struct):
    name: str
    commit: RestSha
