"""OpenID Connect: the id_token, the access token that is good for /userinfo alone, and /userinfo itself."""

from __future__ import annotations

from joserfc import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import access
from trackeep.broker.codes import SealedCode
from trackeep.broker.parts import Broker, broker_of
from trackeep.broker.userinfo import CORS, bearer, unauthorized
from trackeep.errors import TokenRefused
from trackeep.github.login import Profile

LIFETIME_S = 3_600


def answer(broker: Broker, code: SealedCode, client_id: str, profile: Profile) -> dict[str, object]:
    """The token answer for a client that did not ask for GitHub's own token."""
    body: dict[str, object] = {
        "access_token": access.make(broker, _claims(broker, code, profile)),
        "token_type": "bearer",
        "expires_in": access.LIFETIME_S,
        "scope": " ".join(code.wants),
    }
    if "openid" in code.wants:
        body["id_token"] = id_token(broker, code, client_id, profile)
    return body


def id_token(broker: Broker, code: SealedCode, client_id: str, profile: Profile) -> str:
    """The signed statement of who signed in (OpenID Connect Core section 2)."""
    now = int(broker.clock())
    key = broker.ring.id_token_key(code.id_token_alg or "RS256", broker.clock())
    claims: dict[str, object] = {
        "iss": broker.issuer,
        "aud": client_id,
        "iat": now,
        "exp": now + LIFETIME_S,
        **_claims(broker, code, profile),
    }
    if code.nonce:
        claims["nonce"] = code.nonce
    header = {"alg": key.algorithm, "typ": "JWT", "kid": key.id}
    return jwt.encode(header, claims, key.key, [key.algorithm])


async def userinfo(request: Request) -> Response:
    """GET or POST /userinfo (OpenID Connect Core section 5.3): the claims inside the access token."""
    broker = broker_of(request)
    value = bearer(request)
    if not value:
        return unauthorized(request, "", "An access token is missing.")
    try:
        claims = access.read(broker, value)
    except TokenRefused as refused:
        return unauthorized(request, "invalid_token", refused.sentence)
    return JSONResponse(claims, headers={**CORS, "cache-control": "no-store"})


def _claims(broker: Broker, code: SealedCode, profile: Profile) -> dict[str, str | bool]:
    """What the scopes that the person agreed to tell (OpenID Connect Core section 5.4)."""
    person = profile.person
    claims: dict[str, str | bool] = {"sub": str(person.id)}
    if "profile" in code.wants:
        claims |= {"preferred_username": person.login, "name": person.name or person.login}
        claims |= {"picture": person.avatar_url, "profile": f"{broker.settings.github.web}/{person.login}"}
    if "email" in code.wants and profile.email:
        # Only an address that GitHub has verified ever comes this far.
        claims |= {"email": profile.email, "email_verified": True}
    return claims
