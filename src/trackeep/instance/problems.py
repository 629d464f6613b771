"""Errors as people see them: what happened, what to do, and the numbers that find it in the log."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import BrokerError, Forbidden, LoginError, TrackeepError
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
        # The OAuth service is asked on the way in only: from there the way on is another try.
        is_refusal=isinstance(error, Forbidden | BrokerError),
        # Going back in the history after signing in lands on a used answer: no reason to be scared.
        login=viewer.login if (viewer := getattr(request.state, "viewer", None)) else "",
    )
