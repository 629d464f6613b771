"""Prices of queries, computed by hand from GitHub's documentation and from published measurements.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_operation_ast, parse
from sandbox.real_schema import load, validate

from trackeep.sandbox.points import Price, price

SIX = """id number labels(first: 100) { nodes { id } } assignees(first: 100) { nodes { id } }
 subIssues(first: 100) { nodes { id } } trackedIssues(first: 100) { nodes { id } }
 trackedInIssues(first: 100) { nodes { id } } closedByPullRequestsReferences(first: 20) { nodes { id } }"""


def priced(query: str, **variables: Any) -> Price:
    assert validate(query) == []
    document = parse(query)
    operation = get_operation_ast(document)
    assert operation is not None
    return price(load(), document, operation, variables)


def in_repository(selection: str) -> str:
    return f'{{ repository(owner: "o", name: "n") {{ {selection} }} }}'


def test_documented_score() -> None:
    """GitHub's example: 1 + 100 + 5,000 requests are 51 points."""
    labels = "labels(first: 60) { edges { node { id name } } }"
    issues = f"issues(first: 50) {{ edges {{ node {{ id {labels} }} }} }}"
    found = priced(
        f"{{ viewer {{ login repositories(first: 100) {{ edges {{ node {{ id {issues} }} }} }} }} }}"
    )
    assert (found.requests, found.points) == (5101, 51)


def test_documented_simple_node_count() -> None:
    """GitHub's first example: 50 repositories and 500 issues are 550 nodes."""
    issues = "issues(first: 10) { totalCount edges { node { title bodyHTML } } }"
    found = priced(
        f"{{ viewer {{ repositories(first: 50) {{ edges {{ repository: node {{ name {issues} }} }} }} }} }}"
    )
    assert (found.nodes, found.requests, found.points) == (550, 51, 1)


def test_documented_complex_node_count() -> None:
    """GitHub's second example: 22,060 nodes; by the formula 2,102 requests, so 21 points."""
    comments = "comments(first: 10) { edges { comment: node { bodyHTML } } }"
    pulls = f"pullRequests(first: 20) {{ edges {{ pullRequest: node {{ title {comments} }} }} }}"
    issues = f"issues(first: 20) {{ totalCount edges {{ issue: node {{ title bodyHTML {comments} }} }} }}"
    followers = "followers(first: 10) { edges { follower: node { login } } }"
    repositories = f"repositories(first: 50) {{ edges {{ repository: node {{ name {pulls} {issues} }} }} }}"
    found = priced(f"{{ viewer {{ {repositories} {followers} }} }}")
    assert (found.nodes, found.requests, found.points) == (22_060, 2102, 21)


@pytest.mark.parametrize(
    ("requests", "points"), [(0, 1), (1, 1), (100, 1), (149, 1), (150, 2), (249, 2), (250, 3)]
)
def test_rounding(requests: int, points: int) -> None:
    """To the nearest whole number, and never less than 1."""
    assert Price(requests, 0).points == points


@pytest.mark.parametrize(("page", "points"), [(49, 1), (50, 2), (100, 3)])
def test_page_of_pull_requests_with_three_connections(page: int, points: int) -> None:
    """1 + 3 x 49 = 148 requests are one point, 1 + 3 x 50 = 151 are two."""
    inner = "labels(first: 5) { nodes { name } } reviews(first: 9) { nodes { id } } "
    inner += "reviewRequests(first: 3) { nodes { id } }"
    found = priced(in_repository(f"pullRequests(first: {page}) {{ nodes {{ id {inner} }} }}"))
    assert (found.points, found.nodes) == (points, page * (1 + 5 + 9 + 3))


def test_measured_page_of_issues() -> None:
    """Measured on github.com: 100 issues with six connections cost 6 points and 52,100 nodes."""
    found = priced(in_repository(f"issues(first: 100) {{ nodes {{ {SIX} }} }}"))
    assert (found.points, found.nodes) == (6, 52_100)


def test_measured_nodes_by_id() -> None:
    """Measured: 81 ids with the same fields cost 5 points and 42,201 nodes; 100 bare ids 1 and 100."""
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Issue { %s } } }"
    found = priced(query % SIX, ids=["x"] * 81)
    assert (found.points, found.nodes) == (5, 42_201)
    assert priced(query % "id", ids=["x"] * 100) == Price(0, 100)


def test_measured_aliases() -> None:
    """Measured: 81 aliased issues cost 5 points and 42,120 nodes: single things are no nodes."""
    aliases = " ".join(f"i{n}: issue(number: {n}) {{ {SIX} }}" for n in range(1, 82))
    found = priced(in_repository(aliases))
    assert (found.points, found.nodes) == (5, 42_120)


def test_variables_and_their_defaults_set_page_sizes() -> None:
    """`$first` counts as what was sent, or as its default when nothing was."""
    query = 'query($first: Int = 20) { repository(owner: "o", name: "n") '
    query += "{ issues(first: $first) { nodes { labels(last: 10) { nodes { id } } } } } }"
    assert priced(query) == Price(1 + 20, 20 + 200)
    assert priced(query, first=60) == Price(1 + 60, 60 + 600)


def test_fragments_count_where_they_are_spread() -> None:
    """A fragment of one connection, spread under two aliases of 30 pull requests, counts 60 times."""
    fragment = "fragment F on PullRequest { labels(first: 10) { nodes { id } } }"
    both = "a: pullRequests(first: 30) { nodes { ...F } } b: pullRequests(last: 30) { nodes { ...F } }"
    assert priced(f"{in_repository(both)} {fragment}") == Price(2 + 60, 60 + 600)


def test_the_same_connection_in_one_place_counts_once() -> None:
    """Two spreads of one fragment are merged as in the answer; another alias is another connection."""
    issue = "issues(first: 10) { nodes { id } }"
    assert priced(in_repository(f"{issue} {issue}")) == Price(1, 10)
    assert priced(in_repository(f"{issue} again: {issue}")) == Price(2, 20)


def test_skipped_fields_cost_nothing() -> None:
    """`@include` and `@skip` are obeyed with the values that were sent."""
    query = "query($all: Boolean!) { viewer { repositories(first: 5) @include(if: $all) { nodes { id } } "
    query += (
        "gists(first: 5) @skip(if: $all) { nodes { id } } starredRepositories(first: 2) { totalCount } } }"
    )
    assert priced(query, all=True) == Price(2, 7)
    assert priced(query, all=False) == Price(2, 7)
    assert priced("{ viewer { login } rateLimit { cost } }") == Price(0, 0)
