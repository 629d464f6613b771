"""A repository's refs and commits asked for by GraphQL, which keeps the writer's own time zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from trackeep.errors import GitHubNoAccess, GitHubUnavailable
from trackeep.github.gitobjects import co_authors_of, plain_message, plain_signature
from trackeep.github.graphql_asking import TooMuch, ask, ask_again, text
from trackeep.github.history import HistoryPage, ListedRefs
from trackeep.github.parse import decoded
from trackeep.github.parse_graphql import Camel
from trackeep.github.sizes import MOST
from trackeep.github.transport import GitHub
from trackeep.model import Commit, Ref, Repository, Signature

T = TypeVar("T")
_HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class GraphqlHistory:
    github: GitHub
    repository: Repository
    name: str = "graphql"

    async def refs(self) -> ListedRefs:
        """One point for each hundred branches or tags, whichever are more."""
        found: dict[str, _Target] = {}
        after: dict[str, str | None] = {"heads": None, "tags": None}
        head = ""
        while after:
            page = await self._refs_page(after)
            head = f"{_HEADS}{page.default_branch_ref.name}" if page.default_branch_ref else ""
            for name, connection in list(page.connections(after)):
                prefix = f"refs/{name}/"
                found |= {prefix + each.name: each.target for each in connection.nodes if each.target}
                after[name] = connection.page_info.end_cursor
                if not connection.page_info.has_next_page:
                    del after[name]
                    _check_count(connection, [each for each in found if each.startswith(prefix)])
        refs = tuple(Ref(name, target.oid, target.last.oid) for name, target in found.items())
        commits = frozenset(each.last.oid for each in found.values() if each.last.typename == "Commit")
        return ListedRefs(head if head in found else "", refs, commits)

    async def page(self, tip: str, after: str | None) -> HistoryPage | None:
        """One point for up to a hundred commits, fewer where GitHub does not manage as many."""
        places = [self.repository.node_id] * MOST
        first = self.github.sizes.fit("history", places)
        variables = {"id": self.repository.node_id, "oid": tip, "first": first, "after": after}
        try:
            node = await self._node("history", variables, _Historic, again=first == 1)
        except TooMuch:
            if first == 1:
                raise
            self.github.sizes.too_much("history", places[:first])
            return await self.page(tip, after)
        self.github.sizes.managed("history", places[:first])
        if node.object is None or node.object.history is None:
            return None
        history = node.object.history
        commits = [await self._whole(each) for each in history.nodes if each is not None]
        after = history.page_info.end_cursor if history.page_info.has_next_page else None
        return HistoryPage(tuple(commits), after)

    async def _refs_page(self, after: Mapping[str, str | None]) -> _Referring:
        variables: dict[str, Any] = {"id": self.repository.node_id}
        for name in ("heads", "tags"):
            variables |= {name: name in after, f"{name}After": after.get(name)}
        return await self._node("refs", variables, _Referring)

    async def _whole(self, node: _CommitNode) -> Commit:
        """With every parent, also those that a page of history has no room for."""
        commit = node.noun()
        if len(commit.parents) == node.parents.total_count:
            return commit
        parents: list[str] = []
        after: str | None = None
        while True:
            variables = {"id": self.repository.node_id, "oid": node.oid, "after": after}
            found = (await self._node("parents", variables, _Descended)).object
            if found is None:
                break
            parents += [each.oid for each in found.parents.nodes if each is not None]
            after = found.parents.page_info.end_cursor
            if not found.parents.page_info.has_next_page:
                break
        if len(parents) != node.parents.total_count:
            raise GitHubUnavailable("GitHub left out parents of a commit.", "It is asked again later.")
        return replace(commit, parents=tuple(parents))

    async def _node(
        self, name: str, variables: Mapping[str, Any], shape: type[T], *, again: bool = True
    ) -> T:
        result = await (ask_again if again else ask)(self.github, text(name), variables)
        if "node" not in result.data:
            raise GitHubNoAccess(f"GitHub shows nothing of {self.repository.full_name} to this token.")
        return decoded(result.data["node"], shape)


class _PageInfo(Camel):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Target(Camel):
    oid: str
    typename: str = msgspec.field(name="__typename", default="Commit")
    target: _Target | None = None

    @property
    def last(self) -> _Target:
        """What is left when every tag around it was opened."""
        return self.target.last if self.target else self


class _RefNode(Camel):
    name: str
    target: _Target | None = None


class _RefPage(Camel):
    total_count: int
    nodes: list[_RefNode]
    page_info: _PageInfo


class _Name(Camel):
    name: str


class _Referring(Camel):
    default_branch_ref: _Name | None = None
    heads: _RefPage | None = None
    tags: _RefPage | None = None

    def connections(self, wanted: Iterable[str]) -> Iterator[tuple[str, _RefPage]]:
        """Raises GitHubNoAccess for a list that was asked for and is not shown."""
        for name in wanted:
            connection = self.heads if name == "heads" else self.tags
            if connection is None:
                raise GitHubNoAccess("GitHub shows no branches and tags of this repository to this token.")
            yield name, connection


class _Oid(Camel):
    oid: str


class _Parents(Camel):
    nodes: list[_Oid | None]
    total_count: int
    page_info: _PageInfo = msgspec.field(default_factory=_PageInfo)


class _Descendant(Camel):
    parents: _Parents


class _Descended(Camel):
    object: _Descendant | None = None


class _Actor(Camel):
    name: str | None = None
    email: str | None = None
    date: str | None = None

    def noun(self) -> Signature:
        return plain_signature(self.name or "", self.email or "", *git_time(self.date or ""))


class _CommitNode(Camel):
    oid: str
    message: str
    parents: _Parents
    author: _Actor | None = None
    committer: _Actor | None = None
    signature: dict[str, object] | None = None

    def noun(self) -> Commit:
        message = plain_message(self.message)
        return Commit(
            sha=self.oid,
            parents=tuple(each.oid for each in self.parents.nodes if each is not None),
            author=(self.author or _Actor()).noun(),
            committer=(self.committer or _Actor()).noun(),
            message=message,
            signed=self.signature is not None,
            co_authors=co_authors_of(message),
        )


class _HistoryPage(Camel):
    nodes: list[_CommitNode | None]
    page_info: _PageInfo


class _Ancestral(Camel):
    history: _HistoryPage | None = None


class _Historic(Camel):
    object: _Ancestral | None = None


def _check_count(connection: _RefPage, names: Sequence[str]) -> None:
    """A ref that GitHub left out must not pass for a deleted one."""
    if len(names) < connection.total_count:
        raise GitHubUnavailable(
            f"GitHub listed {len(names)} of {connection.total_count} refs.", "They are listed again later."
        )


def git_time(written: str) -> tuple[int, int]:
    """Unix seconds and minutes east of UTC of a GitTimestamp, which keeps the writer's zone; else zeros.

    Source: https://docs.github.com/en/graphql/reference/scalars#gittimestamp
    """
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return 0, 0
    offset = moment.utcoffset() or timedelta()
    return int(moment.timestamp()), int(offset.total_seconds() / 60)
