"""Signing in through the OAuth service in code mode: the way there, and the way back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from trackeep import web
from trackeep.errors import (
    ClientRefused,
    LoginError,
    NotFound,
    TokenRefused,
    TrackeepError,
    UnknownSigningKey,
    UsageError,
)
from trackeep.github.login import OwnApp
from trackeep.github.transport import fingerprint
from trackeep.handshake import messages, token
from trackeep.handshake.client import BrokerClient, Redemption
from trackeep.instance import problems
from trackeep.instance.entry import (
    admission,
    client_document,
    direct_login,
    other_account,
    sealed_cookies,
)
from trackeep.instance.entry.revocation import revoke
from trackeep.instance.entry.signin import SCOPES
from trackeep.instance.site import Site, at_home, safe_next, site_of
from trackeep.store import people
from trackeep.store.identity_key import identity_key

log = structlog.get_logger()

Finish = Callable[[Request, list[tuple[str, str]]], Awaitable[Response]]
FETCH_KEYS_EVERY_S = 60
WITHOUT_DOCUMENT_S = 86_400


async def start(request: Request) -> Response:
    """GET /auth/login: on to the OAuth service or to GitHub itself, always by a link (never a form)."""
    site, query = site_of(request), request.query_params
    if elsewhere := at_home(request):
        return elsewhere
    if not site.settings.has_github_login:
        raise NotFound(
            "This Trackeep uses no OAuth service.", "Sign in with a token, or set TRACKEEP_BROKER_URL."
        )
    access = query.get("access", "all")
    if access not in SCOPES:
        raise UsageError(
            "The link asks for something that does not exist.", "Use the links of the sign-in page."
        )
    site.login_starts.check(request.state.client_address, site.clock())
    site.login_starts.note(request.state.client_address, site.clock())
    own_app = OwnApp.of(site.settings)
    return direct_login.begin(request, own_app, access) if own_app else await _begin(request, access)


async def _begin(request: Request, access: str) -> Response:
    site, query = site_of(request), request.query_params
    login = sealed_cookies.login_named(request, query.get("login", ""))
    login = login or sealed_cookies.begin_login(site, safe_next(query.get("next", "/")), access)
    asked = messages.StartRequest(
        redirect_uri=site.settings.base_url,
        state=login.state,
        code_challenge=login.code_challenge,
        name="Trackeep",
        scopes=SCOPES[access],
    )
    there, client_id = await _pushed(site, asked)
    login = msgspec.structs.replace(login, client_id=client_id)
    response = RedirectResponse(there, 303, headers={"cache-control": "no-store"})
    sealed_cookies.keep_login(request, response, login)
    return response


async def _pushed(site: Site, asked: messages.StartRequest) -> tuple[str, str]:
    """The link that begins a login which the service knows already, and as whom its code is redeemed.

    Where the service can fetch our metadata document, it knows us by that; else by our base URL.
    """
    broker = await _broker(site)
    client_id = client_document.client_id_of(asked.redirect_uri)
    if client_id and site.clock() >= site.document_refusal.until:
        try:
            return await _push(broker, replace(asked, client_id=client_id))
        except ClientRefused as refused:
            log.warning("the OAuth service cannot fetch our document", address=client_id, reason=str(refused))
            site.document_refusal.until = site.clock() + WITHOUT_DOCUMENT_S
    return await _push(broker, asked)


async def _push(broker: BrokerClient, asked: messages.StartRequest) -> tuple[str, str]:
    request_uri = await broker.push(asked)
    # A service that takes no pushed requests is told by the link; any other trouble ends the login.
    if request_uri is None:
        return messages.start_url(broker.broker_url, replace(asked, client_id="")), ""
    client_id = asked.client_id or asked.redirect_uri
    return messages.pushed_url(broker.broker_url, client_id, request_uri), asked.client_id


async def _broker(site: Site) -> BrokerClient:
    key = await identity_key(site.db, site.vault)
    return BrokerClient(site.http, site.settings.broker_url, key, site.clock)


async def callback(request: Request) -> Response:
    """GET /auth/callback: the answer of the OAuth service; whatever it is, the login is over afterwards."""
    return await _once(request, _finish)


async def from_github(request: Request) -> Response:
    """GET /auth/github/callback: GitHub's own answer, where no OAuth service stands between."""
    return await _once(request, direct_login.finish)


