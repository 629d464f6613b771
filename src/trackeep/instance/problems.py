"""Errors as people see them: what happened, what to do, and the numbers that find it in the log."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep import web
from trackeep.errors import Forbidden, LoginError, TooManyRequests, TrackeepError
from trackeep.instance.site import site_of


def page(request: Request, error: TrackeepError, request_id: str) -> Response:
    """The error page; its status tells the truth to programs that do not read."""
    site = site_of(request)
    return site.pages.page(
        "error.html",
        status=error.status,
        error=error,
        request_id=request_id,
        at=datetime.fromtimestamp(site.clock(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        is_login=isinstance(error, LoginError),
        is_refusal=isinstance(error, Forbidden),
        # Going back in the history after signing in lands on a used answer: no reason to be scared.
        login=viewer.login if (viewer := getattr(request.state, "viewer", None)) else "",
    )


def answer(request: Request, error: TrackeepError) -> Response:
    """`error` as a page for people or as JSON for programs, for handlers that still add cookies to it."""
    request_id = request.state.request_id
    if not web.wants_json(request):
        return page(request, error, request_id)
    body = {"error": error.code, "error_description": error.sentence, "hint": error.hint}
    headers = {"cache-control": "no-store"}
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.retry_after_s)
    return JSONResponse({**body, "request_id": request_id}, status_code=error.status, headers=headers)
