"""Sends one request to GitHub well: token, validators, time-outs, retries, redirects, budgets and costs."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from trackeep import __version__
from trackeep.environment import GitHubAddresses
from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubRateLimited,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github import ratelimit
from trackeep.model import Budget

USER_AGENT = f"trackeep/{__version__}"
# https://docs.github.com/en/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=15, sock_read=30)
TRIES = 3
MOST_REDIRECTS = 5
MOST_BYTES = 64 * 1024 * 1024


@dataclass
class Costs:
    """What an account's work has cost so far; bytes are those of answers after decompression."""

    rest_requests: int = 0
    not_modified: int = 0
    graphql_requests: int = 0
    graphql_points: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """GitHub's answer; `url` is the address that was asked, whose validator is `etag`."""

    url: str
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def not_modified(self) -> bool:
        return self.status == 304

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", "")

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """The token's scopes; None for a token that has permissions instead (fine-grained, app)."""
        text = self.headers.get("X-OAuth-Scopes")
        return None if text is None else tuple(part for part in text.replace(",", " ").split() if part)

    @property
    def next_url(self) -> str | None:
        """The next page as GitHub gives it (https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api)."""
        for part in ",".join(self.headers.getall("Link", [])).split(","):
            address, _, relation = part.partition(";")
            if relation.strip() == 'rel="next"':
                return urljoin(self.url, address.strip().strip("<>"))
        return None


class _Complaint(msgspec.Struct):
    message: str = ""


@dataclass
class _Lane:
    """REST or GraphQL: one request at a time, none before `open_at`."""

    resource: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    budget: Budget | None = None
    open_at: float = 0.0
    refusals: int = 0
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=ratelimit.PER_MINUTE))


