"""An answer with its validator, or 304 for whoever has it already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response


def answer(request: Request, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """`body` with its ETag and `headers`; without the body where If-None-Match names that ETag."""
    # Weak, because the same answer also leaves compressed.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    given = {"etag": etag, **headers}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if etag in known or etag.removeprefix("W/") in known:
        return Response(status_code=304, headers=given)
    return Response(body, media_type=media_type, headers=given)
