"""Every GraphQL query of ours is one that GitHub accepts, at the price we plan with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import FragmentDefinitionNode, get_operation_ast, parse
from sandbox.real_schema import load, validate

import trackeep
from trackeep.github.graphql import (
    COUNTS_PAGE,
    DETAIL_PAGE,
    LIST_PAGE,
    PULSE_PAGE,
    SIGNERS_PAGE,
    WantedCommit,
    WantedPage,
    WantedPull,
    counts_query,
    numbers_query,
    pages_query,
    signers_query,
)
from trackeep.github.graphql_asking import text
from trackeep.github.graphql_inventory import ISSUES, PAGES_AT_ONCE, PULLS, WantedList, inventory_query
from trackeep.sandbox.points import Price, price

# From 6,000 nodes on GitHub leaves out some of them without a word.
MOST_NODES = 4000
QUERIES = sorted((Path(trackeep.__file__).parent / "github" / "queries").glob("*.graphql"))


def holds_only_fragments(path: Path) -> bool:
    return all(isinstance(d, FragmentDefinitionNode) for d in parse(path.read_text()).definitions)


def composed() -> list[Any]:
    """The queries as they are sent: with their fragments, for one and for many, with and without teams."""
    found = []
    for teams in (True, False):
        pages = [WantedPage(f"R_{n}", LIST_PAGE // 3, "cursor") for n in range(3)]
        pulls = [WantedPull(f"R_{n % 2}", n) for n in range(1, 1 + DETAIL_PAGE)]
        found.append(pytest.param(*pages_query(pages, teams=teams), id=f"pages-{teams}"))
        found.append(pytest.param(*numbers_query(pulls, teams=teams), id=f"numbers-{teams}"))
    found.append(pytest.param(*inventory_query(lists(PAGES_AT_ONCE)), id="inventory"))
    found.append(pytest.param(*counts_query(commits(COUNTS_PAGE)), id="counts"))
    pulse = {"ids": [f"R_{n}" for n in range(PULSE_PAGE)], "releases": True}
    found.append(pytest.param(text("heartbeat"), pulse, id="heartbeat"))
    return [*found, pytest.param(*signers_query(commits(SIGNERS_PAGE)), id="signers")]


def lists(count: int) -> list[WantedList]:
    return [WantedList(f"R_{n}", ISSUES if n % 2 else PULLS, "cursor") for n in range(count)]


def commits(count: int) -> list[WantedCommit]:
    return [WantedCommit(f"R_{n % 7}", f"{n:040x}") for n in range(count)]


def priced(query: str, variables: dict[str, Any]) -> Price:
    document = parse(query)
    operation = get_operation_ast(document)
    assert operation is not None
    return price(load(), document, operation, variables)


def test_there_are_queries() -> None:
    """A moved folder must not make this file pass by finding nothing."""
    assert [path for path in QUERIES if not holds_only_fragments(path)]


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_is_valid_in_githubs_schema(path: Path) -> None:
    """With the fragments of the other files beside it, the published schema has no complaint."""
    fragments = [other for other in QUERIES if other != path and holds_only_fragments(other)]
    document = "\n".join(part.read_text(encoding="utf-8") for part in [path, *fragments])
    assert validate(document, unused_fragments=True) == []


@pytest.mark.parametrize(("query", "variables"), composed())
def test_composed_query_is_valid_and_within_the_limits(query: str, variables: dict[str, Any]) -> None:
    """Put together from fragments and aliases they are valid too, and ask for no more than comes in full."""
    assert validate(query) == []
    assert priced(query, variables).nodes <= MOST_NODES


def test_planned_prices() -> None:
    """One point: a page of the list, of details, 100 commits' people, 4,000 numbers; a heartbeat is two."""
    page = pages_query([WantedPage("R_1", LIST_PAGE)], teams=True)
    details = numbers_query([WantedPull("R_1", n) for n in range(DETAIL_PAGE)], teams=True)
    assert priced(*page).points == 1
    assert priced(*details).points == 1
    assert priced(*signers_query(commits(SIGNERS_PAGE))).points == 1
    assert priced(*inventory_query(lists(PAGES_AT_ONCE))).points == 1
    assert priced(*counts_query(commits(COUNTS_PAGE))).points == 1
    hundred = ["R"] * PULSE_PAGE
    assert priced(text("heartbeat"), {"ids": hundred}).points == 2
    daily = priced(text("heartbeat"), {"ids": hundred, "releases": True})
    assert (daily.points, daily.nodes) == (4, PULSE_PAGE * (1 + 1 + 1 + 20 + 10))
