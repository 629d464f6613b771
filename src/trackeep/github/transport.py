"""Sends one request to GitHub well: token, validators, time-outs, retries, redirects, budgets and costs."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from trackeep import __version__
from trackeep.environment import GitHubAddresses
from trackeep.errors import (
    GitHubError,
    GitHubGone,
    GitHubNoAccess,
    GitHubSignOn,
    GitHubTokenDead,
    GitHubUnavailable,
)
from trackeep.github import ratelimit
from trackeep.github.sizes import Sizes
from trackeep.github.turns import Lane, Turns
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
    conditional: int = 0
    not_modified: int = 0
    graphql_requests: int = 0
    graphql_points: int = 0
    bytes: int = 0


# Besides the account's, the costs of whatever is asked for at this point of the program.
PAYER: ContextVar[Costs | None] = ContextVar("payer", default=None)


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
        return self.link("next")

    def link(self, relation: str) -> str | None:
        """The `next` or `last` page as GitHub gives it (https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api)."""
        for part in ",".join(self.headers.getall("Link", [])).split(","):
            address, _, named = part.partition(";")
            if named.strip() == f'rel="{relation}"':
                return urljoin(self.url, address.strip().strip("<>"))
        return None


class _Complaint(msgspec.Struct):
    message: str = ""
    type: str | None = ""


class _Price(msgspec.Struct):
    cost: int = 1


class _Priced(msgspec.Struct, rename="camel"):
    rate_limit: _Price | None = None


class _Spoken(msgspec.Struct):
    """What a GraphQL answer says about limits."""

    data: _Priced | None = None
    errors: list[_Complaint] = []


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
        """`on_budget` hears of the bucket after each answer."""
        self.addresses = addresses
        self.clock = clock
        self.costs = Costs()
        self.token_fingerprint = fingerprint(token)
        self._http = http
        self._token = token
        self._validators = {} if validators is None else validators
        self._on_budget = on_budget
        self.turns = Turns(clock)
        self.sizes = Sizes()

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
        async with self.turns.rest.turn:
            answer = await self._tried(self.turns.rest, "GET", url, headers, None)
        if answer.status >= 400:
            raise self._error_of(answer)
        return answer

    async def post_graphql(self, body: bytes) -> Answer:
        """POST a GraphQL request; 502 and 504 are answers too, because there they mean "ask for less"."""
        headers = self._headers() | {"Content-Type": "application/json"}
        async with self.turns.graphql.turn:
            answer = await self._tried(self.turns.graphql, "POST", self.addresses.graphql, headers, body)
        if answer.status >= 400 and answer.status not in (502, 504):
            raise self._error_of(answer)
        return answer

    @property
    def is_closed(self) -> bool:
        """True when no request can go out any more, because the program is being stopped."""
        return self._http.closed

    def has_plenty(self, *, by_rest: bool) -> bool:
        """True when REST's or GraphQL's bucket has room for work that nobody waits for."""
        lane = self.turns.rest if by_rest else self.turns.graphql
        return ratelimit.has_plenty(lane.budget, self.clock())

    # ---- one request -------------------------------------------------------------------------

    async def _tried(
        self, lane: Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        problem: Exception | None = None
        for attempt in range(TRIES):
            if self.is_closed:
                raise GitHubUnavailable("GitHub is not asked any more: Trackeep is being stopped.", "")
            if attempt:
                await asyncio.sleep(0.25 * 2**attempt * (1 + random.random()))
            try:
                answer = await self._followed(lane, method, url, headers, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = error
                if self.is_closed:
                    break
                continue
            if answer.status < 500 or (lane is self.turns.graphql and answer.status in (502, 504)):
                return answer
            problem = None
        if problem is None:
            return answer
        raise GitHubUnavailable(
            f"GitHub at {urlsplit(url).netloc} cannot be reached or does not answer in full.",
            "It is asked again later; nothing is lost.",
        ) from problem

    async def _followed(
        self, lane: Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        """One request and the redirects that stay on the host: elsewhere the token would be given away."""
        target = url
        for _ in range(MOST_REDIRECTS):
            await self.turns.wait(lane)
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
        self, lane: Lane, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        async with self._http.request(
            method, url, headers=headers, data=body, allow_redirects=False, timeout=TIMEOUT
        ) as response:
            # Even an answer whose body breaks off has cost something, and says what is left.
            self._account(lane, response)
            content = await _read(response)
            answer = Answer(url, response.status, response.headers, content)
        self.costs.bytes += len(content)
        await self.turns.heed(lane, self._refusal(lane, answer))
        return answer

    def _refusal(self, lane: Lane, answer: Answer) -> ratelimit.Refusal | None:
        """What the answer says about time; GraphQL also says it inside an answer with status 200."""
        now, earlier = self.clock(), lane.refusals
        message = _message(answer)
        if lane is not self.turns.graphql or answer.status != 200:
            return ratelimit.refusal(answer.status, answer.headers, message, now, earlier=earlier)
        spoken = _spoken(answer.body)
        price = spoken.data.rate_limit.cost if spoken.data and spoken.data.rate_limit else 1
        self.costs.graphql_points += price
        self.turns.spent(lane, price)
        refusals = (
            ratelimit.graphql_refusal(each.type or "", each.message, lane.budget, now, earlier=earlier)
            for each in spoken.errors
        )
        return next((each for each in refusals if each), None)

    def _account(self, lane: Lane, answer: aiohttp.ClientResponse) -> None:
        payer = PAYER.get()
        for costs in (self.costs,) if payer is None else (self.costs, payer):
            if lane is self.turns.rest:
                costs.rest_requests += 1
                costs.conditional += "If-None-Match" in answer.request_info.headers
                costs.not_modified += answer.status == 304
            else:
                costs.graphql_requests += 1
                # What did not get ready in time is paid for as well.
                costs.graphql_points += answer.status in (502, 504)
        budget = ratelimit.budget_of(answer.headers, self.clock())
        if budget and budget.resource == lane.resource:
            lane.budget = budget
        if budget and self._on_budget:
            self._on_budget(budget)

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "User-Agent": USER_AGENT,
            "X-GitHub-Api-Version": API_VERSION,
        }

    def _error_of(self, answer: Answer) -> GitHubError:
        path = urlsplit(answer.url).path
        if answer.status == 401:
            return GitHubTokenDead(
                "GitHub does not accept this token.",
                "It is wrong, expired or revoked: connect GitHub again, or make a new token.",
            )
        single_sign_on = answer.headers.get("X-GitHub-SSO", "")
        if single_sign_on.startswith("required"):
            return self._sign_on(single_sign_on)
        said = self.plain(_message(answer))
        if answer.status == 410:
            return GitHubGone(f"GitHub has turned off {path}: {said}.", "")
        if answer.status in (403, 404, 451):
            return GitHubNoAccess(f"GitHub gives no access to {path}: {said}.", "")
        if answer.status >= 500:
            return GitHubUnavailable(
                f"GitHub answered {answer.status} at {path}.", "It is asked again later; nothing is lost."
            )
        return GitHubError(f"GitHub answered {answer.status} at {path}: {said}.", "")

    def _sign_on(self, header: str) -> GitHubSignOn:
        """GitHub gives the way in the header `X-GitHub-SSO: required; url=...`, good for an hour.

        Source: https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api#personal-access-tokens-and-saml-sso
        """
        link = header.partition("url=")[2].split(";")[0].strip()
        # Nobody is led to a host that only an answer named.
        is_ours = urlsplit(link)[:2] == urlsplit(self.addresses.web)[:2]
        return GitHubSignOn(
            "The organisation asks for single sign-on first.",
            f"Open {link}" if is_ours else "Allow this token for the organisation in GitHub's settings.",
            link=link if is_ours else "",
        )

    def plain(self, said: str) -> str:
        """GitHub's own words, as short as they are; a token that a proxy sends back is not among them."""
        text = said.replace(self._token, "[token]") or "no reason given"
        return "".join(char if char.isprintable() else " " for char in text)[:200].rstrip(".")

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


def _spoken(body: bytes) -> _Spoken:
    try:
        return msgspec.json.decode(body, type=_Spoken)
    except msgspec.MsgspecError:
        return _Spoken()


def _message(answer: Answer) -> str:
    if answer.status < 400:
        return ""
    try:
        return msgspec.json.decode(answer.body, type=_Complaint).message
    except msgspec.MsgspecError:
        return ""
