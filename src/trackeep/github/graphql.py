"""The questions that GitHub's GraphQL API answers, asked in pages small enough for its ten-second clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from trackeep.github import parse_graphql as shapes
from trackeep.github.graphql_asking import (
    CUT,
    Result,
    TooMuch,
    aliased,
    ask,
    ask_again,
    fitting,
    halving,
    is_withheld,
    text,
)
from trackeep.github.parse import decoded
from trackeep.github.parse_graphql import ParsedPull, Pulse
from trackeep.github.transport import GitHub
from trackeep.model import UNKNOWN_CHECKS, LineCounts, Person

# With k connections below each node a page of floor(148 / k) nodes costs one point
# (https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
LIST_PAGE = 148 // 3
DETAIL_PAGE = 148 // 7
PULSE_PAGE = 100
SIGNERS_PAGE = 100
# A difference is real work for GitHub, so that a point buys fewer of them.
COUNTS_PAGE = 50
_TEAM = "... on Team { combinedSlug }"


@dataclass(frozen=True, slots=True)
class WantedPage:
    """The next `first` pull requests of a repository, last changed first, after a cursor.

    `left` are those that must be there from here on, as far as is known.
    """

    node_id: str
    first: int
    after: str | None = None
    left: int = 0


@dataclass(frozen=True, slots=True)
class PullPage:
    """`first` is how many GitHub could be asked for at once; `after` is None on the last page."""

    node_id: str
    pulls: tuple[ParsedPull, ...]
    total: int
    after: str | None
    first: int
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class WantedPull:
    node_id: str
    number: int


@dataclass(frozen=True, slots=True)
class WantedCommit:
    """GraphQL finds the repository by `node_id`, REST by its name."""

    node_id: str
    sha: str
    full_name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Signers:
    """The accounts that GitHub takes a commit's author and committer for; None where it knows nobody."""

    author: Person | None
    committer: Person | None


@dataclass(frozen=True, slots=True)
class CountsPage:
    """Line counts of `asked`, the first of what was wanted, as many as GitHub managed at once.

    A commit that it does not know is missing in `counts`; `shown` are the repositories that it shows.
    """

    asked: tuple[WantedCommit, ...]
    counts: Mapping[WantedCommit, LineCounts]
    shown: frozenset[str]


async def pulse(github: GitHub, node_ids: Sequence[str], *, releases: bool = False) -> dict[str, Pulse]:
    """What moved in these repositories, by node id, on request with their newest 20 releases and languages.

    A repository without access is missing.
    """

    def request(ids: Sequence[str]) -> tuple[str, dict[str, Any]]:
        return text("heartbeat"), {"ids": list(ids), "releases": releases}

    found: dict[str, Pulse] = {}
    for start in range(0, len(node_ids), PULSE_PAGE):
        for part in await halving(github, list(node_ids[start : start + PULSE_PAGE]), request, _is_pulse_cut):
            nodes = decoded(part.data["nodes"], list[shapes.PulseNode | None])
            found |= {node.id: node.noun() for node in nodes if node is not None and node.id}
    return found


async def pull_pages(github: GitHub, wanted: Sequence[WantedPage], *, teams: bool) -> list[PullPage]:
    """One page of each repository in one query; one that has no access is missing from the answer.

    `teams`: the token may read team names (scope read:org).
    """
    is_least = len(wanted) == 1 and wanted[0].first == 1
    try:
        result = await (ask_again if is_least else ask)(github, *pages_query(wanted, teams=teams))
        pages = [
            _pull_page(each, result.data[f"r{index}"])
            for index, each in enumerate(wanted)
            if f"r{index}" in result.data
        ]
        if any(page.is_cut for page in pages) and not is_least:
            raise TooMuch(*CUT)
    except TooMuch:
        if is_least:
            raise
        return await _smaller_pages(github, wanted, teams)
    return pages


