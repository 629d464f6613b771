"""What all REST answers share: who asks, the budgets, validators, pages, GitHub's headers and its errors."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from trackeep.sandbox.faults import SECONDARY_MESSAGE, SECONDARY_PAGE
from trackeep.sandbox.oauth import BadCredentials, Grant
from trackeep.sandbox.quota import ANONYMOUS
from trackeep.sandbox.requestlog import entry_of
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import Person, Repository, World

API_VERSIONS = ("2022-11-28", "2026-03-10")
DOCS = "https://docs.github.com/rest"
MAX_PER_PAGE = 100
# GitHub answers an empty list to a `since` this old; 1980 separates that quirk from every real date.
OLDEST_SINCE = 315_532_800
T = TypeVar("T")


class Problem(Exception):
    """An answer that is no success: GitHub's status, its message and what else its body holds."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more
        self.headers: dict[str, str] = {}


def not_found() -> Problem:
    return Problem(404, "Not Found")


def requires_authentication() -> Problem:
    return Problem(401, "Requires authentication")


def invalid(resource: str, name: str) -> Problem:
    """422 for a parameter whose value cannot be read."""
    error = {"resource": resource, "field": name, "code": "invalid"}
    return Problem(422, "Validation Failed", errors=[error])


@dataclass(slots=True)
class Answer:
    """A body still to be written as JSON (None: no body) with what GitHub adds to it."""

    body: Any
    status: int = 200
    last_modified: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one URL is answered: `docs` is the page of GitHub's reference, `scopes` X-Accepted-OAuth-Scopes.

    `by_app` leaves the Authorization header to the handler, because an app speaks, not a person.
    """

    handle: Callable[[Call], Awaitable[Answer]]
    docs: str
    scopes: str = ""
    resource: str = "core"
    cost: int = 1
    by_app: bool = False


@dataclass
class Call:
    """One request to the REST API on behalf of somebody; `grant` is None for the anonymous."""

    state: SandboxState
    request: Request
    grant: Grant | None

    @property
    def world(self) -> World:
        return self.state.world

    @property
    def login(self) -> str | None:
        return self.grant.login if self.grant else None

    @property
    def api(self) -> str:
        return f"{self.state.url}/api/v3"

    @cached_property
    def viewer(self) -> Person:
        """The person who asks; 401 for the anonymous."""
        if self.grant is None:
            raise requires_authentication()
        return self.world.people[self.grant.login]

    def may(self, *scopes: str) -> bool:
        """True when the token has one of the scopes."""
        return self.grant is not None and not self.grant.scopes.isdisjoint(scopes)

    def sees(self, repository: Repository) -> bool:
        """Private repositories need both access and the scope `repo`."""
        if not repository.private:
            return True
        return self.may("repo") and self.world.may_read(self.login, repository)

    def text(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name) or default

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of the allowed words; GitHub takes an unknown one for the default."""
        given = self.text(name, default)
        return given if given in allowed else default

    def number(self, name: str, default: int) -> int:
        given = self.text(name)
        return int(given) if given.isascii() and given.isdigit() else default

    def time(self, name: str) -> int | None:
        """An ISO 8601 time of the query in unix seconds; 422 when it cannot be read."""
        given = self.text(name)
        return instant(given, name) if given else None

    def page_of(
        self, things: Sequence[T], path: str | None = None, *, by_cursor: bool = False
    ) -> tuple[Sequence[T], dict[str, str]]:
        """This page of a list and the Link header; `path` is the canonical address when it differs.

        `by_cursor`: the next page may also be asked for by the `after` of the Link header alone.
        """
        per_page = min(self.number("per_page", 30), MAX_PER_PAGE) or 30
        page = max(1, self.number("page", _page_after(self.text("after")) if by_cursor else 1))
        last = max(1, -(-len(things) // per_page))
        canonical = path or self.request.url.path.removeprefix("/api/v3")
        link = self._link(canonical, page, last, [("after", _cursor(page))] if by_cursor else [])
        return things[(page - 1) * per_page : page * per_page], link

    def _link(self, path: str, page: int, last: int, cursor: list[tuple[str, str]]) -> dict[str, str]:
        given = parse_qsl(self.request.url.query, keep_blank_values=True)
        pairs = [(k, v) for k, v in given if k != "page" and k not in dict(cursor)]
        wanted: list[tuple[str, list[tuple[str, str]]]] = []
        if page > 1:
            wanted.append(("prev", [("page", str(min(page - 1, last)))]))
        if page < last:
            wanted += [("next", [*cursor, ("page", str(page + 1))]), ("last", [("page", str(last))])]
        if page > 1:
            wanted.append(("first", [("page", "1")]))
        links = [f'<{self.api}{path}?{urlencode([*pairs, *where])}>; rel="{rel}"' for rel, where in wanted]
        return {"Link": ", ".join(links)} if links else {}


def _cursor(page: int) -> str:
    return base64.urlsafe_b64encode(f"page:{page}".encode()).decode()


def _page_after(cursor: str) -> int:
    """The page after the one that the cursor names; the first for none and for nonsense."""
    try:
        return int(base64.urlsafe_b64decode(cursor).removeprefix(b"page:")) + 1
    except ValueError:
        return 1


def instant(given: str, name: str) -> int:
    """`2026-01-31`, `2026-01-31T12:00:00Z` or with an offset, in unix seconds."""
    try:
        parsed = datetime.fromisoformat(given.replace(" ", "+"))
    except ValueError:
        raise invalid("Search", name) from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(aware.timestamp())


def answering(state: SandboxState, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The Starlette endpoint that puts GitHub's protocol around a handler."""

    async def answer(request: Request) -> Response:
        if not request.headers.get("user-agent"):
            return PlainTextResponse(_NO_USER_AGENT, 403)
        exchange = _Exchange(state, endpoint, request)
        try:
            return await exchange.run()
        except Problem as problem:
            return exchange.refuse(problem)

    return answer


_NO_USER_AGENT = (
    "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header "
    "(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). "
    "Check https://developer.github.com for other possible causes.\r\n"
)


class _Exchange:
    """One request and its answer, step by step."""

    def __init__(self, state: SandboxState, endpoint: Endpoint, request: Request) -> None:
        self._state = state
        self._endpoint = endpoint
        self._request = request
        self._grant: Grant | None = None
        self._entry = entry_of(request)
        self._entry.resource = endpoint.resource
        self._entry.conditional = bool({"if-none-match", "if-modified-since"} & set(request.headers.keys()))

    async def run(self) -> Response:
        self._authenticate()
        self._check_headers()
        login = self._grant.login if self._grant else None
        self._check_budget(login)
        self._enter_secondary(login)
        try:
            answer = await self._endpoint.handle(Call(self._state, self._request, self._grant))
        except Problem:
            self._charge(login)
            raise
        finally:
            self._state.quota.secondary.leave(login or ANONYMOUS)
        response = self._written(answer)
        if response.status_code != 304 or self._grant is None:
            self._charge(login)
        response.headers.update(self._state.quota.headers(login, self._endpoint.resource))
        return response

    def refuse(self, problem: Problem) -> Response:
        """The error body that GitHub gives, with the same headers as every other answer."""
        docs = problem.more.pop("documentation_url", None) or f"{DOCS}/{self._endpoint.docs}".rstrip("/")
        body = {
            "message": problem.message,
            **problem.more,
            "documentation_url": docs,
            "status": str(problem.status),
        }
        response = _json_response(body, problem.status)
        response.headers.update(self._common_headers())
        login = self._grant.login if self._grant else None
        response.headers.update(self._state.quota.headers(login, self._endpoint.resource))
        response.headers.update(problem.headers)
        return response

    def _authenticate(self) -> None:
        if self._endpoint.by_app:
            return
        try:
            self._grant = self._state.authority.authenticate(self._request.headers.get("authorization"))
        except BadCredentials:
            raise Problem(401, "Bad credentials", documentation_url=DOCS) from None
        if self._grant is not None:
            self._entry.login = self._grant.login
            self._entry.token = self._grant.token_fingerprint

    def _check_headers(self) -> None:
        version = self._request.headers.get("x-github-api-version", API_VERSIONS[0])
        if version not in API_VERSIONS:
            known = ", ".join(API_VERSIONS)
            raise Problem(400, f"{version} is not a supported API version. Supported versions: {known}.")
        accept = self._request.headers.get("accept", "*/*")
        # GitHub's own types need no "+json", and those of former previews are still accepted.
        if not any(known in accept for known in ("json", "*/*", "application/*", "application/vnd.github.")):
            raise Problem(415, f"Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'.")

    def _check_budget(self, login: str | None) -> None:
        budget = self._state.quota.look(login, self._endpoint.resource)
        if self._endpoint.cost and budget.remaining < self._endpoint.cost:
            who = f"user ID {self._state.world.people[login].id}" if login else "127.0.0.1"
            page = f"{DOCS}/using-the-rest-api/rate-limits-for-the-rest-api"
            raise Problem(403, f"API rate limit exceeded for {who}.", documentation_url=page)

    def _enter_secondary(self, login: str | None) -> None:
        points = 1 if self._request.method in ("GET", "HEAD") else 5
        wait_s = self._state.quota.secondary.enter(login or ANONYMOUS, points)
        if wait_s is not None:
            message = SECONDARY_MESSAGE.format(request_id=secrets.token_hex(8).upper())
            problem = Problem(403, message, documentation_url=SECONDARY_PAGE)
            problem.headers["Retry-After"] = str(wait_s)
            raise problem

    def _charge(self, login: str | None) -> None:
        self._state.quota.charge(login, self._endpoint.resource, self._endpoint.cost)
        self._entry.cost = self._endpoint.cost

    def _written(self, answer: Answer) -> Response:
        if answer.body is None:
            response = Response(status_code=answer.status)
        else:
            response = _json_response(answer.body, answer.status)
        response.headers.update(self._common_headers())
        response.headers.update(answer.headers)
        if answer.status != 200 or self._request.method not in ("GET", "HEAD"):
            return response
        etag = self._etag(bytes(response.body))
        response.headers["ETag"] = etag
        response.headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
        if answer.last_modified is not None:
            response.headers["Last-Modified"] = formatdate(answer.last_modified, usegmt=True)
        if not self._unchanged(etag, answer.last_modified):
            return response
        kept = {k: v for k, v in response.headers.items() if k not in ("content-length", "content-type")}
        return Response(status_code=304, headers=kept)

    def _etag(self, body: bytes) -> str:
        """GitHub's validators belong to the token that asked: another token's never match."""
        owner = self._grant.token_fingerprint if self._grant else ""
        url = str(self._request.url)
        return 'W/"' + hashlib.sha256(f"{owner} {url} ".encode() + body).hexdigest() + '"'

    def _unchanged(self, etag: str, last_modified: int | None) -> bool:
        given = self._request.headers.get("if-none-match")
        if given is not None:
            names = [name.strip().removeprefix("W/") for name in given.split(",")]
            return "*" in names or etag.removeprefix("W/") in names
        since = self._request.headers.get("if-modified-since")
        if since is None or last_modified is None:
            return False
        try:
            return parsedate_to_datetime(since).timestamp() >= last_modified
        except ValueError:
            return False

    def _common_headers(self) -> dict[str, str]:
        headers = {
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Api-Version-Selected": self._request.headers.get(
                "x-github-api-version", API_VERSIONS[0]
            ),
            "X-GitHub-Request-Id": ":".join(secrets.token_hex(2).upper() for _ in range(5)),
            "X-Content-Type-Options": "nosniff",
            "Access-Control-Allow-Origin": "*",
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP",
        }
        if self._grant is not None:
            headers["X-OAuth-Scopes"] = ", ".join(self._grant.shown_scopes)
            headers["X-Accepted-OAuth-Scopes"] = self._endpoint.scopes
            if self._grant.client_id is not None:
                headers["X-OAuth-Client-Id"] = self._grant.client_id
        return headers


def _json_response(body: Any, status: int) -> Response:
    written = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(written, status, media_type="application/json; charset=utf-8")
