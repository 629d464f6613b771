"""Failures on demand: answers that are broken, late, cut or refused in the ways GitHub's really are."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trackeep.sandbox.requestlog import entry_of

KINDS = (
    *("status", "json", "html", "timeout", "cut", "slow", "short"),
    *("secondary", "graphql-errors", "withheld"),
)
MESSAGES = {
    401: "Bad credentials",
    403: "Resource not accessible by personal access token",
    404: "Not Found",
    410: "Issues are disabled for this repo",
    429: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    451: "Repository access blocked",
    500: "Server Error",
    502: "Server Error",
    503: "Service unavailable",
    504: "We couldn't respond to your request in time. Sorry about that. Please try again.",
}
SECONDARY_MESSAGE = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID {request_id}."
)
SECONDARY_PAGE = (
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)
GRAPHQL_MESSAGE = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it could be "
    "a GitHub bug. Please include `{request_id}` when reporting this issue."
)
WITHHELD_MESSAGE = "Resource not accessible by personal access token"
HANG_S = 30.0


@dataclass(slots=True)
class Fault:
    """What goes wrong for requests whose `METHOD path` the pattern `match` is found in, `times` times.

    `status` and `retry_after` (seconds) belong to the kinds that answer, `delay_s` to slow and timeout,
    `error_type` (such as RATE_LIMITED) to graphql-errors, `most_nodes` to short: a GraphQL answer from which
    every further node is left out, while totals and page cursors stay as they are. Of the kind withheld every
    field called `withheld` is null, with an error of type FORBIDDEN for each. `message` replaces the
    words of a status; `headers` are added to an answer of our own; `used` counts how often it struck.
    """

    id: int
    match: str
    kind: str
    times: int = 1
    status: int | None = None
    retry_after: int | None = None
    delay_s: float | None = None
    error_type: str | None = None
    message: str | None = None
    most_nodes: int = 6000
    withheld: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    used: int = 0


class Faults:
    """The faults that wait for their requests, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Takes the fields of Fault. Raises ValueError for an unknown kind, field or a broken pattern."""
        if wanted.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        try:
            re.compile(wanted["match"])
            fault = Fault(next(self._ids), **wanted)
        except (re.error, KeyError, TypeError) as error:
            raise ValueError(str(error)) from None
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def listing(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that is still due for this request; it is counted as used."""
        for fault in self._faults:
            if fault.used < fault.times and re.search(fault.match, f"{method} {path}"):
                fault.used += 1
                return fault
        return None


class FaultMiddleware:
    """Stands before the program and lets the faults happen; the control API is never hit."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        spared = scope["type"] != "http" or scope["path"].startswith("/_sandbox")
        fault = None if spared else self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        else:
            entry_of(HTTPConnection(scope)).fault = fault.kind
            await self._strike(fault, scope, receive, send)

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "cut":
                await self._app(scope, receive, _Cut(send))
            case "slow":
                await asyncio.sleep(1.0 if fault.delay_s is None else fault.delay_s)
                await self._app(scope, receive, send)
            case "short":
                await self._app(scope, receive, _Short(send, fault.most_nodes))
            case "withheld":
                await self._app(scope, receive, _Withheld(send, fault.withheld))
            case "timeout":
                await _hang(receive, HANG_S if fault.delay_s is None else fault.delay_s)
                await _broken(fault)(scope, receive, send)
            case _:
                await _broken(fault)(scope, receive, send)


class _Changed:
    """Waits for the whole answer, then sends what `_send_changed` makes of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._send_changed()

    async def _send_changed(self) -> None:
        raise NotImplementedError

    async def _begin(self, length: int) -> None:
        kept = [(k, v) for k, v in self._start["headers"] if k.lower() != b"content-length"]
        await self._send({**self._start, "headers": [*kept, (b"content-length", str(length).encode())]})


class _Cut(_Changed):
    """Announces the whole body, sends half of it and lets the server close the connection."""

    async def _send_changed(self) -> None:
        await self._begin(len(self._body) or 1)
        half = self._body[: len(self._body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})


class _Short(_Changed):
    """Leaves out the nodes that are too many."""

    def __init__(self, send: Send, most_nodes: int) -> None:
        super().__init__(send)
        self._left = most_nodes

    async def _send_changed(self) -> None:
        answer = json.loads(self._body)
        self._thin(answer)
        body = json.dumps(answer).encode()
        await self._begin(len(body))
        await self._send({"type": "http.response.body", "body": body})

    def _thin(self, found: Any) -> None:
        if isinstance(found, dict):
            nodes = found.get("nodes")
            # The list that `nodes(ids:)` gives has no total and is never cut.
            if isinstance(nodes, list) and "totalCount" in found:
                found["nodes"] = nodes[: self._left]
                self._left -= len(found["nodes"])
            for each in found.values():
                self._thin(each)
        elif isinstance(found, list):
            for each in found:
                self._thin(each)


class _Withheld(_Changed):
    """Says of one field, wherever it stands, that the token may not see it."""

    def __init__(self, send: Send, name: str) -> None:
        super().__init__(send)
        self._name = name
        self._errors: list[dict[str, Any]] = []

    async def _send_changed(self) -> None:
        answer = json.loads(self._body)
        self._withhold(answer.get("data"), [])
        if self._errors:
            answer["errors"] = [*answer.get("errors", ()), *self._errors]
        body = json.dumps(answer).encode()
        await self._begin(len(body))
        await self._send({"type": "http.response.body", "body": body})

    def _withhold(self, found: Any, path: list[str | int]) -> None:
        items = (
            found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
        )
        for name, each in list(items):
            if name == self._name:
                found[name] = None
                self._errors.append({"type": "FORBIDDEN", "path": [*path, name], "message": WITHHELD_MESSAGE})
            else:
                self._withhold(each, [*path, name])


async def _hang(receive: Receive, seconds: float) -> None:
    """Stays silent until the time is over or the client has gone."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


def _broken(fault: Fault) -> Response:
    request_id = secrets.token_hex(8).upper()
    match fault.kind:
        case "html" | "timeout":
            status = fault.status or (504 if fault.kind == "timeout" else 502)
            response: Response = HTMLResponse(_UNICORN, status)
        case "secondary":
            body = {
                "message": SECONDARY_MESSAGE.format(request_id=request_id),
                "documentation_url": SECONDARY_PAGE,
                "status": str(fault.status or 403),
            }
            response = JSONResponse(body, fault.status or 403)
        case "graphql-errors":
            error = {"message": GRAPHQL_MESSAGE.format(request_id=request_id)}
            if fault.error_type is not None:
                error["type"] = fault.error_type
            response = JSONResponse({"data": None, "errors": [error]})
        case _:
            response = _plain_refusal(fault.status or 502, fault.message)
    response.headers["X-GitHub-Request-Id"] = request_id
    response.headers.update(fault.headers)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _plain_refusal(status: int, message: str | None) -> Response:
    body: dict[str, Any] = {"message": message or MESSAGES.get(status, "Server Error")}
    if status == 451:
        notice = "https://github.com/github/dmca"
        body["block"] = {"reason": "dmca", "created_at": "2026-01-01T00:00:00Z", "html_url": notice}
    body |= {"documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Response(json.dumps(body), status, media_type="application/json; charset=utf-8")


_UNICORN = """<!DOCTYPE html>
<html><head><title>Unicorn! &middot; GitHub</title></head>
<body><p><strong>We had issues producing the response to your request.</strong></p></body></html>
"""
