"""Every GraphQL query of ours is one that GitHub accepts."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import FragmentDefinitionNode, parse
from sandbox.real_schema import validate

import trackeep

QUERIES = sorted((Path(trackeep.__file__).parent / "github" / "queries").glob("*.graphql"))


def holds_only_fragments(path: Path) -> bool:
    return all(isinstance(d, FragmentDefinitionNode) for d in parse(path.read_text()).definitions)


def test_there_are_queries() -> None:
    """A moved folder must not make this file pass by finding nothing."""
    assert [path for path in QUERIES if not holds_only_fragments(path)]


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_is_valid_in_githubs_schema(path: Path) -> None:
    """With the fragments of the other files beside it, the published schema has no complaint."""
    fragments = [other for other in QUERIES if other != path and holds_only_fragments(other)]
    document = "\n".join(part.read_text(encoding="utf-8") for part in [path, *fragments])
    assert validate(document, unused_fragments=True) == []
