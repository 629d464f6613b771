"""Fields that ask more of a token than the rest: GitHub refuses the whole query when a scope is missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_location,
    visit,
)

from trackeep.sandbox.oauth import Grant

_TEAM = ("read:org", "read:discussion")
_EMAIL = ("user:email", "read:user")


@dataclass(frozen=True, slots=True)
class ScopedField:
    """A field of a query, the scopes of which one is enough, and its place as line and column."""

    name: str
    scopes: tuple[str, ...]
    location: dict[str, int]


def scoped_fields(schema: GraphQLSchema, document: DocumentNode) -> list[ScopedField]:
    """The fields of a valid query that need a scope of their own, in the order of the query."""
    types = TypeInfo(schema)
    found = _Finder(types)
    visit(document, TypeInfoVisitor(types, found))
    return found.fields


def missing_scopes(fields: Iterable[ScopedField], grant: Grant) -> Iterator[tuple[ScopedField, str]]:
    """The fields that this grant does not cover, each with GitHub's sentence about it."""
    for field in fields:
        if grant.scopes.isdisjoint(field.scopes):
            needed, granted = _listed(field.scopes), _listed(grant.shown_scopes)
            yield (
                field,
                "Your token has not been granted the required scopes to execute this query. "
                f"The '{field.name}' field requires one of the following scopes: {needed}, but your token "
                f"has only been granted the: {granted} scopes. Please modify your token's scopes at: "
                "https://github.com/settings/tokens.",
            )


class _Finder(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.fields: list[ScopedField] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._types.get_parent_type()
        scopes = _needed(parent.name if parent else "", node.name.value)
        if scopes and node.loc is not None:
            at = get_location(node.loc.source, node.loc.start)
            self.fields.append(ScopedField(node.name.value, scopes, {"line": at.line, "column": at.column}))


def _needed(owner: str, field: str) -> tuple[str, ...]:
    if field.startswith("__"):
        return ()
    if owner == "Team":
        return _TEAM
    return _EMAIL if (owner, field) == ("User", "email") else ()


def _listed(scopes: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{scope}'" for scope in scopes) + "]"
