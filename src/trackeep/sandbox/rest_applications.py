"""REST answers to an app about the tokens it was given; the app itself signs in, by Basic."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trackeep.sandbox.oauth import App, Token
from trackeep.sandbox.representation import Json, stamp
from trackeep.sandbox.rest_people import site_of
from trackeep.sandbox.rest_protocol import Answer, Call, Problem, not_found, requires_authentication


async def check_token(call: Call) -> Answer:
    app, token = await _app_and_token(call)
    return Answer(_authorization(call, app, token))


async def reset_token(call: Call) -> Answer:
    app, token = await _app_and_token(call)
    return Answer(_authorization(call, app, call.state.authority.reset(app, token)))


async def delete_token(call: Call) -> Answer:
    """Ends this one token; the consent stays."""
    _, token = await _app_and_token(call)
    token.revoked = True
    return Answer(None, 204)


async def delete_grant(call: Call) -> Answer:
    """Ends all tokens of the token's person for this app and forgets the consent."""
    app, token = await _app_and_token(call)
    call.state.authority.revoke_grant(token.login, app.client_id)
    return Answer(None, 204)


async def _app_and_token(call: Call) -> tuple[App, Token]:
    authorization = call.request.headers.get("authorization")
    if authorization is None:
        raise requires_authentication()
    app = call.state.authority.authenticate_app(authorization)
    if app is None:
        raise Problem(401, "Bad credentials")
    if app.client_id != call.request.path_params["client_id"]:
        raise not_found()
    value = (await _body(call)).get("access_token")
    if not isinstance(value, str):
        raise Problem(422, "Validation Failed", errors=[{"field": "access_token", "code": "missing_field"}])
    token = call.state.authority.token_of(app, value)
    if token is None:
        raise not_found()
    return app, token


async def _body(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(await call.request.body() or b"{}")
    except ValueError:
        raise Problem(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "Body should be a JSON object")
    return body


def _authorization(call: Call, app: App, token: Token) -> Json:
    """https://docs.github.com/en/rest/apps/oauth-applications#check-a-token"""
    return {
        "id": token.id,
        "url": f"{call.api}/authorizations/{token.id}",
        "app": {"name": app.name, "url": call.state.url, "client_id": app.client_id},
        "token": token.value,
        "hashed_token": hashlib.sha256(token.value.encode()).hexdigest(),
        "token_last_eight": token.value[-8:],
        "note": None,
        "note_url": None,
        "created_at": stamp(token.created_at),
        "updated_at": stamp(token.created_at),
        "expires_at": stamp(token.expires_at),
        "scopes": list(token.scopes),
        "fingerprint": None,
        "user": site_of(call).user(token.login),
    }
