"""The JSON API described for programs (OpenAPI 3.1), from a file that is made beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep import __version__
from trackeep.environment import cookie_name
from trackeep.instance.sessions import COOKIE
from trackeep.instance.site import site_of

Part = dict[str, Any]

PATH, API_PATH = "/api/openapi.json", "/api/v1"
TOKEN, SESSION = "token", "session"
# To make it takes the library and all models, which whoever only looks at pages does without.
FILE = Path(__file__).parent / "openapi.json"


async def openapi(request: Request) -> Response:
    """GET /api/openapi.json; it tells nothing of anybody, so that tools can fetch it."""
    return JSONResponse(document_for(request), headers={"cache-control": "no-cache"})


def document_for(request: Request) -> Part:
    """The description of the instance that this request came to."""
    return document(site_of(request).settings.base_url)


def document(base_url: str) -> Part:
    """The whole description of the API at `base_url`, which may have a path."""
    made: Part = json.loads(FILE.read_text())
    made["info"]["version"] = __version__
    made["servers"] = [{"url": base_url, "description": "This instance."}]
    made["components"]["securitySchemes"][SESSION]["name"] = cookie_name(base_url, COOKIE)
    return made
