"""POST /token and /revoke: a code becomes GitHub's token only now, after every check has passed."""

from __future__ import annotations

import contextlib
import hmac
import secrets
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import targets
from trackeep.broker.exchange import Profile
from trackeep.broker.parts import Broker, broker_of, one, read_form
from trackeep.broker.transactions import Transaction
from trackeep.errors import (
    GitHubError,
    GitHubUnavailable,
    GrantRefused,
    TrackeepError,
    UsageError,
)
from trackeep.github.oauth import GitHubToken
from trackeep.handshake import token as login_token
from trackeep.handshake.messages import code_challenge, is_verifier, nonce_of
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

CODE_LIFETIME_S = 60
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


class SealedCode(msgspec.Struct, array_like=True, frozen=True):
    """Our one-time code: GitHub's own, with everything that has to be checked before it is used.

    GitHub takes its code once, which makes ours single-use without anything being stored.
    """

    github_code: str
    verifier: str
    target: str
    challenge: str
    nonce: str
    jwe_jwk: str
    expires_at: int


class SealedRefreshToken(msgspec.Struct, array_like=True, frozen=True):
    """GitHub's refresh token, bound to the one instance that may use it."""

    refresh_token: str
    target: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Issued:
    """A finished login; `token` is the JWT, inside a JWE when the instance gave a key."""

    token: str
    github: GitHubToken
    profile: Profile


class UnsupportedGrant(UsageError):
    code = "unsupported_grant_type"


def seal_code(broker: Broker, transaction: Transaction, github_code: str) -> str:
    """The code that goes to the instance; GitHub is not asked yet, so an unused one mints nothing."""
    return seal(
        broker.ring,
        Purpose.CODE,
        SealedCode(
            github_code=github_code,
            verifier=transaction.verifier,
            target=transaction.target,
            challenge=transaction.request.code_challenge,
            nonce=nonce_of(transaction.request.state),
            jwe_jwk=transaction.request.jwe_jwk,
            expires_at=int(broker.clock()) + CODE_LIFETIME_S,
        ),
    )


async def issue(broker: Broker, code: SealedCode) -> Issued:
    """Asks GitHub for the token and the person, and signs the login token for `code.target`.

    Raises GrantRefused when GitHub's code is spent, GitHubUnavailable or GitHubError otherwise.
    """
    github = await broker.github.exchange(code.github_code, broker.callback_url, code.verifier)
    profile = await _profile(broker, github)
    signed = login_token.sign(_claims(broker, code, github, profile), broker.ring.signing_key(broker.clock()))
    token = login_token.encrypt(signed, code.jwe_jwk) if code.jwe_jwk else signed
    return Issued(token, github, profile)


async def _profile(broker: Broker, github: GitHubToken) -> Profile:
    try:
        return await broker.github.profile(github.access_token)
    except GitHubError:
        # Nobody will ever hold this token: it must not live on, and not push an older one out.
        with contextlib.suppress(GitHubError):
            await broker.github.revoke(github.access_token)
        raise


async def token(request: Request) -> Response:
    """POST /token (RFC 6749 section 4.1.3); every answer is JSON and is never stored."""
    broker = broker_of(request)
    try:
        form = await read_form(request)
        grant_type = one(form, "grant_type")
        if grant_type != "authorization_code":
            raise UnsupportedGrant("This grant_type is not offered.", "Send authorization_code.")
        code = _checked_code(broker, form)
        issued = await issue(broker, code)
    except TrackeepError as error:
        return _refusal(request, error)
    return JSONResponse(_answer(broker, code, issued), headers=NO_STORE)


async def revoke(request: Request) -> Response:
    """POST /revoke (RFC 7009): ends a GitHub token; whoever holds it may end it, so no more is asked."""
    broker = broker_of(request)
    try:
        form = await read_form(request)
        value = one(form, "token")
        if not value:
            raise UsageError("token is missing.", "Send the GitHub token that should end.")
        await broker.github.revoke(value)
    except TrackeepError as error:
        return _refusal(request, error)
    return Response(status_code=200, headers=NO_STORE)


