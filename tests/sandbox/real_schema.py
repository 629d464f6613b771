"""GitHub's published GraphQL schema, to check queries and the sandbox's own schema against."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from graphql import (
    GraphQLError,
    GraphQLSchema,
    NoUnusedFragmentsRule,
    build_ast_schema,
    parse,
    specified_rules,
)
from graphql import validate as validate_document

VENDORED = Path(__file__).parents[1] / "vendor" / "octokit-graphql-schema-15.26.1" / "schema.graphql.gz"


@functools.cache
def load() -> GraphQLSchema:
    """The whole schema; reading it takes about half a second, once."""
    text = gzip.decompress(VENDORED.read_bytes()).decode()
    return build_ast_schema(parse(text, no_location=True), assume_valid=True)


def validate(query: str, *, unused_fragments: bool = False) -> list[str]:
    """What GitHub would refuse about a query before executing it; empty when it is valid.

    `unused_fragments` lets pass a document that holds fragments for others to use.
    """
    try:
        document = parse(query)
    except GraphQLError as error:
        return [str(error)]
    rules = [r for r in specified_rules if not (unused_fragments and r is NoUnusedFragmentsRule)]
    return [str(error) for error in validate_document(load(), document, rules)]
