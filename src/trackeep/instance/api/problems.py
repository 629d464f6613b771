"""Errors of the JSON API as problem documents (RFC 9457), whatever went wrong and wherever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from trackeep import web
from trackeep.errors import (
    DatabaseError,
    NotSignedIn,
    ScopeMissing,
    TokenUnknown,
    TrackeepError,
)
from trackeep.instance.api.models import Mistake, Problem
from trackeep.instance.api.problem_types import TYPES
from trackeep.instance.site import site_of

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
MOST_MISTAKES = 20
_BY_STATUS = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "too_many_requests",
    503: "unavailable",
}


def answer(request: Request, error: TrackeepError, *, mistakes: tuple[Mistake, ...] = ()) -> Response:
    """`error` as a problem document with its true status."""
    site, request_id = site_of(request), request.state.request_id
    code = error.code if error.code in TYPES else _BY_STATUS.get(error.status, "error")
    problem = Problem(
        type=f"{site.settings.base_url}/api/docs#{code}",
        title=TYPES[code][0],
        status=error.status,
        detail=str(error),
        instance=f"urn:request:{request_id}",
        request_id=request_id,
        errors=mistakes,
    )
    headers = {"cache-control": "no-store", **_headers(error)}
    return JSONResponse(problem.model_dump(mode="json"), error.status, media_type=MEDIA_TYPE, headers=headers)


def handlers() -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """For FastAPI: our own tree, HTTP errors, wrong requests and everything unforeseen."""
    return {
        TrackeepError: _on_known,
        HTTPException: _on_http,
        RequestValidationError: _on_invalid,
        ClientDisconnect: _on_gone,
        Exception: _on_unforeseen,
    }


async def _on_known(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrackeepError)
    log.warning("refused", code=error.code, reason=error.sentence)
    if isinstance(error, DatabaseError):
        # Where it is and what it said concerns the owner, who has the log.
        error = DatabaseError("The database cannot be used just now.", "Try again; the log says why.")
    return answer(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = TrackeepError(_SENTENCES.get(error.status_code, str(error.detail)))
    known.status = error.status_code
    known.code = _BY_STATUS.get(error.status_code, "error")
    response = answer(request, known)
    if error.status_code == 405:
        allowed = web.allowed_methods(request)
        response.headers["allow"] = allowed.replace("GET", "GET, HEAD")
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Only where and why: what was sent may be a secret in a wrong place.
    found = tuple(
        Mistake(where=".".join(str(part) for part in one["loc"])[:200], message=str(one["msg"])[:200])
        for one in error.errors()[:MOST_MISTAKES]
    )
    known = TrackeepError("The request is not as described.", "`errors` says where.")
    known.status, known.code = 422, "invalid"
    return answer(request, known, mistakes=found)


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    log.error("failed", exc_info=error)
    return answer(
        request, TrackeepError("Something went wrong on our side.", "Try again; the log has the request id.")
    )


async def _on_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body of this request is too long.",
}


def _headers(error: TrackeepError) -> dict[str, str]:
    """What clients read without the body (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    if isinstance(error, TokenUnknown):
        return {"www-authenticate": 'Bearer realm="trackeep", error="invalid_token"'}
    if isinstance(error, NotSignedIn):
        return {"www-authenticate": 'Bearer realm="trackeep"'}
    if isinstance(error, ScopeMissing):
        challenge = f'Bearer realm="trackeep", error="insufficient_scope", scope="{error.scope}"'
        return {"www-authenticate": challenge}
    if error.retry_after_s is not None:
        return {"retry-after": str(error.retry_after_s)}
    return {}
