"""The documentation page of the JSON API, made from its own description; it needs no script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance.api import schema
from trackeep.instance.api.problem_types import TYPES
from trackeep.instance.api.schema import TOKEN
from trackeep.instance.frame import show
from trackeep.instance.site import site_of
from trackeep.store.api_tokens import SCOPES

Part = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6


@dataclass(frozen=True)
class Parameter:
    """One part of a request; `kind` says in words what it may be."""

    name: str
    place: str
    kind: str
    usual: str
    is_needed: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method at one address, as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: tuple[Parameter, ...]
    status: str
    example: str
    curl: str


async def page(request: Request) -> Response:
    """GET /api/docs"""
    document = schema.document_for(request)
    return show(
        request,
        "api_docs.html",
        "settings",
        groups=groups(document),
        about=document["info"]["description"],
        base_url=site_of(request).settings.base_url,
        schema_path=schema.PATH,
        api_path=schema.API_PATH,
        scopes=SCOPES,
        problems=TYPES,
    )


def groups(document: Part) -> dict[str, list[Operation]]:
    """Every operation of the description, by its tag, in their order."""
    found: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                described = _operation(document, path, method)
                found.setdefault(item[method]["tags"][0], []).append(described)
    return found


def _operation(document: Part, path: str, method: str) -> Operation:
    operation = document["paths"][path][method]
    status = next(iter(operation["responses"]))
    body = _body_schema(operation, document)
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        scope=operation["security"][0][TOKEN][0],
        parameters=(*map(_parameter, operation.get("parameters", ())), *_fields(body)),
        status=status,
        example=_example(operation["responses"][status], document),
        curl=_curl(document, path, method, body),
    )


def _parameter(given: Part) -> Parameter:
    schema = given["schema"]
    return Parameter(
        name=given["name"],
        place=given["in"],
        kind=_kind(schema),
        usual=_written(schema.get("default")),
        is_needed=given.get("required", False),
        description=given.get("description", ""),
    )


def _fields(body: Part) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(name, "body", _kind(schema), "", name in body["required"], schema.get("description", ""))
        for name, schema in body.get("properties", {}).items()
    )


def _kind(schema: Part) -> str:
    """text, date, true or false, a choice, a number with its bounds."""
    if "enum" in schema:
        return " · ".join(value for value in schema["enum"] if value)
    if schema.get("type") == "integer":
        bounds = (schema.get("minimum"), schema.get("maximum"))
        return f"{bounds[0]} to {bounds[1]}" if None not in bounds else "number"
    if schema.get("type") == "boolean":
        return "true · false"
    return "date" if schema.get("format") == "date" else "text"


def _written(value: object) -> str:
    if value is None or value == "":
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


# ---- examples -----------------------------------------------------------------------------------


def _body_schema(operation: Part, document: Part) -> Part:
    content = operation.get("requestBody", {}).get("content", {})
    return _followed(content["application/json"]["schema"], document) if content else {}


def _example(response: Part, document: Part) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return ""
    return json.dumps(example_of(schema, document), indent=2, ensure_ascii=False)


def example_of(schema: Part, document: Part, depth: int = 0) -> Any:
    """A value that the schema allows, from its own examples where it has some; lists have one item."""
    schema = _followed(schema, document)
    if schema.get("examples"):
        return schema["examples"][0]
    for first in ("const", "default"):
        if first in schema:
            return schema[first]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], document, depth)
    if "properties" in schema:
        return {name: example_of(part, document, depth) for name, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example_of(schema["items"], document, depth + 1)] if depth < DEEPEST else []
    return {"string": "", "integer": 1, "number": 1.5, "boolean": False}.get(schema.get("type", ""))


def _followed(schema: Part, document: Part) -> Part:
    if "$ref" not in schema:
        return schema
    found: Part = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _curl(document: Part, path: str, method: str, body: Part) -> str:
    """One line to paste, with this instance's address and examples for what has to be there."""
    operation = document["paths"][path][method]
    query: dict[str, str] = {}
    for given in operation.get("parameters", ()):
        if given.get("required"):
            value = str(example_of(given["schema"], document))
            path = path.replace(f"{{{given['name']}}}", quote(value))
            query |= {given["name"]: value} if given["in"] == "query" else {}
    address = document["servers"][0]["url"] + path + (f"?{urlencode(query)}" if query else "")
    parts = ["curl", *(["-X", method.upper()] if method != "get" else [])]
    parts.append('-H "Authorization: Bearer $TOKEN"')
    if body:
        parts.append(f"--json '{json.dumps(example_of(body, document))}'")
    return " ".join([*parts, f'"{address}"'])
