"""The service described for programs (OpenAPI 3.1): every address, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.parts import FORM, broker_of
from trackeep.broker.userinfo import CORS
from trackeep.handshake.messages import KNOWN_SCOPES, LONGEST_BASE_URL, LONGEST_CLIENT_ID, LONGEST_STATE

Part = dict[str, Any]

HEADERS = {**CORS, "cache-control": "public, max-age=3600"}
HTML, JSON, TEXT = "text/html", "application/json", "text/plain"


async def openapi(request: Request) -> Response:
    """GET /openapi.json."""
    return JSONResponse(document(broker_of(request).issuer), headers=HEADERS)


def document(issuer: str) -> Part:
    """The whole description of the service at `issuer`, its public base URL."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Trackeep OAuth service",
            "version": metadata.version("trackeep"),
            "description": "Signs people in with GitHub for self-hosted programs. It stores nothing.",
        },
        "servers": [{"url": issuer}],
        "paths": PATHS,
        "components": {"schemas": SCHEMAS, "securitySchemes": SECURITY},
    }


# ---- what goes in -------------------------------------------------------------------------------


def _text(description: str, **more: object) -> Part:
    return {"type": "string", "description": description, **more}


SHA256 = {"pattern": "^[A-Za-z0-9_-]{43}$"}
URI = {"format": "uri", "maxLength": LONGEST_BASE_URL}
CLIENT_ID = _text(
    "A registered id, the address of a metadata document, or a base URL.",
    format="client-id",
    maxLength=LONGEST_CLIENT_ID,
)
REQUEST_URI = _text("What /par answered; replaces all other fields but client_id.", format="request-uri")
_SCOPE = f"(?:{'|'.join(KNOWN_SCOPES)})"
CHALLENGE = {
    "code_challenge": _text("The SHA-256 of the verifier, base64url (RFC 7636).", **SHA256),
    "code_challenge_method": _text("Only S256.", enum=["S256"]),
    "dpop_jkt": _text("The thumbprint of the key that has to redeem the code (RFC 9449).", **SHA256),
}
START = {
    "redirect_uri": _text(
        "The base URL of the instance; the answer goes to /auth/callback below it.",
        examples=["https://trackeep.example"],
        **URI,
    ),
    "state": _text("Comes back unchanged.", maxLength=LONGEST_STATE),
    "name": _text("What the instance calls itself; shown as unverified."),
    "scope": _text("GitHub's scopes, with blanks between them.", pattern=f"^{_SCOPE}(?: {_SCOPE})*$"),
    "jwe_jwk": _text(
        "A public key (X25519 or P-256) to which the login token is encrypted, as JSON.", format="jwk"
    ),
    "client_id": CLIENT_ID,
    "request_uri": REQUEST_URI,
    **CHALLENGE,
}
AUTHORIZE = {
    "client_id": CLIENT_ID,
    "redirect_uri": _text("Exactly as it was registered.", examples=["https://app.example/callback"], **URI),
    "response_type": _text("Only code.", enum=["code"]),
    "response_mode": _text("Only query.", enum=["query"]),
    "scope": _text("openid profile email, or github for GitHub's own token.", examples=["openid profile"]),
    "state": _text("Comes back unchanged.", maxLength=LONGEST_STATE),
    "nonce": _text("Comes back in the id_token.", maxLength=LONGEST_STATE),
    "prompt": _text("`none` is answered with interaction_required."),
    "request_uri": REQUEST_URI,
    **CHALLENGE,
}
CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": _text("The secret of a confidential client.")}
TOKEN = {
    "grant_type": _text("What is brought.", enum=["authorization_code", "refresh_token"]),
    "code": _text("The code, a minute old at most."),
    "code_verifier": _text("Its verifier (RFC 7636).", minLength=43, maxLength=128),
    "redirect_uri": _text("The address that the code was made for.", **URI),
    "refresh_token": _text("The refresh token, which is spent by this."),
    "scope": _text("No more than the login had."),
    **CREDENTIALS,
}
REGISTRATION = {
    "redirect_uris": {
        "type": "array",
        "items": _text("https, or http on this computer or a local network.", **URI),
        "minItems": 1,
        "maxItems": 10,
        "examples": [["https://app.example/callback"]],
    },
    "client_name": _text("Shown to the person, as unverified."),
    "token_endpoint_auth_method": {"enum": ["none", "client_secret_basic", "client_secret_post"]},
    "id_token_signed_response_alg": {"enum": ["RS256", "ES256"]},
    "grant_types": {"type": "array", "items": {"enum": ["authorization_code", "refresh_token"]}},
    "response_types": {"type": "array", "items": {"enum": ["code"]}},
}
APP = {
    "callback": _text("The redirect_uri to register.", **URI),
    "name": _text("Shown to the person, as unverified."),
    "kind": _text("Whether the program can keep a secret.", enum=["secret", "public"]),
}
DPOP = {
    "name": "DPoP",
    "in": "header",
    "schema": _text("A proof of the key that the login is bound to (RFC 9449)."),
}


