"""The JSON API described for programs (OpenAPI 3.1), made from the routes and their models."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep import __version__
from trackeep.environment import cookie_name
from trackeep.instance.api import routes
from trackeep.instance.api.access import SESSION, TOKEN
from trackeep.instance.api.models import Problem
from trackeep.instance.api.problems import MEDIA_TYPE
from trackeep.instance.sessions import COOKIE
from trackeep.instance.site import site_of

Part = dict[str, Any]

PATH = "/api/openapi.json"
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
EVERYWHERE = ("400", "401", "403", "500", "503")
_REF = "#/components/schemas/{model}"


async def openapi(request: Request) -> Response:
    """GET /api/openapi.json; it tells nothing of anybody, so that tools can fetch it."""
    return JSONResponse(document_for(request), headers={"cache-control": "no-cache"})


def document_for(request: Request) -> Part:
    """The description of the instance that this request came to."""
    return document(site_of(request).settings.base_url)


@lru_cache(maxsize=8)
def document(base_url: str) -> Part:
    """The whole description of the API at `base_url`, which may have a path."""
    made = get_openapi(
        title="Trackeep",
        version=__version__,
        openapi_version="3.1.1",
        description=ABOUT,
        routes=routes.ROUTES,
        servers=[{"url": base_url, "description": "This instance."}],
    )
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    own = Problem.model_json_schema(mode="serialization", ref_template=_REF)
    schemas |= {**own.pop("$defs"), "Problem": own}
    made["components"]["securitySchemes"] = _ways_in(base_url)
    names = {(route.path, method): route.name for route in _routes() for method in route.methods or ()}
    made["paths"] = {
        routes.PATH + path: {
            method: _operation(operation, method, names[path, method.upper()], "{" in path)
            for method, operation in item.items()
        }
        for path, item in made["paths"].items()
    }
    return made


def _given(schema: Part) -> Part:
    """A parameter is there or not; it cannot be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    return rest | kinds[0] if kinds else schema


def _routes() -> list[APIRoute]:
    return [route for route in routes.ROUTES if isinstance(route, APIRoute)]


def _ways_in(base_url: str) -> Part:
    return {
        TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "tk_",
            "description": "A personal token with the scopes that an operation names.",
        },
        SESSION: {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie_name(base_url, COOKIE),
            "description": "The session of a browser; changes only from pages of this instance.",
        },
    }


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
