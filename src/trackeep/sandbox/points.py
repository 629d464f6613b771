"""What a query costs by GitHub's published formula: points for the hourly budget, nodes for the size limit.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    print_ast,
)

NODE_LIMIT = 500_000
PAGE_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Price:
    """`requests` are those needed for all connections; `nodes` is the most the query may return."""

    requests: int
    nodes: int

    @property
    def points(self) -> int:
        return max(1, (self.requests + 50) // 100)


def price(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Price:
    """Prices a valid query; `variables` are the values as given, missing ones having their defaults.

    A connection is asked once for each possible parent, whether its nodes or only its total are wanted.
    Fragments count where they are spread, an alias is a connection of its own, and the same connection
    named twice in one place counts once.
    """
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    assert root is not None
    walk = _Walk(schema, fragments, {**_defaults(operation), **variables})
    return walk.price([(root, operation.selection_set.selections)], 1)


_Selected = list[tuple[GraphQLCompositeType, Sequence[SelectionNode]]]


@dataclass(frozen=True, slots=True)
class _Walk:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    def price(self, selected: _Selected, parents: int) -> Price:
        """The price of selections that are made on each of `parents` objects."""
        requests = nodes = 0
        for field_type, twins in self._merged(selected):
            asked, children = self._size(field_type, twins[0], parents)
            inner = self.price(
                [(field_type, t.selection_set.selections) for t in twins if t.selection_set], children
            )
            requests += inner.requests + (parents if _is_connection(field_type) else 0)
            nodes += inner.nodes + asked
        return Price(requests, nodes)

    def _size(self, field_type: GraphQLCompositeType, field: FieldNode, parents: int) -> tuple[int, int]:
        """Nodes that this field may return in all, and the number of parents below it."""
        if _is_connection(field_type):
            page = self._argument(field, "first")
            page = self._argument(field, "last") if page is None else page
            if not isinstance(page, int):
                return 0, parents
            asked = parents * min(max(page, 0), PAGE_LIMIT)
            return asked, asked
        ids = self._argument(field, "ids") if field.name.value == "nodes" else None
        if isinstance(ids, list | tuple):
            return parents * len(ids), parents * len(ids)
        return 0, parents

    def _merged(self, selected: _Selected) -> list[tuple[GraphQLCompositeType, list[FieldNode]]]:
        """Fields with something below them; those with one response name and the same arguments together."""
        found: dict[tuple[str, str, str], tuple[GraphQLCompositeType, list[FieldNode]]] = {}
        for parent, selections in selected:
            for owner, field in self._fields(parent, selections):
                field_type = self._type_of(owner, field)
                if field_type is not None:
                    arguments = ",".join(sorted(print_ast(a) for a in field.arguments or ()))
                    key = (field.alias.value if field.alias else "", field.name.value, arguments)
                    found.setdefault(key, (field_type, []))[1].append(field)
        return list(found.values())

    def _fields(
        self, parent: GraphQLCompositeType, selections: Sequence[SelectionNode]
    ) -> Iterator[tuple[GraphQLCompositeType, FieldNode]]:
        for selection in selections:
            if not self._is_wanted(selection):
                continue
            if isinstance(selection, FieldNode):
                yield parent, selection
                continue
            fragment: InlineFragmentNode | FragmentDefinitionNode
            if isinstance(selection, FragmentSpreadNode):
                fragment = self.fragments[selection.name.value]
            else:
                assert isinstance(selection, InlineFragmentNode)
                fragment = selection
            condition = fragment.type_condition
            inner = self.schema.type_map[condition.name.value] if condition else parent
            assert is_composite_type(inner)
            yield from self._fields(inner, fragment.selection_set.selections)

    def _type_of(self, owner: GraphQLCompositeType, field: FieldNode) -> GraphQLCompositeType | None:
        definition = getattr(owner, "fields", {}).get(field.name.value)
        named = get_named_type(definition.type) if definition else None
        return named if is_composite_type(named) else None

    def _is_wanted(self, selection: SelectionNode) -> bool:
        for directive in selection.directives or ():
            name = directive.name.value
            if name in ("include", "skip") and directive.arguments:
                return bool(self._value(directive.arguments[0].value)) is (name == "include")
        return True

    def _argument(self, field: FieldNode, name: str) -> Any:
        return next((self._value(a.value) for a in field.arguments or () if a.name.value == name), None)

    def _value(self, node: ValueNode) -> Any:
        if isinstance(node, VariableNode):
            return self.variables.get(node.name.value)
        return _literal(node)


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    definitions = operation.variable_definitions or ()
    return {d.variable.name.value: _literal(d.default_value) for d in definitions if d.default_value}


def _literal(node: ValueNode) -> Any:
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, BooleanValueNode):
        return node.value
    return list(node.values) if isinstance(node, ListValueNode) else None


def _is_connection(field_type: GraphQLCompositeType) -> bool:
    return isinstance(field_type, GraphQLObjectType) and field_type.name.endswith("Connection")
