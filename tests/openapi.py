"""GitHub's own description of its REST API: schemas to hold answers against, and its examples."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

DOCUMENT = Path(__file__).parent / "vendor" / "octokit-openapi-23.0.2" / "openapi.json.gz"
_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("uri", raises=ValueError)
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or value == "" or bool(urlsplit(value).scheme)


@cache
def document() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(gzip.decompress(DOCUMENT.read_bytes()))
    return described


def complaints(method: str, path: str, status: int, body: Any) -> list[str]:
    """Where an answer departs from the description of `path` (`/users/{username}`); [] when nowhere."""
    validator = _validator(method.lower(), path, status)
    if validator is None:
        return [] if body is None else [f"no body is described for {status}"]
    found = []
    for error in validator.iter_errors(body):
        deepest = best_match([error]) or error
        found.append(f"{deepest.json_path}: {deepest.message[:200]}")
    return found


def examples(method: str, path: str, status: int = 200) -> Iterator[Any]:
    """The bodies that GitHub itself gives as examples of an answer."""
    content = _response(method.lower(), path, status).get("content", {}).get("application/json", {})
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        value = _followed(example)["value"]
        yield _followed(value)["value"] if "$ref" in value else value


@cache
def _validator(method: str, path: str, status: int) -> Draft202012Validator | None:
    content = _response(method, path, status).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return None
    whole = {**_translated(schema), "components": {"schemas": _components()}}
    return Draft202012Validator(whole, format_checker=_formats)


@cache
def _components() -> dict[str, Any]:
    return {name: _translated(part) for name, part in document()["components"]["schemas"].items()}


def _response(method: str, path: str, status: int) -> dict[str, Any]:
    responses = document()["paths"][path][method]["responses"]
    return _followed(responses[str(status)])


def _followed(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = document()["components"][kind][name]
    return part


def _translated(schema: Any) -> Any:
    """As JSON Schema, which has a type for null instead of `nullable: true`.

    Stricter than the description in one way: a property that it does not name is a complaint.
    """
    if isinstance(schema, list):
        return [_translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _translated(part) for name, part in schema.items() if name not in ("nullable", "example")}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        plain.setdefault("additionalProperties", False)
    if schema.get("title") == "Team Simple":
        # Described for the long form of a team only, sent with both.
        plain["properties"]["parent"] = {"type": ["object", "null"]}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
