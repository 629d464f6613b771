"""How an instance's server talks to the OAuth service: redeem, refresh, revoke, fetch the public keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from trackeep.errors import BrokerError, BrokerUnavailable, GrantRefused
from trackeep.handshake.token import VerifyingKey, public_keys

TIMEOUT = aiohttp.ClientTimeout(total=25.0, connect=5.0)
LONGEST_ANSWER = 65_536


class User(msgspec.Struct, frozen=True):
    """Who signed in; `email` is the primary verified address or ""."""

    id: int
    github_id: int
    username: str
    email: str = ""
    name: str = ""
    avatar_url: str = ""


class _RenewalAnswer(msgspec.Struct, kw_only=True):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the kind of token, not a token
    scope: str = ""
    expires_in: int | None = None
    refresh_token: str | None = None


class _TokenAnswer(_RenewalAnswer, kw_only=True):
    token: str
    user: User


@dataclass(frozen=True)
class Redemption:
    """What a code was worth; `token` is the login token, still to be verified by the caller."""

    access_token: str = field(repr=False)
    token_type: str
    scope: tuple[str, ...]
    expires_in_s: int | None
    refresh_token: str | None = field(repr=False)
    token: str = field(repr=False)
    user: User


@dataclass(frozen=True)
class Renewal:
    """What a refresh token was worth: a new pair, and nothing about the person."""

    access_token: str = field(repr=False)
    scope: tuple[str, ...]
    expires_in_s: int | None
    refresh_token: str | None = field(repr=False)


class BrokerClient:
    """The service at `broker_url`, which has to be exactly its issuer."""

    def __init__(self, http: aiohttp.ClientSession, broker_url: str) -> None:
        self._http = http
        self.broker_url = broker_url.rstrip("/")

    async def redeem(self, *, code: str, code_verifier: str, redirect_uri: str) -> Redemption:
        """GitHub's token for a code that came to `redirect_uri` (the base URL of this instance).

        Raises GrantRefused when the code is spent, old or foreign (start the login again),
        BrokerUnavailable when nobody answered, BrokerError for anything else.
        """
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
        return await self._token({**form, "redirect_uri": redirect_uri, "client_id": redirect_uri})

    async def refresh(self, refresh_token: str, redirect_uri: str) -> Renewal:
        """A new pair for a refresh token; the old one is spent.

        Raises GrantRefused when it is spent or ended, BrokerUnavailable when nothing is known about it
        because nobody answered or GitHub is in trouble, BrokerError for anything else.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        form |= {"redirect_uri": redirect_uri, "client_id": redirect_uri}
        answer = _decode(await self._ask("POST", "/token", form), _RenewalAnswer)
        return Renewal(
            access_token=answer.access_token,
            scope=tuple(answer.scope.split()),
            expires_in_s=answer.expires_in,
            refresh_token=answer.refresh_token,
        )

    async def revoke(self, token: str) -> None:
        """Ends a GitHub token; no error when it is dead already."""
        await self._ask("POST", "/revoke", {"token": token})

    async def signing_keys(self) -> dict[str, VerifyingKey]:
        """The service's public keys by key id, for `token.verify`; worth keeping for an hour."""
        body = await self._ask("GET", "/.well-known/jwks.json")
        return public_keys(_decode(body, dict[str, Any]))

    async def _token(self, form: Mapping[str, str]) -> Redemption:
        answer = _decode(await self._ask("POST", "/token", form), _TokenAnswer)
        return Redemption(
            access_token=answer.access_token,
            token_type=answer.token_type,
            scope=tuple(answer.scope.split()),
            expires_in_s=answer.expires_in,
            refresh_token=answer.refresh_token,
            token=answer.token,
            user=answer.user,
        )

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> bytes:
        try:
            # No redirects: a code or token is sent to the configured address or nowhere.
            async with self._http.request(
                method,
                self.broker_url + path,
                data=form,
                headers={"Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(LONGEST_ANSWER)
                while not answer.content.at_eof() and len(body) < LONGEST_ANSWER:
                    body += await answer.content.read(LONGEST_ANSWER - len(body))
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError):
            raise BrokerUnavailable(
                "The OAuth service did not answer.", "Check TRACKEEP_BROKER_URL and whether it is running."
            ) from None
        if status == 200:
            return body
        raise _refusal(status, body, retry_after)


def _decode(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError:
        raise BrokerError(
            "The OAuth service sent an answer that cannot be read.", "Check TRACKEEP_BROKER_URL."
        ) from None


def _refusal(status: int, body: bytes, retry_after: str) -> BrokerError | GrantRefused:
    try:
        word = msgspec.json.decode(body, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        word = None
    if word == "invalid_grant":
        return GrantRefused("The login took too long or was used already.", "Sign in again.")
    if status >= 500 or status == 429:
        wait_s = int(retry_after) if re.fullmatch("[0-9]{1,6}", retry_after) else 0
        sentence = "The OAuth service cannot help just now."
        return BrokerUnavailable(sentence, "Try again in a minute.", retry_after_s=wait_s)
    return BrokerError(f"The OAuth service refused the request (status {status}).", "Start the login again.")
