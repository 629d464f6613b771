"""What is asked for histories: the price of a page, and the time zone that comes with it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_operation_ast, parse
from sandbox.real_schema import load

from trackeep.github.graphql_asking import text
from trackeep.github.graphql_history import git_time
from trackeep.sandbox.points import NODE_LIMIT, Price, price

REPOSITORY, SHA = "R_kgDO", "1" * 40


def priced(name: str, variables: dict[str, Any]) -> Price:
    document = parse(text(name))
    operation = get_operation_ast(document)
    assert operation is not None
    return price(load(), document, operation, {"id": REPOSITORY, **variables})


def test_planned_prices() -> None:
    """A hundred commits and their parents, a hundred branches and tags, a merge's parents: a point."""
    history = priced("history", {"oid": SHA, "first": 100, "after": None})
    refs = priced("refs", {"heads": True, "tags": True, "headsAfter": None, "tagsAfter": None})
    parents = priced("parents", {"oid": SHA, "after": None})
    assert (history.points, refs.points, parents.points) == (1, 1, 1)
    assert max(history.nodes, refs.nodes, parents.nodes) <= min(NODE_LIMIT, 4_000)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31T14:00:00+02:00", (1_769_860_800, 120)),
        ("2026-01-31T12:00:00Z", (1_769_860_800, 0)),
        ("2026-01-31T06:42:00-05:18", (1_769_860_800, -318)),
        ("1899-12-31T23:59:59Z", (-2_208_988_801, 0)),
        ("", (0, 0)),
        ("yesterday", (0, 0)),
    ],
)
def test_a_time_of_git_keeps_its_zone(written: str, expected: tuple[int, int]) -> None:
    """Instant and minutes east of UTC, as a commit has them; what is no time is nothing."""
    assert git_time(written) == expected