async def pulls_by_number(
    github: GitHub, wanted: Sequence[WantedPull], *, teams: bool
) -> dict[WantedPull, ParsedPull]:
    """These pull requests with their details; one that is gone is missing."""
    found: dict[WantedPull, ParsedPull] = {}
    for start in range(0, len(wanted), DETAIL_PAGE):
        some = list(wanted[start : start + DETAIL_PAGE])

        def request(part: Sequence[WantedPull]) -> tuple[str, dict[str, Any]]:
            return numbers_query(part, teams=teams)

        for result in await halving(github, some, request, _is_numbers_cut):
            found |= _numbered(result)
    return found


async def signers(github: GitHub, wanted: Sequence[WantedCommit]) -> dict[WantedCommit, Signers]:
    """Who these commits are by, one point a hundred; commits that GitHub does not show are missing."""
    found: dict[WantedCommit, Signers] = {}
    for start in range(0, len(wanted), SIGNERS_PAGE):
        some = list(wanted[start : start + SIGNERS_PAGE])
        for result in await halving(github, some, signers_query):
            found |= _signed(result)
    return found


async def line_counts(github: GitHub, wanted: Sequence[WantedCommit]) -> CountsPage:
    """What these commits added and deleted, for a point. Raises TooMuch when GitHub fails on the first."""
    count, result = await fitting(github, wanted[:COUNTS_PAGE], counts_query)
    shown = {decoded(raw, shapes.Shown).id for name, raw in result.data.items() if name != "rateLimit"}
    return CountsPage(tuple(wanted[:count]), _counted(result), frozenset(shown))


# ---- the texts ----------------------------------------------------------------------------------


def pages_query(wanted: Sequence[WantedPage], *, teams: bool) -> tuple[str, dict[str, Any]]:
    """The query for one page of each repository, and its variables."""
    parts, declared = [], []
    variables: dict[str, Any] = {}
    for index, each in enumerate(wanted):
        declared.append(f"$id{index}: ID!, $first{index}: Int!, $after{index}: String")
        variables |= {f"id{index}": each.node_id, f"first{index}": each.first, f"after{index}": each.after}
        order = "orderBy: {field: UPDATED_AT, direction: DESC}"
        parts.append(
            f"r{index}: node(id: $id{index}) {{ ... on Repository {{ id "
            f"pullRequests(first: $first{index}, after: $after{index}, {order}) "
            "{ totalCount pageInfo { hasNextPage endCursor } nodes { ...PullFields } } } }"
        )
    return _document("PullPages", declared, parts, ("pull_fields",), teams), variables


def numbers_query(wanted: Sequence[WantedPull], *, teams: bool) -> tuple[str, dict[str, Any]]:
    """The query for pull requests by number, with details, grouped by repository, and its variables."""
    numbers: dict[str, list[int]] = {}
    for each in wanted:
        numbers.setdefault(each.node_id, []).append(each.number)
    parts, declared = [], []
    for index, those in enumerate(numbers.values()):
        declared.append(f"$id{index}: ID!")
        pulls = " ".join(
            f"p{number}: pullRequest(number: {number}) {{ ...PullFields ...PullDetail }}" for number in those
        )
        parts.append(f"r{index}: node(id: $id{index}) {{ ... on Repository {{ id {pulls} }} }}")
    variables = {f"id{index}": node_id for index, node_id in enumerate(numbers)}
    return _document("PullsByNumber", declared, parts, ("pull_fields", "pull_detail"), teams), variables


def signers_query(wanted: Sequence[WantedCommit]) -> tuple[str, dict[str, Any]]:
    """The query for who signed these commits, grouped by repository, and its variables."""
    return _commits_query("WhoIsWho", wanted, "signers", "Signers")


def counts_query(wanted: Sequence[WantedCommit]) -> tuple[str, dict[str, Any]]:
    """The query for how many lines these commits changed, grouped by repository, and its variables."""
    return _commits_query("HowManyLines", wanted, "line_counts", "LineCounts")


