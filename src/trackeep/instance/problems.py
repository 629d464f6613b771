"""Errors as people see them: what happened, what to do, and the numbers that find it in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import BrokerError, Forbidden, LoginError, TrackeepError
from trackeep.instance.site import Site, safe_next, site_of


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
        back=_form_of(request, site),
    )


def _form_of(request: Request, site: Site) -> str:
    """The page of ours whose form was refused, "" where none is known; nobody else's address is repeated."""
    came, home = urlsplit(request.headers.get("referer", "")), urlsplit(site.settings.base_url)
    is_ours = request.method == "POST" and (came.scheme, came.netloc) == (home.scheme, home.netloc)
    if not is_ours or came.path == request.scope.get("root_path", "") + request.scope["path"]:
        return ""
    return safe_next(f"{came.path}?{came.query}" if came.query else came.path)