class GitHub:
    """One account's way to GitHub; `validators` maps a URL to the ETag kept for this very token."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        addresses: GitHubAddresses,
        token: str,
        *,
        clock: Callable[[], float] = time.time,
        validators: Mapping[str, str] | None = None,
        on_budget: Callable[[Budget], None] | None = None,
    ) -> None:
        self.addresses = addresses
        self.clock = clock
        self.costs = Costs()
        self.token_fingerprint = fingerprint(token)
        self._http = http
        self._token = token
        self._validators = {} if validators is None else validators
        self._on_budget = on_budget
        self._rest = _Lane("core")
        self._graphql = _Lane("graphql")

    def remember(self, budgets: Iterable[Budget], *, wait_until: float = 0.0) -> None:
        """Take over what an earlier run was told, so that a restart asks no sooner than allowed."""
        known = {budget.resource: budget for budget in budgets}
        for lane in (self._rest, self._graphql):
            lane.budget = known.get(lane.resource, lane.budget)
            lane.open_at = max(lane.open_at, wait_until)

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, conditional: bool = False
    ) -> Answer:
        """GET `path` (or a next page's full URL); with `conditional` the answer may be not_modified.

        Raises GitHubTokenDead, GitHubNoAccess, GitHubRateLimited, GitHubUnavailable, GitHubError.
        """
        url = self._url(path, params)
        headers = self._headers()
        if conditional and url in self._validators:
            headers["If-None-Match"] = self._validators[url]
        async with self._rest.turn:
            answer = await self._tried(self._rest, "GET", url, headers, None)
        if answer.status >= 400:
            raise _error_of(answer)
        return answer

    async def post_graphql(self, body: bytes) -> Answer:
        """POST a GraphQL request; 502 and 504 are answers too, because there they mean "ask for less"."""
        headers = self._headers() | {"Content-Type": "application/json"}
        async with self._graphql.turn:
            answer = await self._tried(self._graphql, "POST", self.addresses.graphql, headers, body)
        if answer.status >= 400 and answer.status not in (502, 504):
            raise _error_of(answer)
        return answer

    def refused_in_body(self, kind: str, message: str) -> GitHubRateLimited | None:
        """The error for a limit that GitHub reported inside a GraphQL answer, or None."""
        lane, now = self._graphql, self.clock()
        refused = ratelimit.graphql_refusal(kind, message, lane.budget, now, earlier=lane.refusals)
        return self._closed(lane, refused) if refused else None

    @property
    def is_closed(self) -> bool:
        """True when no request can go out any more, because the program is being stopped."""
        return self._http.closed

    @property
    def closed_until(self) -> float:
        """Until when GitHub wants no request of any kind (a secondary limit); the past when it is open."""
        return min(self._rest.open_at, self._graphql.open_at)

    # ---- one request -------------------------------------------------------------------------

    async def _tried(
        self, lane: _Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        problem: Exception | None = None
        for attempt in range(TRIES):
            if self.is_closed:
                raise GitHubUnavailable("GitHub is not asked any more: Trackeep is being stopped.", "")
            if attempt:
                await asyncio.sleep(0.25 * 2**attempt * (1 + random.random()))
            await self._wait_turn(lane)
            try:
                answer = await self._followed(lane, method, url, headers, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = error
                if self.is_closed:
                    break
                continue
            if answer.status < 500 or (lane is self._graphql and answer.status in (502, 504)):
                return answer
            problem = None
        if problem is None:
            return answer
        raise GitHubUnavailable(
            f"GitHub at {urlsplit(url).netloc} cannot be reached or does not answer in full.",
            "It is asked again later; nothing is lost.",
        ) from problem

    async def _followed(
        self, lane: _Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        """One request and the redirects that stay on the host: elsewhere the token would be given away."""
        target = url
        for _ in range(MOST_REDIRECTS):
            answer = await self._once(lane, method, target, headers, body)
            if answer.status not in (301, 302, 307, 308):
                return Answer(url, answer.status, answer.headers, answer.body)
            target = urljoin(target, answer.headers.get("Location", ""))
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise GitHubError(
                    f"GitHub redirected {urlsplit(url).path} to another host, which is not followed.",
                    "Check GITHUB_API_URL.",
                )
        raise GitHubError(f"GitHub redirected {urlsplit(url).path} in a circle.", "Check GITHUB_API_URL.")

    async def _once(
        self, lane: _Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        async with self._http.request(
            method, url, headers=headers, data=body, allow_redirects=False, timeout=TIMEOUT
        ) as response:
            content = await _read(response)
            answer = Answer(url, response.status, response.headers, content)
        self._account(lane, answer)
        refused = ratelimit.refusal(
            answer.status, answer.headers, _message(answer), self.clock(), earlier=lane.refusals
        )
        if refused:
            raise self._closed(lane, refused)
        lane.refusals = 0
        return answer

    async def _wait_turn(self, lane: _Lane) -> None:
        """Sleeps what keeps the pace; raises when GitHub has named a later time or the reserve is reached."""
        await asyncio.sleep(ratelimit.pause_s(lane.sent, self.clock()))
        now = self.clock()
        open_at = max(lane.open_at, ratelimit.wait_until(lane.budget, now))
        if open_at > now:
            raise _limited(open_at, now)
        lane.sent.append(now)

    def _account(self, lane: _Lane, answer: Answer) -> None:
        if lane is self._rest:
            self.costs.rest_requests += 1
            self.costs.not_modified += answer.not_modified
        else:
            self.costs.graphql_requests += 1
        self.costs.bytes += len(answer.body)
        budget = ratelimit.budget_of(answer.headers, self.clock())
        if budget and budget.resource == lane.resource:
            lane.budget = budget
        if budget and self._on_budget:
            self._on_budget(budget)

    def _closed(self, lane: _Lane, refused: ratelimit.Refusal) -> GitHubRateLimited:
        lane.refusals += 1
        for each in (self._rest, self._graphql) if refused.secondary else (lane,):
            each.open_at = max(each.open_at, refused.retry_at)
        return _limited(refused.retry_at, self.clock())

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "User-Agent": USER_AGENT,
            "X-GitHub-Api-Version": API_VERSION,
        }

    def _url(self, path: str, params: Mapping[str, str | int] | None) -> str:
        if not path.startswith("/"):
            if urlsplit(path)[:2] != urlsplit(self.addresses.api)[:2]:
                raise GitHubError("GitHub's next page is on another host, which is not asked.", "")
            return path
        query = "&".join(f"{name}={value}" for name, value in (params or {}).items())
        return f"{self.addresses.api}{path}" + (f"?{query}" if query else "")


def fingerprint(token: str) -> str:
    """A name for a token that tells nothing about it."""
    return hashlib.sha256(b"trackeep token " + token.encode()).hexdigest()[:16]


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MOST_BYTES:
            raise GitHubError(f"GitHub's answer is larger than {MOST_BYTES >> 20} MB.", "")
    return bytes(content)


def _message(answer: Answer) -> str:
    if answer.status < 400:
        return ""
    try:
        return msgspec.json.decode(answer.body, type=_Complaint).message
    except msgspec.MsgspecError:
        return ""


def _limited(retry_at: float, now: float) -> GitHubRateLimited:
    minutes = max(1, round((retry_at - now) / 60))
    unit = "minute" if minutes == 1 else "minutes"
    return GitHubRateLimited(
        f"GitHub asks to wait {minutes} {unit}.",
        "It goes on by itself; other programs with your account use the same quota.",
        retry_at=retry_at,
    )


def _error_of(answer: Answer) -> GitHubError:
    path, message = urlsplit(answer.url).path, _message(answer) or "no reason given"
    if answer.status == 401:
        return GitHubTokenDead(
            "GitHub does not accept this token.",
            "It is wrong, expired or revoked: connect GitHub again, or make a new token.",
        )
    single_sign_on = answer.headers.get("X-GitHub-SSO", "")
    if "url=" in single_sign_on:
        link = single_sign_on.partition("url=")[2].split(";")[0].strip()
        return GitHubNoAccess("The organisation asks for single sign-on first.", f"Open {link}")
    if answer.status in (403, 404, 410, 451):
        return GitHubNoAccess(f"GitHub gives no access to {path}: {message}.", "")
    if answer.status >= 500:
        return GitHubUnavailable(
            f"GitHub answered {answer.status} at {path}.", "It is asked again later; nothing is lost."
        )
    return GitHubError(f"GitHub answered {answer.status} at {path}: {message}.", "")
