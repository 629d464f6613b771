"""A person with a browser, without the browser: keeps cookies per host, follows nothing by itself."""

from __future__ import annotations

import html
import re
import secrets
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from types import TracebackType
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import leaks
from multidict import CIMultiDictProxy

from trackeep.handshake import messages

NAVIGATION = {
    "Accept": "text/html",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Site": "cross-site",
}


@dataclass(frozen=True)
class Answer:
    """What came back, already read."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    url: str

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address that this answer leads to, each of which must be there once."""
        pairs = parse_qsl(urlsplit(self.location).query, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def set_cookies(self) -> list[str]:
        return self.headers.getall("Set-Cookie", [])

    @property
    def form_token(self) -> str:
        """The hidden token of a consent page."""
        found = re.search(r'name="token" value="([^"]+)"', self.text)
        assert found, self.text[-1500:]
        return found[1]

    @property
    def is_ticked(self) -> bool:
        """Whether the page shows the box under "Remember this instance" ticked already."""
        return 'name="remember" value="yes" checked' in self.text

    @property
    def onward(self) -> str:
        """The address at GitHub to which the page goes on by itself."""
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', self.text)
        assert found, self.text[-1500:]
        return html.unescape(found[1])

    @property
    def starts_a_login(self) -> bool:
        return "http-equiv" in self.text or any("txn-" in cookie for cookie in self.set_cookies)


@dataclass(frozen=True)
class Start:
    """One login as an instance begins it; the verifier never leaves the instance."""

    base_url: str = "http://localhost:8080"
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    name: str = ""
    scopes: tuple[str, ...] = messages.DEFAULT_SCOPES
    jwe_jwk: str = ""
    with_code: bool = True

    def url(self, broker_url: str) -> str:
        challenge = messages.code_challenge(self.verifier) if self.with_code else ""
        request = messages.StartRequest(
            self.base_url, self.state, challenge, self.name, self.scopes, self.jwe_jwk
        )
        return messages.start_url(broker_url, request)


class Visitor:
    """`cookies` are kept by host name, as browsers do; ports do not separate them.

    To the service each visitor comes from an `address` of their own, through a proxy that it trusts.
    """

    def __init__(self, broker_url: str, address: str = "") -> None:
        self.broker_url = broker_url
        self.address = address or f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        self.cookies: dict[str, dict[str, str]] = {}

    async def __aenter__(self) -> Visitor:
        # Servers hang up after five idle seconds; a form sent just then would be lost.
        connector = aiohttp.TCPConnector(keepalive_timeout=1)
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.ask("GET", url, {**NAVIGATION, **_names(headers)})

    async def post(self, url: str, form: dict[str, str], **headers: str) -> Answer:
        own = {**NAVIGATION, "Sec-Fetch-Site": "same-origin", **_names(headers)}
        return await self.ask("POST", url, own, form)

    async def ask(
        self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None = None
    ) -> Answer:
        """One request with this visitor's cookies; headers with an empty value are left out."""
        jar = self.cookies.setdefault(urlsplit(url).hostname or "", {})
        if self.broker_url and url.startswith(self.broker_url):
            headers = {"X-Forwarded-For": self.address, **headers}
        sent = {name: value for name, value in headers.items() if value}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        async with self._http.request(method, url, headers=sent, data=form, allow_redirects=False) as answer:
            result = Answer(answer.status, answer.headers, await answer.text(), url)
        for line in result.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                jar[name] = morsel.value
                if morsel["max-age"] == "0":
                    del jar[name]
        return result

    async def begin(self, start: Start) -> Answer:
        """Opens the start link: the consent page, if the service lets it come to that."""
        return await self.get(start.url(self.broker_url))

    async def agree(self, page: Answer, *, remember: bool | None = None, **headers: str) -> Answer:
        """Presses Continue on a consent page; the box under `remember` as the page shows it, or changed."""
        form = {"token": page.form_token}
        if page.is_ticked if remember is None else remember:
            form["remember"] = "yes"
        return await self.post(f"{self.broker_url}/auth/github", form, **headers)

    async def sign_in_at_github(self, url: str, login: str = "alice") -> str:
        """Signs in and allows the app at GitHub; the address to which GitHub sends the browser back."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        await self.post(f"{origin}/login", {"person": login, "return_to": "/"})
        answer = await self.get(url)
        if answer.status == 200:
            fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            answer = await self.post(f"{origin}/login/oauth/authorize", {**fields, "decision": "authorize"})
        assert answer.status == 302, answer.text
        return answer.location

    async def back_from_github(self, start: Start, login: str = "alice") -> str:
        """Everything up to GitHub's answer: the callback address, not opened yet."""
        onward = (await self.agree(await self.begin(start))).onward
        return await self.sign_in_at_github(onward, login)

    async def log_in(self, start: Start, login: str = "alice") -> Answer:
        """The whole way through the browser; the last answer leads back to the instance."""
        return await self.get(await self.back_from_github(start, login))

    async def log_in_without_asking(self, start: Start, login: str = "alice") -> Answer:
        """The way through a service that shows no consent page for this address."""
        begun = await self.begin(start)
        assert begun.status == 303, begun.text[-1500:]
        return await self.get(await self.sign_in_at_github(begun.location, login))

    async def redeem(self, start: Start, code: str, **changes: str) -> Answer:
        """What the instance's server does with a code; a change to "" leaves the field out."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": start.verifier,
            "redirect_uri": start.base_url,
            "client_id": start.base_url,
            **changes,
        }
        given = {name: value for name, value in form.items() if value}
        leaks.issued.add(code, start.verifier)
        return await self.ask("POST", f"{self.broker_url}/token", {"Accept": "application/json"}, given)


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
