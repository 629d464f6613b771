"""What a finished login is worth: GitHub's token with a signed login token, or only who somebody is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from trackeep.broker import identity, limits
from trackeep.broker.codes import SealedCode
from trackeep.broker.parts import Broker
from trackeep.broker.userinfo import user
from trackeep.errors import GitHubError
from trackeep.github.login import Profile
from trackeep.github.oauth import GitHubToken
from trackeep.handshake import token as login_token
from trackeep.handshake.messages import KNOWN_SCOPES
from trackeep.handshake.sealed import Purpose, seal


class SealedRefreshToken(msgspec.Struct, array_like=True, frozen=True):
    """GitHub's refresh token, bound to the one client that may use it, and to its key where it has one.

    `scopes` are what GitHub granted, `wants` what an OAuth client said it wants, () for a start link.
    """

    refresh_token: str
    target: str
    client: str
    scopes: tuple[str, ...]
    dpop_jkt: str
    wants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issued:
    """A finished login; `token` is the JWT, inside a JWE when the instance gave a key."""

    token: str
    github: GitHubToken
    profile: Profile


async def issue(broker: Broker, code: SealedCode, client_id: str = "") -> Issued:
    """Asks GitHub for the token and the person, and signs the login token for whoever asked.

    Raises GrantRefused when GitHub's code is spent, GitHubUnavailable or GitHubError otherwise.
    """
    github = await broker.github.exchange(code.github_code, broker.callback_url, code.verifier)
    async with _ended_on_failure(broker, github):
        profile = await broker.github.profile(github.access_token)
        await limits.check_person(broker, profile.person.id)
        key = broker.ring.signing_key(broker.clock())
        signed = login_token.sign(_claims(broker, code, client_id, github, profile), key)
        token = login_token.encrypt(signed, code.jwe_jwk) if code.jwe_jwk else signed
        return Issued(token, github, profile)


async def identify(broker: Broker, code: SealedCode, client_id: str) -> dict[str, object]:
    """The token answer for a client that only wants to know who somebody is: GitHub's token ends here."""
    github = await broker.github.exchange(code.github_code, broker.callback_url, code.verifier)
    try:
        profile = await broker.github.profile(github.access_token)
        await limits.check_person(broker, profile.person.id)
    finally:
        await _end(broker, github)
    return identity.answer(broker, code, client_id, profile)


def answer(
    broker: Broker, code: SealedCode, issued: Issued, client_id: str, thumbprint: str
) -> dict[str, object]:
    """The token answer with GitHub's own token (RFC 6749 section 5.1).

    `thumbprint` is that of the key to which a refresh token is bound, "" for none.
    """
    person, wants = issued.profile.person, code.wants if code.is_exact else ()
    bound = SealedRefreshToken("", code.target, code.client, issued.github.scopes, thumbprint, wants)
    body = github_answer(broker, issued.github, bound)
    body["token"] = issued.token
    body["user"] = user(person.id, person.login, issued.profile.email, person.name, person.avatar_url)
    if "openid" in code.wants:
        body["id_token"] = identity.id_token(broker, code, client_id, issued.profile)
    return body


def github_answer(broker: Broker, github: GitHubToken, bound: SealedRefreshToken) -> dict[str, object]:
    """What every answer with GitHub's own token holds; its refresh token is sealed to whom `bound` names."""
    body: dict[str, object] = {
        "access_token": github.access_token,
        "token_type": "bearer",
        "scope": " ".join(granted(bound.wants, github.scopes)),
    }
    if github.expires_in_s is not None:
        body["expires_in"] = github.expires_in_s
    if github.refresh_token is not None:
        # Sealed: only this service can use it (GitHub wants the client secret), and only for this client.
        sealed = msgspec.structs.replace(bound, refresh_token=github.refresh_token)
        body["refresh_token"] = seal(broker.ring, Purpose.REFRESH_TOKEN, sealed, broker.clock())
    return body


def granted(wants: tuple[str, ...], scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scope of an answer: GitHub's `scopes`, or of the words of an OAuth client those that it got.

    In its own words, because common libraries take a scope that they did not ask for as an attack.
    """
    if not wants:
        return scopes
    return tuple(word for word in wants if word not in KNOWN_SCOPES or word in scopes)


@contextlib.asynccontextmanager
async def _ended_on_failure(broker: Broker, github: GitHubToken) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await _end(broker, github)
        raise


async def _end(broker: Broker, github: GitHubToken) -> None:
    # Nobody will ever hold this token: it must not live on, and not push an older one out.
    with contextlib.suppress(GitHubError):
        await broker.github.revoke(github.access_token)


def _claims(
    broker: Broker, code: SealedCode, client_id: str, github: GitHubToken, profile: Profile
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
        aud=client_id if code.is_exact else code.target,
        sub=str(person.id),
        jti=secrets.token_urlsafe(16),
        nonce=code.state_nonce,
    )
