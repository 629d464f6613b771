"""The few calls of a login to GitHub: a token for a code, the person behind it, the end of a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from trackeep.environment import GitHubAddresses, InstanceSettings
from trackeep.errors import GitHubUnavailable
from trackeep.github import oauth
from trackeep.github.transport import USER_AGENT
from trackeep.model import Person

TIMEOUT_S = 10.0
LONGEST_ANSWER = 262_144
TIMEOUT = aiohttp.ClientTimeout(total=TIMEOUT_S, connect=5.0)


@dataclass(frozen=True)
class Profile:
    """Who signed in; `email` is the primary verified address or ""."""

    person: Person
    email: str


@dataclass(frozen=True)
class _Answer:
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class OwnApp:
    """The instance's own registration at GitHub, for logins without an OAuth service between."""

    addresses: GitHubAddresses
    registration: oauth.Registration

    @classmethod
    def of(cls, settings: InstanceSettings) -> OwnApp | None:
        """The registration that the settings name, None when an OAuth service or nothing is set."""
        if not settings.has_own_app:
            return None
        return cls(
            settings.github,
            oauth.Registration(
                settings.github_client_id, settings.github_client_secret, settings.github_app_slug
            ),
        )

    def at_github(self, http: aiohttp.ClientSession) -> GitHubLogin:
        return GitHubLogin(http, self.addresses, self.registration)


class GitHubLogin:
    """GitHub as a login needs it, for one registration."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        addresses: GitHubAddresses,
        registration: oauth.Registration,
        timed: Callable[[str, float], None] = lambda _call, _took_s: None,
    ) -> None:
        self._http = http
        self._timed = timed
        self._addresses = addresses
        self.registration = registration

    def authorize_url(self, question: oauth.Authorization) -> str:
        return oauth.authorize_url(self._addresses.web, self.registration, question)

    async def exchange(self, code: str, redirect_uri: str, verifier: str) -> oauth.GitHubToken:
        """The token for a code, which GitHub gives out once; raises GrantRefused, GitHubError."""
        form = oauth.exchange_form(self.registration, code, redirect_uri, verifier)
        return await self._token("token", form)

    async def refresh(self, refresh_token: str) -> oauth.GitHubToken:
        """The pair that follows a refresh token, which is spent by asking; raises as `exchange` does."""
        return await self._token("refresh", oauth.refresh_form(self.registration, refresh_token))

    async def profile(self, access_token: str) -> Profile:
        """The person whom the token belongs to; asked twice at most, because the code is spent by now."""
        try:
            return await self._profile(access_token)
        except GitHubUnavailable:
            return await self._profile(access_token)

    async def revoke(self, access_token: str) -> bool:
        """Ends a token at GitHub; False for one that is dead already or never was, which is as good."""
        url = oauth.revocation_url(self._addresses.api, self.registration)
        basic = aiohttp.encode_basic_auth(self.registration.client_id, self.registration.client_secret)
        headers = {"Authorization": basic}
        answer = await self._ask("revoke", "DELETE", url, headers, json={"access_token": access_token})
        if answer.status not in (204, 404, 422):
            raise GitHubUnavailable("GitHub did not end the token.", "Try again in a minute.")
        return answer.status == 204

    async def _token(self, call: str, form: Mapping[str, str]) -> oauth.GitHubToken:
        url = oauth.token_url(self._addresses.web)
        answer = await self._ask(call, "POST", url, {"Accept": oauth.JSON}, form=form)
        return oauth.parse_token_answer(answer.status, answer.content_type, answer.body)

    async def _profile(self, access_token: str) -> Profile:
        user, emails = await asyncio.gather(
            self._get("/user", access_token), self._get("/user/emails", access_token)
        )
        if user.status != 200:
            raise GitHubUnavailable("GitHub did not say who signed in.", "Try again in a minute.")
        addresses = oauth.parse_emails(emails.status, emails.body)
        return Profile(oauth.parse_user(user.body), oauth.verified_email(addresses))

    async def _get(self, path: str, access_token: str) -> _Answer:
        headers = {
            "Authorization": f"Bearer {access_token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return await self._ask(path.rpartition("/")[2], "GET", self._addresses.api + path, headers)

    async def _ask(
        self,
        call: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
    ) -> _Answer:
        began = time.perf_counter()
        try:
            # No redirects: a secret is sent to the configured address or nowhere.
            async with self._http.request(
                method,
                url,
                headers={"User-Agent": USER_AGENT, **headers},
                data=form,
                json=json,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(LONGEST_ANSWER + 1)
                while len(body) <= LONGEST_ANSWER and not answer.content.at_eof():
                    body += await answer.content.read(LONGEST_ANSWER + 1 - len(body))
                return _Answer(answer.status, answer.headers.get("Content-Type", ""), body[:LONGEST_ANSWER])
        except (aiohttp.ClientError, TimeoutError):
            raise GitHubUnavailable("GitHub did not answer.", "Try again in a minute.") from None
        finally:
            self._timed(call, time.perf_counter() - began)


def new_http_session() -> aiohttp.ClientSession:
    """The connection pool to GitHub: bounded in time, without cookies and without proxies of its own."""
    return aiohttp.ClientSession(
        timeout=TIMEOUT,
        connector=aiohttp.TCPConnector(limit=200, limit_per_host=100),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
