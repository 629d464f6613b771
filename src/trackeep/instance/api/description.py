"""Makes the description of the JSON API (openapi.json) from the routes and their models."""

from __future__ import annotations

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from trackeep.instance.api import routes
from trackeep.instance.api.models import Problem
from trackeep.instance.api.problems import MEDIA_TYPE
from trackeep.instance.api.schema import API_PATH, SESSION, TOKEN, Part

ABOUT = (
    "What this Trackeep knows about your work at GitHub, for your own programs. Everything is read from its "
    "database; GitHub is never asked by a request. You see what your own account at GitHub may read."
)
ERRORS = {
    "400": "Something in the address cannot be meant.",
    "401": "No token, or one that opens nothing.",
    "403": "The token lacks the scope, or the session was used by a foreign page.",
    "404": "Nothing here that you may see.",
    "413": "The body is too long.",
    "422": "A parameter or the body is not as described.",
    "500": "Our fault.",
    "429": "Too many at once, or too often; wait a little.",
    "503": "The database cannot be used just now.",
}
WAYS_IN = {
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tk_",
        "description": "A personal token with the scopes that an operation names.",
    },
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": "",
        "description": "The session of a browser; changes only from pages of this instance.",
    },
}
EVERYWHERE = ("400", "401", "403", "500", "503")
_REF = "#/components/schemas/{model}"


def made() -> Part:
    """The whole description, but for what each instance fills in: version, address, name of the cookie."""
    found = get_openapi(
        title="Trackeep",
        version="",
        openapi_version="3.1.1",
        description=ABOUT,
        routes=routes.ROUTES,
        servers=[{"url": "/"}],
    )
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    own = Problem.model_json_schema(mode="serialization", ref_template=_REF)
    schemas |= {**own.pop("$defs"), "Problem": own}
    found["components"]["securitySchemes"] = WAYS_IN
    names = {(route.path, method): route.name for route in _routes() for method in route.methods or ()}
    found["paths"] = {
        API_PATH + path: {
            method: _operation(operation, method, names[path, method.upper()], "{" in path)
            for method, operation in item.items()
        }
        for path, item in found["paths"].items()
    }
    return found


def _given(schema: Part) -> Part:
    """A parameter is there or not; it cannot be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    return rest | kinds[0] if kinds else schema


def _routes() -> list[APIRoute]:
    return [route for route in routes.ROUTES if isinstance(route, APIRoute)]


def _operation(operation: Part, method: str, name: str, has_path: bool) -> Part:
    responses: Part = operation["responses"]
    statuses = {*EVERYWHERE, *({"422", "429"} & responses.keys())}
    if method == "get":
        responses["304"] = {"description": "Not changed since the ETag in If-None-Match."}
        responses["200"].setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}}
    else:
        statuses.add("413")
    if has_path or method != "get":
        statuses.add("404")
    for status in statuses:
        responses[status] = {
            "description": ERRORS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
    operation["operationId"] = name
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _given(parameter["schema"])
    operation["responses"] = {status: responses[status] for status in sorted(responses)}
    return operation