def _checked_code(broker: Broker, form: list[tuple[str, str]]) -> SealedCode:
    """The code of `form`, when everything about it is right; GitHub is not involved.

    A wrong attempt costs nothing: the owner can still redeem.
    """
    now = broker.clock()
    names = ("code", "code_verifier", "redirect_uri", "client_id")
    blob, verifier, redirect_uri, client_id = (one(form, name) for name in names)
    if not (blob and verifier and redirect_uri and client_id):
        raise UsageError("A field is missing.", f"Send grant_type, {', '.join(names)}.")
    try:
        code = unseal(broker.ring, Purpose.CODE, blob, SealedCode, now)
    except SealBroken:
        raise _wrong_code() from None
    # A code is worth nothing a minute later, in a history or a log.
    if now > code.expires_at:
        raise _wrong_code()
    # A code that was made for one address is not redeemed by another, however it got there.
    if _base_url(redirect_uri) != code.target or _base_url(client_id) != code.target:
        raise _wrong_code()
    # The proof that whoever redeems is whoever began (RFC 7636); `plain` is never accepted.
    if not is_verifier(verifier) or not hmac.compare_digest(code_challenge(verifier), code.challenge):
        raise _wrong_code()
    return code


def _base_url(text: str) -> str:
    try:
        return targets.parse(text).base_url
    except UsageError:
        return ""


def _claims(
    broker: Broker, code: SealedCode, github: GitHubToken, profile: Profile
) -> login_token.SignedClaims:
    now = int(broker.clock())
    exp = now + login_token.LIFETIME_S
    person = profile.person
    return login_token.SignedClaims(
        user_id=person.id,
        github_id=person.id,
        username=person.login,
        email=profile.email,
        access_token=github.access_token,
        token_type="bearer",  # noqa: S106 - the kind of token, not a token
        expires_at=exp if github.expires_in_s is None else now + github.expires_in_s,
        exp=exp,
        iat=now,
        name=person.name,
        avatar_url=person.avatar_url,
        iss=broker.issuer,
        aud=code.target,
        sub=str(person.id),
        jti=secrets.token_urlsafe(16),
        nonce=code.nonce,
    )


def _answer(broker: Broker, code: SealedCode, issued: Issued) -> dict[str, object]:
    github, person = issued.github, issued.profile.person
    answer: dict[str, object] = {
        "access_token": github.access_token,
        "token_type": "bearer",
        "scope": " ".join(github.scopes),
        "token": issued.token,
        "user": {
            "id": person.id,
            "github_id": person.id,
            "username": person.login,
            "email": issued.profile.email,
            "name": person.name,
            "avatar_url": person.avatar_url,
        },
    }
    if github.expires_in_s is not None:
        answer["expires_in"] = github.expires_in_s
    if github.refresh_token is not None:
        # Sealed: only this service can use it (GitHub wants the client secret), and only for this instance.
        sealed = SealedRefreshToken(github.refresh_token, code.target, github.scopes)
        answer["refresh_token"] = seal(broker.ring, Purpose.REFRESH_TOKEN, sealed)
    return answer


def _refusal(request: Request, error: TrackeepError) -> Response:
    """`error` in the words of RFC 6749 section 5.2."""
    status, word = 500, "server_error"
    headers = dict(NO_STORE)
    if isinstance(error, GrantRefused):
        status, word = 400, "invalid_grant"
    elif isinstance(error, UnsupportedGrant):
        status, word = 400, error.code
    elif isinstance(error, UsageError):
        status, word = 400, "invalid_request"
    elif isinstance(error, GitHubUnavailable):
        # Not invalid_grant: the instance must not throw anything away because GitHub has a bad minute.
        status, word = 503, "temporarily_unavailable"
        headers["retry-after"] = "30"
    elif isinstance(error, GitHubError):
        status = 502
    body = {"error": word, "error_description": error.sentence, "request_id": request.state.request_id}
    return JSONResponse(body, status_code=status, headers=headers)


def _wrong_code() -> GrantRefused:
    # One sentence for all reasons: which of them it was would help an attacker only.
    return GrantRefused("The code is not valid, not yours, or older than a minute.", "Start the login again.")
