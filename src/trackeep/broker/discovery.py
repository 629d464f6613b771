"""The documents from which programs learn what this service offers, without anybody typing addresses."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.parts import Broker, broker_of
from trackeep.broker.questions import GITHUB, IDENTITY
from trackeep.broker.registration import ID_TOKEN_ALGORITHMS, PUBLIC, SECRET_METHODS
from trackeep.broker.userinfo import CORS
from trackeep.errors import NotFound
from trackeep.handshake import dpop
from trackeep.handshake.messages import KNOWN_SCOPES

HEADERS = {**CORS, "cache-control": "public, max-age=3600"}
RESOURCES = ("/api/v1/user/me", "/userinfo")


async def authorization_server(request: Request) -> Response:
    """GET /.well-known/oauth-authorization-server (RFC 8414)."""
    return JSONResponse(_server(broker_of(request)), headers=HEADERS)


async def openid_configuration(request: Request) -> Response:
    """GET /.well-known/openid-configuration (OpenID Connect Discovery section 3)."""
    broker = broker_of(request)
    return JSONResponse(_server(broker) | _openid(broker), headers=HEADERS)


async def protected_resource(request: Request) -> Response:
    """GET /.well-known/oauth-protected-resource and below (RFC 9728): whose tokens a resource here takes."""
    issuer, path = broker_of(request).issuer, request.path_params.get("path", "")
    if path not in ("", *RESOURCES):
        raise NotFound("There is no such resource here.", f"There are {' and '.join(RESOURCES)}.")
    document = {
        "resource": f"{issuer}{path}",
        "authorization_servers": [issuer],
        # Not `github`: the token of that scope is GitHub's own, and good there.
        "scopes_supported": list(IDENTITY),
        "bearer_methods_supported": ["header"],
    }
    return JSONResponse(document, headers=HEADERS)


def _server(broker: Broker) -> dict[str, object]:
    issuer = broker.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "service_documentation": f"{issuer}/",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": [PUBLIC, *SECRET_METHODS],
        "revocation_endpoint_auth_methods_supported": [PUBLIC, *SECRET_METHODS],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*IDENTITY, GITHUB, *KNOWN_SCOPES],
        "dpop_signing_alg_values_supported": list(dpop.OFFERED),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": False,
        "client_id_metadata_document_supported": True,
    }


def _openid(broker: Broker) -> dict[str, object]:
    return {
        "userinfo_endpoint": f"{broker.issuer}/userinfo",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "nonce"),
            *("preferred_username", "name", "picture", "profile", "email", "email_verified"),
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
