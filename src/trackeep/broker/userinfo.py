"""Who a login token belongs to, and the public keys that verify it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import access
from trackeep.broker.parts import Broker, broker_of
from trackeep.errors import TokenRefused
from trackeep.handshake import token as login_token

RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
# Any page may ask, because the answer depends on the token alone and never on a cookie.
CORS = {"access-control-allow-origin": "*"}
PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "authorization",
    "access-control-max-age": "86400",
}


async def me(request: Request) -> Response:
    """GET /api/v1/user/me: the person named in the bearer token, with no call to anybody.

    The token is a login token, or the access token of an OpenID Connect client.
    """
    broker, value = broker_of(request), bearer(request)
    if not value:
        return unauthorized(request, "", "A login token is missing.")
    try:
        # A signed token has two dots, a sealed one has one.
        user = (_signed_in if value.count(".") == 2 else _recognised)(broker, value)
    except TokenRefused as refused:
        return unauthorized(request, "invalid_token", refused.sentence)
    return JSONResponse({"user": user}, headers={**CORS, "cache-control": "no-store"})


async def preflight(request: Request) -> Response:
    """OPTIONS /api/v1/user/me, asked by browsers before a page sends `Authorization`."""
    return Response(status_code=204, headers=PREFLIGHT)


async def jwks(request: Request) -> Response:
    """GET /.well-known/jwks.json: the public keys of login tokens (RFC 7517)."""
    broker = broker_of(request)
    headers = {**CORS, "cache-control": "public, max-age=3600"}
    return JSONResponse(broker.ring.jwks(broker.clock()), headers=headers)


def bearer(request: Request) -> str:
    """The token of the Authorization header (RFC 6750 section 2.1), "" without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _signed_in(broker: Broker, unverified_token: str) -> dict[str, str | int]:
    now = broker.clock()
    keys = {key.id: key.key for key in broker.ring.login_keys(now)}
    claims = login_token.read(unverified_token, keys, issuer=broker.issuer, now=now)
    return user(claims.user_id, claims.username, claims.email, claims.name, claims.avatar_url)


def _recognised(broker: Broker, unverified_token: str) -> dict[str, str | int]:
    claims = access.read(broker, unverified_token)
    told = {name: str(claims.get(name, "")) for name in ("preferred_username", "email", "name", "picture")}
    # Empty where the person agreed to tell less.
    return user(int(claims["sub"]), told["preferred_username"], told["email"], told["name"], told["picture"])


def user(github_id: int, username: str, email: str, name: str, avatar_url: str) -> dict[str, str | int]:
    """A person as every answer of the published contract names them; there is no number but GitHub's."""
    return {
        "id": github_id,
        "github_id": github_id,
        "username": username,
        "email": email,
        "name": name,
        "avatar_url": avatar_url,
    }


def unauthorized(request: Request, error: str, sentence: str) -> Response:
    """401 with the challenge that tells a program where to learn how to sign in (RFC 9728 section 5.1)."""
    # The document has to name exactly the address that was asked (section 3.3), so each has its own.
    documents = f"{broker_of(request).issuer}{RESOURCE_METADATA}"
    documented = f'resource_metadata="{documents}{request.scope["path"]}"'
    named = [f'error="{error}"', documented] if error else [documented]
    return JSONResponse(
        {"error": error or "invalid_token", "error_description": sentence},
        status_code=401,
        headers={**CORS, "www-authenticate": f"Bearer {', '.join(named)}", "cache-control": "no-store"},
    )
