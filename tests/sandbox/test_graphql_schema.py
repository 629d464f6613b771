"""The sandbox's schema is a true part of GitHub's."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    is_required_argument,
    is_required_input_field,
    print_ast,
    validate_schema,
)
from sandbox.real_schema import load, validate

from trackeep.sandbox.graphql import SCHEMA_FILE

OURS = build_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
NAMES = sorted(name for name in OURS.type_map if not name.startswith("__"))


@pytest.mark.parametrize("name", NAMES)
def test_every_type_exists_identically_in_githubs_schema(name: str) -> None:
    """Kinds, fields, arguments, defaults, enum values, members and nullability are GitHub's own."""
    ours, real = OURS.type_map[name], load().type_map[name]
    assert type(ours) is type(real)
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        assert {i.name for i in ours.interfaces} <= {i.name for i in real.interfaces}
        for field, definition in ours.fields.items():
            assert_same_field(definition, real.fields[field])
    if isinstance(ours, GraphQLInputObjectType):
        assert_same_inputs(ours.fields, real.fields)
        assert {f for f, d in real.fields.items() if is_required_input_field(d)} <= ours.fields.keys()
    if isinstance(ours, GraphQLEnumType):
        assert ours.values.keys() <= real.values.keys()
    if isinstance(ours, GraphQLUnionType):
        assert {t.name for t in ours.types} <= {t.name for t in real.types}


def assert_same_field(ours: Any, real: Any) -> None:
    assert str(ours.type) == str(real.type)
    assert (ours.deprecation_reason is None) == (real.deprecation_reason is None)
    assert_same_inputs(ours.args, real.args)
    assert {a for a, d in real.args.items() if is_required_argument(d)} <= ours.args.keys()


def assert_same_inputs(ours: dict[str, Any], real: dict[str, Any]) -> None:
    for name, definition in ours.items():
        assert str(definition.type) == str(real[name].type), name
        assert default_of(definition) == default_of(real[name]), name


def default_of(definition: Any) -> str | None:
    value = definition.ast_node.default_value
    return None if value is None else print_ast(value)


def test_schema_is_valid_by_itself() -> None:
    """What was left out leaves no hole: the part is a complete GraphQL schema."""
    assert validate_schema(OURS) == []


def test_a_query_that_github_would_refuse_is_found() -> None:
    """A misspelt field, a missing argument and broken syntax are each reported."""
    assert validate("{ viewer { login } }") == []
    assert "nope" in validate("{ viewer { nope } }")[0]
    assert "owner" in validate('{ repository(name: "x") { id } }')[0]
    assert validate("{ viewer {")
