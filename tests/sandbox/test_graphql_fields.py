"""Every field of the sandbox's schema answers: nothing is declared that nobody resolves."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from programs import Program
from sandbox.graphql_client import Client
from sandbox.real_schema import validate

from trackeep.sandbox.graphql import SCHEMA_FILE

pytestmark = pytest.mark.anyio

SCHEMA = build_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
ARGUMENTS = {
    "expression": '"HEAD"',
    "number": "1",
    "qualifiedName": '"main"',
    "refPrefix": '"refs/"',
    "tagName": '"v0.1.0"',
}
ROOTS = {
    "Repository": 'repository(owner: "fernhill", name: "atlas")',
    "User": "viewer",
    "Organization": 'organization(login: "fernhill")',
    "SearchResultItemConnection": 'search(type: ISSUE, query: "is:pr", first: 2)',
    "RateLimit": "rateLimit",
}


def selection(kind: Any, depth: int) -> str:
    """Every field of a type, each under an alias of its own, `depth` levels of objects deep."""
    if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
        members = sorted(SCHEMA.get_possible_types(kind), key=lambda member: member.name)
        return " ".join(f"... on {m.name} {{ {selection(m, depth)} }}" for m in members)
    assert isinstance(kind, GraphQLObjectType)
    asked = (asking(kind.name, name, field, depth) for name, field in kind.fields.items())
    return "__typename " + " ".join(part for part in asked if part)


def asking(owner: str, name: str, field: GraphQLField, depth: int) -> str:
    below = get_named_type(field.type)
    given = {a: ARGUMENTS[a] for a in field.args if a in ARGUMENTS}
    missing = [a for a, d in field.args.items() if is_required_argument(d) and a not in given]
    if owner.endswith("Connection") and name == "edges":
        return "edges { cursor node { __typename } }"
    is_page = owner.endswith("Connection") and name == "nodes"
    if missing or (not is_leaf_type(below) and depth == 0):
        return ""
    if below.name.endswith("Connection"):
        given["first"] = "2"
    arguments = f"({', '.join(f'{a}: {v}' for a, v in given.items())})" if given else ""
    inner = "" if is_leaf_type(below) else f" {{ {selection(below, depth if is_page else depth - 1)} }}"
    return f"{owner}_{name}: {name}{arguments}{inner}"


@pytest.mark.parametrize("name", ROOTS)
async def test_every_field_below_answers(sandbox: Program, name: str) -> None:
    """Asked with everything two objects deep, each root gives data; only a number may not exist somewhere."""
    query = f"{{ {ROOTS[name]} {{ {selection(SCHEMA.type_map[name], 2)} }} }}"
    assert validate(query) == []
    async with aiohttp.ClientSession() as http:
        answer = await Client(http, sandbox.url).ask(query)
    assert answer.status == 200, answer.body
    assert answer.body["data"]
    assert set(answer.error_types) <= {"NOT_FOUND"}