# ---- what comes out -----------------------------------------------------------------------------


def _object(required: str, **properties: object) -> Part:
    return {"type": "object", "required": required.split(), "properties": properties}


STRING, INTEGER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
SCHEMAS: Part = {
    "Error": _object(
        "error error_description",
        error=_text("A word for programs."),
        error_description=_text("A sentence for people."),
        hint=_text("What to do about it."),
        request_id=_text("What to mention to the operator."),
    )
    | {"additionalProperties": False},
    "User": _object(
        "id github_id username email name avatar_url",
        **dict.fromkeys(("id", "github_id"), INTEGER),
        **dict.fromkeys(("username", "email", "name", "avatar_url"), STRING),
    ),
    "Me": _object("user", user={"$ref": "#/components/schemas/User"}),
    "Pushed": _object("request_uri expires_in", request_uri=STRING, expires_in=INTEGER),
    "Token": _object(
        "access_token token_type scope",
        access_token=_text("GitHub's own token with scope github, else a token for /userinfo."),
        expires_in=_text("Seconds; absent when the token does not expire.") | INTEGER,
        token=_text("The login token, a signed JWT."),
        user={"$ref": "#/components/schemas/User"},
        **dict.fromkeys(("token_type", "scope", "refresh_token", "id_token"), STRING),
    ),
    "Registered": _object(
        "client_id client_id_issued_at redirect_uris",
        client_id_issued_at=INTEGER,
        client_secret_expires_at=INTEGER,
        redirect_uris={"type": "array", "items": STRING},
        **dict.fromkeys(("client_id", "client_secret", "client_name"), STRING),
    ),
    "Claims": _object("sub", sub=_text("The person's number at GitHub."), email_verified=FLAG),
    "Keys": _object("keys", keys={"type": "array", "items": _object("kty kid alg")}),
    "Server": _object("issuer authorization_endpoint token_endpoint jwks_uri", issuer=STRING),
    "Resource": _object("resource authorization_servers", resource=STRING),
    "Status": _object("status", status=STRING),
    "Anything": {"type": "object"},
}
SECURITY: Part = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "client": {"type": "http", "scheme": "basic", "description": "client_id and client_secret"},
}
ERRORS = {
    "400": "Something in the request has to be changed.",
    "401": "The client or the token is not known, or not proven.",
    "403": "This form was sent from another page, or too late.",
    "404": "There is nothing here for you.",
    "413": "The body is too long.",
    "429": "Too many requests within a minute.",
    "502": "GitHub answered something that is not understood.",
    "503": "Try again in a moment; nothing was used up.",
}


def _page(description: str = "A page for people.") -> Part:
    return {"description": description, "content": {HTML: {"schema": STRING}}}


