"""Who a login token belongs to, and the public keys that verify it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.parts import Broker, broker_of
from trackeep.errors import TokenRefused
from trackeep.handshake import token as login_token

# Any page may ask, because the answer depends on the token alone and never on a cookie.
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
CORS = {"access-control-allow-origin": "*"}
PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "authorization",
    "access-control-max-age": "86400",
}


async def me(request: Request) -> Response:
    """GET /api/v1/user/me: the person named in the bearer token, with no call to anybody."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        return unauthorized(request, "", "A login token is missing.")
    try:
        claims = _read(broker_of(request), value.strip())
    except TokenRefused as refused:
        return unauthorized(request, "invalid_token", refused.sentence)
    user = {
        "id": claims.user_id,
        "github_id": claims.github_id,
        "username": claims.username,
        "email": claims.email,
        "name": claims.name,
        "avatar_url": claims.avatar_url,
    }
    return JSONResponse({"user": user}, headers={**CORS, "cache-control": "no-store"})


async def preflight(request: Request) -> Response:
    """OPTIONS /api/v1/user/me, asked by browsers before a page sends `Authorization`."""
    return Response(status_code=204, headers=PREFLIGHT)


async def jwks(request: Request) -> Response:
    """GET /.well-known/jwks.json: the public keys of login tokens (RFC 7517)."""
    broker = broker_of(request)
    headers = {**CORS, "cache-control": "public, max-age=3600"}
    return JSONResponse(broker.ring.jwks(broker.clock()), headers=headers)


def _read(broker: Broker, unverified_token: str) -> login_token.SignedClaims:
    now = broker.clock()
    keys = {key.id: key.key for key in broker.ring.login_keys(now)}
    return login_token.read(unverified_token, keys, issuer=broker.issuer, now=now)


def unauthorized(request: Request, error: str, sentence: str) -> Response:
    """401 with the challenge that tells a program where to learn how to sign in (RFC 9728 section 5.1)."""
    documented = f'resource_metadata="{broker_of(request).issuer}{RESOURCE_METADATA}"'
    named = [f'error="{error}"', documented] if error else [documented]
    return JSONResponse(
        {"error": error or "invalid_token", "error_description": sentence},
        status_code=401,
        headers={**CORS, "www-authenticate": f"Bearer {', '.join(named)}", "cache-control": "no-store"},
    )
