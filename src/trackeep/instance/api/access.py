"""Who calls the JSON API, by a personal token or by the session, and whether they may do that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trackeep.errors import NotSignedIn, ScopeMissing, TokenUnknown
from trackeep.instance import sessions
from trackeep.instance.api.schema import SESSION, TOKEN
from trackeep.instance.sessions import Viewer
from trackeep.instance.site import site_of
from trackeep.store import api_tokens
from trackeep.store.hashed_tokens import TOUCH_AFTER_S

LONGEST_BODY = 65_536
# In the scope of a request whose answer nobody will read.
IS_HEAD = "trackeep.is_head"


def needs(scope: str) -> dict[str, Any]:
    """What a route says of itself: the scope that a token must have. A session may do all of it."""
    return {"openapi_extra": {"security": [{TOKEN: [scope]}, {SESSION: []}]}}


@dataclass(frozen=True)
class Caller:
    """Who asks; `token` is None for a session."""

    viewer: Viewer
    token: api_tokens.Token | None

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(api_tokens.SCOPES) if self.token is None else self.token.scopes


class Guarded(APIRoute):
    """A route that finds out who calls before anything of the request is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = super().get_route_handler()
        assert self.openapi_extra is not None, f"{self.path} does not say which scope it needs"
        (scope,) = self.openapi_extra["security"][0][TOKEN]

        async def guarded(request: Request) -> Response:
            _require_short_body(request)
            caller = await identify(request)
            if scope not in caller.scopes:
                raise ScopeMissing(
                    f"This token lacks the scope {scope}.",
                    f"Make one with {scope} in the settings; it has {', '.join(caller.scopes)}.",
                    scope=scope,
                )
            request.state.caller, request.state.viewer = caller, caller.viewer
            return _kept(request, sessions.kept_alive(request, await endpoint(request)))

        return guarded


def _require_short_body(request: Request) -> None:
    """What says that it is longer is refused before anything is done; Bounded stops what does not say so."""
    if int(request.headers.get("content-length", "0")) > LONGEST_BODY:
        raise HTTPException(413)


class Bounded:
    """ASGI middleware: HEAD is answered as GET is (the server leaves the body out), and bodies end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", IS_HEAD: True}
        arrived = 0

        async def bounded() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > LONGEST_BODY:
                raise HTTPException(413)
            return message

        await self._app(scope, bounded, send)


def caller_of(request: Request) -> Caller:
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


async def identify(request: Request) -> Caller:
    """Whoever the request proves to come from. A token counts alone, whatever cookie came with it.

    Raises TokenUnknown, NotSignedIn, and Forbidden for a session used by a foreign page.
    """
    sessions.require_plain_address(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return await _by_token(request, token.strip())
    sessions.require_own_page(request)
    viewer = await sessions.current(request)
    if viewer is None:
        raise NotSignedIn("This needs a token.", "Send it as `Authorization: Bearer tk_...`.")
    return Caller(viewer, None)


async def _by_token(request: Request, text: str) -> Caller:
    site = site_of(request)
    now = site.now()
    async with site.db.read() as conn:
        found = await api_tokens.find(conn, text, site.rules, now)
    if found is None:
        raise TokenUnknown("This token opens nothing.", "It may be expired or revoked; make a new one.")
    used_at = found.token.last_used_at
    if used_at is None or now - used_at >= TOUCH_AFTER_S:
        token_id, address = found.token.id, request.state.client_address
        await site.db.note(lambda conn: api_tokens.touch(conn, token_id, address, now))
    return Caller(sessions.viewer_from(found.who), found.token)


def _kept(request: Request, response: Response) -> Response:
    """What a client may keep: nothing of a change, and of the rest what it asks for again by its ETag."""
    headers, body = response.headers, getattr(response, "body", None)
    headers.setdefault("vary", "Authorization, Cookie")
    if request.method != "GET" or body is None or response.status_code != 200:
        headers.setdefault("cache-control", "no-store")
        return response
    headers["cache-control"] = "private, no-cache"
    # Weak, because the same answer also leaves compressed.
    headers["etag"] = etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    if etag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
        kept = ("etag", "vary", "cache-control", "set-cookie")
        return Response(status_code=304, headers={name: headers[name] for name in kept if name in headers})
    return response
