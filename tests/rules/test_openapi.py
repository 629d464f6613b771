"""The description of the service and its routes are one and the same list."""

import json
import re

from jsonschema import Draft202012Validator
from starlette.routing import Route

from trackeep.broker.app import ROUTES
from trackeep.broker.openapi import PATHS, SCHEMAS, document

METHODS = {"get", "post", "put", "patch", "delete", "options"}


def test_every_route_is_described_and_nothing_else() -> None:
    """Path by path and method by method; HEAD comes with GET."""
    routed = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in ROUTES
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, item in PATHS.items() for method in item if method in METHODS}
    assert described == routed


def test_every_schema_that_is_named_exists() -> None:
    """And each of them is one, and is used."""
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document("https://a.example"))))
    assert named == set(SCHEMAS)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
