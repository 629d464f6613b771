"""Asks GraphQL which pull requests and issues there are and when each changed last, a hundred a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from trackeep.github.graphql_asking import Result, halving
from trackeep.github.parse import decoded
from trackeep.github.transport import GitHub

PULLS, ISSUES = "pullRequests", "issues"
PAGE = 100
# Forty pages of a hundred are the 4,000 nodes that GitHub still answers whole, for one point.
PAGES_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class WantedList:
    """The next page of one repository's pull requests or issues (`kind`), oldest first, after a cursor.

    GraphQL finds the repository by `node_id`, REST by its name; the cursor of REST is the page's URL.
    """

    node_id: str
    kind: str
    after: str | None = None
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Number to the time of its last change (unix seconds); `after` is None on the last page."""

    updated: dict[int, int]
    total: int
    after: str | None


class _Info(msgspec.Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Item(msgspec.Struct, rename="camel"):
    number: int
    updated_at: datetime


class _List(msgspec.Struct, rename="camel"):
    total_count: int
    page_info: _Info
    nodes: list[_Item | None]


async def inventory(github: GitHub, wanted: Sequence[WantedList]) -> dict[tuple[str, str], Listed]:
    """One page of each of these at most PAGES_AT_ONCE lists, by (node id, kind); what is gone is missing.

    By creation, so that what changes meanwhile does not move to another page.
    """
    found: dict[tuple[str, str], Listed] = {}
    for result in await halving(github, list(wanted), inventory_query, _is_cut):
        found |= _listed(result)
    return found


def inventory_query(wanted: Sequence[WantedList]) -> tuple[str, dict[str, Any]]:
    """The query for one page of each list, and its variables."""
    declared, parts = [], []
    variables: dict[str, Any] = {}
    for index, each in enumerate(wanted):
        declared.append(f"$id{index}: ID!, $after{index}: String")
        variables |= {f"id{index}": each.node_id, f"after{index}": each.after}
        order = "orderBy: {field: CREATED_AT, direction: ASC}"
        parts.append(
            f"{each.kind}{index}: node(id: $id{index}) {{ ... on Repository {{ id "
            f"list: {each.kind}(first: {PAGE}, after: $after{index}, {order}) "
            "{ totalCount pageInfo { hasNextPage endCursor } nodes { number updatedAt } } } }"
        )
    body = "\n  ".join(["rateLimit { cost limit remaining resetAt }", *parts])
    return f"query Inventory({', '.join(declared)}) {{\n  {body}\n}}\n", variables


def _is_cut(result: Result, asked: Sequence[WantedList]) -> bool:
    """Whether a list is shorter than its total or its next page say: GitHub leaves out without a word."""
    begins = {(each.node_id, each.kind) for each in asked if each.after is None}
    for key, page in _pages(result):
        due = page.total_count if key in begins or page.page_info.has_next_page else 0
        if len(page.nodes) < min(PAGE, due):
            return True
    return False


def _listed(result: Result) -> dict[tuple[str, str], Listed]:
    found = {}
    for key, page in _pages(result):
        updated = {each.number: int(each.updated_at.timestamp()) for each in page.nodes if each is not None}
        after = page.page_info.end_cursor if page.page_info.has_next_page else None
        found[key] = Listed(updated, page.total_count, after)
    return found


def _pages(result: Result) -> Iterator[tuple[tuple[str, str], _List]]:
    for name, raw in result.data.items():
        if name != "rateLimit":
            fields = decoded(raw, dict[str, msgspec.Raw])
            # Null where this token may see the repository, but not the list.
            if bytes(fields["list"]) != b"null":
                yield (decoded(fields["id"], str), name.rstrip("0123456789")), decoded(fields["list"], _List)