def _json(name: str, description: str = "As it was asked.") -> Part:
    return {
        "description": description,
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


def _errors(statuses: str) -> Part:
    return {status: _error(status) for status in statuses.split()}


def _error(status: str) -> Part:
    content: Part = {HTML: {"schema": STRING}, **_json("Error")["content"]}
    if status == "413":
        content[TEXT] = {"schema": STRING}
    answer: Part = {"description": ERRORS[status], "content": content}
    if status == "429":
        answer["headers"] = {"Retry-After": {"required": True, "schema": _text("Seconds.") | INTEGER}}
    return answer


ONWARD: Part = {
    "303": {
        "description": "On to GitHub, or back to where the login was asked for.",
        "headers": {"Location": {"required": True, "schema": STRING | {"format": "uri"}}},
    }
}
EMPTY: Part = {"description": "Done."}


# ---- which address takes and answers what -------------------------------------------------------


def _get(summary: str, answers: Part, fields: Mapping[str, Part] | None = None) -> Part:
    parameters = [{"name": name, "in": "query", "schema": schema} for name, schema in (fields or {}).items()]
    return {"summary": summary, "parameters": parameters, "responses": answers}


def _post(summary: str, answers: Part, fields: Mapping[str, Part], required: str = "") -> Part:
    body = {"type": "object", "properties": fields, "required": required.split()}
    content = {JSON if fields is REGISTRATION else FORM: {"schema": body}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {**answers, **_errors("413")},
    }


def _read(summary: str, name: str) -> Part:
    return _get(summary, {"200": _json(name), **_errors("429")})


def _bearer(operation: Part) -> Part:
    return {**operation, "security": [{"bearer": []}]}


def _client(operation: Part) -> Part:
    return {**operation, "parameters": [DPOP], "security": [{}, {"client": []}]}


PREFLIGHT = _get("Asked by browsers before a page asks.", {"204": EMPTY, **_errors("429")})
ME: Part = {"200": _json("Me"), **_errors("401 429")}
CLAIMS: Part = {"200": _json("Claims"), **_errors("401 429")}
BEGUN: Part = {"200": _page("The person is asked."), **ONWARD, **_errors("400 401 429 503")}
RESOURCE = "/.well-known/oauth-protected-resource"

PATHS: Part = {
    "/": {"get": _get("What this service is.", {"200": _page(), **_errors("429")})},
    "/auth/github": {
        "get": _get("Begin a login for an instance.", BEGUN, START),
        "post": _post(
            "The person agreed; only our own page sends this.",
            {"200": _page("On to GitHub."), **_errors("400 403 429 503")},
            {"token": _text("The hidden field of the page.")},
            "token",
        ),
    },
    "/auth/github/callback": {
        "get": _get(
            "GitHub's answer.",
            {**ONWARD, **_errors("400 429 503")},
            {"code": _text("GitHub's code."), "state": _text("Ours."), "error": _text("GitHub's word.")},
        )
    },
    "/authorize": {
        "get": _get("Begin a login for an OAuth or OpenID Connect client.", BEGUN, AUTHORIZE),
        "post": _post("The same, as a form.", BEGUN, AUTHORIZE),
    },
    "/par": {
        "post": _client(
            _post(
                "Push what a login asks for (RFC 9126).",
                {"201": _json("Pushed"), **_errors("400 401 429 503")},
                START | AUTHORIZE | CREDENTIALS,
                "client_id redirect_uri",
            )
        )
    },
    "/token": {
        "post": _client(
            _post(
                "Redeem a code, or refresh.",
                {"200": _json("Token"), **_errors("400 401 429 502 503")},
                TOKEN,
                "grant_type",
            )
        )
    },
    "/revoke": {
        "post": _client(
            _post(
                "End a token (RFC 7009).",
                {"200": EMPTY, **_errors("400 401 429 502 503")},
                {"token": _text("The token."), "token_type_hint": _text("Ignored."), **CREDENTIALS},
                "token",
            )
        )
    },
    "/register": {
        "post": _post(
            "Register a program (RFC 7591).",
            {"201": _json("Registered"), **_errors("400 429")},
            REGISTRATION,
            "redirect_uris",
        )
    },
    "/apps/new": {
        "get": _get("The same by hand: a form.", {"200": _page(), **_errors("429")}),
        "post": _post(
            "The id and the secret, shown once.",
            {"200": _page(), **_errors("400 403 429")},
            APP,
            "callback",
        ),
    },
    "/userinfo": {
        "get": _bearer(_get("Who signed in (OpenID Connect).", CLAIMS)),
        "post": _bearer(_get("The same.", CLAIMS)),
        "options": PREFLIGHT,
    },
    "/api/v1/user/me": {"get": _bearer(_get("Who signed in.", ME)), "options": PREFLIGHT},
    "/.well-known/jwks.json": {"get": _read("The keys that verify tokens.", "Keys")},
    "/.well-known/oauth-authorization-server": {"get": _read("What is offered (RFC 8414).", "Server")},
    "/.well-known/openid-configuration": {"get": _read("What is offered (OpenID Connect).", "Server")},
    RESOURCE: {"get": _read("Whose tokens are taken (RFC 9728).", "Resource")},
    f"{RESOURCE}{{path}}": {
        "parameters": [{"name": "path", "in": "path", "required": True, "schema": STRING}],
        "get": _get("The same for one address.", {"200": _json("Resource"), **_errors("404 429")}),
    },
    "/openapi.json": {"get": _read("This description.", "Anything")},
    "/healthz": {"get": _get("The process answers.", {"200": _json("Status")})},
    "/readyz": {"get": _get("Logins can be served.", {"200": _json("Status"), "503": _json("Status")})},
    "/metrics": {
        "get": _get(
            "For Prometheus on the operator's own machines.",
            {
                "200": {"description": "Counts.", "content": {TEXT: {"schema": STRING}}},
                **_errors("404"),
            },
        )
    },
}