def _commits_query(
    name: str, wanted: Sequence[WantedCommit], file: str, fragment: str
) -> tuple[str, dict[str, Any]]:
    shas: dict[str, list[str]] = {}
    for each in wanted:
        shas.setdefault(each.node_id, []).append(each.sha)
    parts, declared = [], []
    for index, those in enumerate(shas.values()):
        declared.append(f"$id{index}: ID!")
        # Nothing but 40 hexadecimal digits is a sha of ours, so it may stand in the text.
        objects = " ".join(f'c{sha}: object(oid: "{sha}") {{ ...{fragment} }}' for sha in those)
        parts.append(f"r{index}: node(id: $id{index}) {{ ... on Repository {{ id {objects} }} }}")
    variables = {f"id{index}": node_id for index, node_id in enumerate(shas)}
    return _document(name, declared, parts, (file,), teams=True), variables


def _document(
    name: str, declared: Sequence[str], parts: Sequence[str], fragments: Sequence[str], teams: bool
) -> str:
    body = "\n  ".join(["rateLimit { cost limit remaining resetAt }", *parts])
    document = f"query {name}({', '.join(declared)}) {{\n  {body}\n}}\n" + "".join(map(text, fragments))
    # Without read:org GitHub refuses the whole query because of this one field.
    return document if teams else document.replace(_TEAM, "")


# ---- the answers --------------------------------------------------------------------------------


async def _smaller_pages(github: GitHub, wanted: Sequence[WantedPage], teams: bool) -> list[PullPage]:
    if len(wanted) == 1:
        half = replace(wanted[0], first=wanted[0].first // 2)
        return await pull_pages(github, [half], teams=teams)
    middle = len(wanted) // 2
    left = await pull_pages(github, wanted[:middle], teams=teams)
    return left + await pull_pages(github, wanted[middle:], teams=teams)


def _pull_page(wanted: WantedPage, raw: msgspec.Raw) -> PullPage:
    connection = decoded(raw, shapes.PulledRepository).pull_requests
    parsed = tuple(node.parsed() for node in connection.nodes if node is not None)
    info, total = connection.page_info, connection.total_count
    after = info.end_cursor if info.has_next_page else None
    due = wanted.first if info.has_next_page else wanted.left if wanted.after else total
    is_cut = len(connection.nodes) < min(due, wanted.first) or any(each.short for each in parsed)
    return PullPage(wanted.node_id, parsed, total, after, wanted.first, is_cut)


def _is_numbers_cut(result: Result, asked: Sequence[WantedPull]) -> bool:
    return any(each.short for each in _numbered(result).values())


def _is_pulse_cut(result: Result, asked: Sequence[str]) -> bool:
    nodes = decoded(result.data["nodes"], list[shapes.PulseNode | None])
    return len(nodes) < len(asked) or any(node.is_short for node in nodes if node is not None)


def _numbered(result: Result) -> dict[WantedPull, ParsedPull]:
    found = {}
    for node_id, number, inner in aliased(result, "p"):
        pull = decoded(inner, shapes.PullNode).parsed()
        if is_withheld(result, node_id, f"p{number}", "statusCheckRollup"):
            pull = replace(pull, pull=replace(pull.pull, checks=UNKNOWN_CHECKS))
        found[WantedPull(node_id, pull.pull.number)] = pull
    return found


def _signed(result: Result) -> dict[WantedCommit, Signers]:
    return {
        WantedCommit(node_id, sha): Signers(*decoded(inner, shapes.SignedNode).people())
        for node_id, sha, inner in aliased(result, "c")
    }


def _counted(result: Result) -> dict[WantedCommit, LineCounts]:
    found = {}
    for node_id, sha, inner in aliased(result, "c"):
        counts = decoded(inner, shapes.CountedNode).noun()
        if counts is not None:
            found[WantedCommit(node_id, sha)] = counts
    return found
