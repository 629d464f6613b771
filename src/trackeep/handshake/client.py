"""How an instance's server talks to the OAuth service: redeem, refresh, revoke, fetch the public keys."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from joserfc.jwk import ECKey

from trackeep.errors import BrokerError, BrokerUnavailable, ClientRefused, GrantRefused
from trackeep.handshake import dpop
from trackeep.handshake.messages import StartRequest, start_parameters
from trackeep.handshake.token import VerifyingKey, public_keys

TIMEOUT = aiohttp.ClientTimeout(total=25.0, connect=5.0)
LONGEST_ANSWER = 65_536
# What is signed: elsewhere nothing is bound to a key.
SIGNED = ("/par", "/token")


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


class _PushAnswer(msgspec.Struct):
    request_uri: str


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


class _NotOffered(BrokerError):
    """There is nothing at this address of the service."""


class BrokerClient:
    """The service at `broker_url`, which has to be exactly its issuer.

    With `key` every login is bound to it (DPoP): codes and refresh tokens are then worthless to others.
    `clock` gives unix seconds. A `client_id` of "" stands for the base URL.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        broker_url: str,
        key: ECKey | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self.broker_url = broker_url.rstrip("/")
        self._key = key
        self._clock = clock

    async def push(self, asked: StartRequest) -> str | None:
        """Tells the service what a login is for; the `request_uri` under which it may begin (RFC 9126).

        None from a service that takes no pushed requests: the start link then says the same. Raises
        ClientRefused when it does not accept `asked.client_id`, otherwise as `redeem` does.
        """
        form = {"client_id": asked.redirect_uri, **start_parameters(asked)}
        try:
            return str(_decode(await self._ask("POST", "/par", form), _PushAnswer).request_uri)
        except _NotOffered:
            return None

    async def redeem(
        self, *, code: str, code_verifier: str, redirect_uri: str, client_id: str = ""
    ) -> Redemption:
        """GitHub's token for a code that came to `redirect_uri` (the base URL of this instance).

        Raises GrantRefused when the code is spent, old or foreign (start the login again),
        BrokerUnavailable when nobody answered, BrokerError for anything else.
        """
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
        form |= {"redirect_uri": redirect_uri, "client_id": client_id or redirect_uri}
        return await self._token(form)

    async def refresh(self, refresh_token: str, redirect_uri: str, client_id: str = "") -> Renewal:
        """A new pair for a refresh token, asked for as the code was redeemed; the old one is spent.

        Raises GrantRefused when it is spent or ended, BrokerUnavailable when nothing is known about it
        because nobody answered or GitHub is in trouble, BrokerError for anything else.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        form |= {"redirect_uri": redirect_uri, "client_id": client_id or redirect_uri}
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
                headers={"Accept": "application/json", **self._proof(method, path)},
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
        if status in (200, 201):
            return body
        raise _refusal(status, body, retry_after)

    def _proof(self, method: str, path: str) -> dict[str, str]:
        if self._key is None or path not in SIGNED:
            return {}
        url, jti = self.broker_url + path, secrets.token_urlsafe(16)
        return {dpop.HEADER: dpop.make_proof(self._key, method, url, int(self._clock()), jti)}


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
    if word == "invalid_client":
        return ClientRefused("The OAuth service does not know this Trackeep.", "Sign in again.")
    if word == "invalid_dpop_proof":
        return BrokerError(
            "The OAuth service did not accept the signature of this Trackeep.",
            "Check that the clock of its computer is right to the minute, then sign in again.",
        )
    if status in (404, 405):
        return _NotOffered("The OAuth service does not offer this.", "Check TRACKEEP_BROKER_URL.")
    if status >= 500 or status == 429:
        wait_s = int(retry_after) if re.fullmatch("[0-9]{1,6}", retry_after) else 0
        sentence = "The OAuth service cannot help just now."
        return BrokerUnavailable(sentence, "Try again in a minute.", retry_after_s=wait_s)
    return BrokerError(f"The OAuth service refused the request (status {status}).", "Start the login again.")