async def _once(request: Request, finish: Finish) -> Response:
    query = parse_qsl(request.url.query, keep_blank_values=True)
    try:
        response = await finish(request, query)
    except TrackeepError as error:
        log.warning("login refused", code=error.code, reason=error.sentence)
        response = web.answer(request, error, problems.page)
    login_id = dict(query).get("state", "").partition(".")[0]
    if sealed_cookies.login_named(request, login_id):
        sealed_cookies.end_login(site_of(request), response, login_id)
    return response


async def _finish(request: Request, query: list[tuple[str, str]]) -> Response:
    site = site_of(request)
    if not site.settings.broker_url:
        raise LoginError("This Trackeep uses no OAuth service.", "Sign in with a token.")
    answer = messages.parse_callback(query)
    login = sealed_cookies.login_of_state(request, answer.state)
    # Mix-up: the code of one service must never be sent to another (RFC 9207).
    if not secrets.compare_digest(answer.iss.encode(), site.settings.broker_url.encode()):
        raise LoginError(
            "The answer came from another OAuth service than the one set here.",
            "TRACKEEP_BROKER_URL must be exactly the address that the service calls itself.",
        )
    # A login's cookie may be sent again with another made-up code, as often as somebody likes.
    address = request.state.client_address
    site.login_ends.check(address, site.clock())
    site.login_ends.note(address, site.clock())
    broker = await _broker(site)
    redemption = await broker.redeem(
        code=answer.code,
        code_verifier=login.verifier,
        redirect_uri=site.settings.base_url,
        client_id=login.client_id,
    )
    site.login_ends.forgive(address)
    await other_account.end_overdue(site)
    try:
        arrival = await _arrival(site, broker, redemption, login)
        entered = await admission.enter(request, arrival)
    except TrackeepError:
        # A token of somebody who does not enter is of no use to anybody.
        await _revoke(broker, redemption.access_token)
        raise
    if entered.replaced:
        await revoke(site, entered.replaced)
    return entered.response


async def _arrival(
    site: Site, broker: BrokerClient, redemption: Redemption, login: sealed_cookies.Login
) -> admission.Arrival:
    """Who came, after every check of the login token and of the GitHub token against each other."""
    claims = await _verified(site, broker, redemption.token, messages.nonce_of(login.state))
    viewer = await admission.whose(site, redemption.access_token)
    # Three sources must name the same person: the signed claims, the answer, and GitHub for this token.
    if not claims.github_id == redemption.user.github_id == viewer.person.id:
        raise TokenRefused(
            "The login token and the GitHub token belong to different people.", "Sign in again."
        )
    expires_at = site.now() + redemption.expires_in_s if redemption.expires_in_s else None
    credential = people.Credential(
        kind="broker",
        access_token=redemption.access_token,
        token_fingerprint=fingerprint(redemption.access_token),
        scopes=viewer.scopes,
        refresh_token=redemption.refresh_token or "",
        expires_at=expires_at,
        broker_url=site.settings.broker_url,
        base_url=site.settings.base_url,
        client_id=login.client_id,
    )
    return admission.Arrival(viewer, credential, login.next, claims.jti, claims.exp)


async def _verified(site: Site, broker: BrokerClient, unverified: str, nonce: str) -> token.SignedClaims:
    """The claims of the login token; keys that are not known yet are fetched, at most once a minute."""
    known = site.broker_keys
    try:
        return _verify(site, unverified, nonce)
    except UnknownSigningKey:
        async with known.turn:
            if site.clock() - known.fetched_at >= FETCH_KEYS_EVERY_S:
                known.keys, known.fetched_at = await broker.signing_keys(), site.clock()
    return _verify(site, unverified, nonce)


def _verify(site: Site, unverified: str, nonce: str) -> token.SignedClaims:
    return token.verify(
        unverified,
        site.broker_keys.keys,
        issuer=site.settings.broker_url,
        audience=site.settings.base_url,
        now=site.clock(),
        nonce=nonce,
    )


async def _revoke(broker: BrokerClient, access_token: str) -> None:
    """End a token at GitHub; when that fails it stays listed there until GitHub drops it."""
    try:
        await broker.revoke(access_token)
    except TrackeepError as error:
        log.warning("token not revoked", reason=error.sentence)
