"""Authlib, a library of others, signs people in: as an OAuth client and as an OpenID Connect client."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import flask
import pytest
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from programs import Program
from registered import allow, register
from sandbox_control import Sandbox
from visitor import Visitor

pytestmark = pytest.mark.anyio


async def metadata(broker_url: str, name: str = "oauth-authorization-server") -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{broker_url}/.well-known/{name}") as answer:
        found: dict[str, Any] = await answer.json()
        return found


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_an_oauth_session_gets_githubs_token(broker: Program, sandbox: Program, method: str) -> None:
    """Registered by itself, addresses from the metadata, S256: in the end it reads from GitHub."""
    program = await register(broker.url, token_endpoint_auth_method=method)
    found = await metadata(broker.url)
    session = OAuth2Session(
        program.id,
        program.secret or None,
        token_endpoint_auth_method=method,
        redirect_uri=program.redirect_uri,
        scope="github read:user",
        code_challenge_method="S256",
    )
    url, state = session.create_authorization_url(
        found["authorization_endpoint"], code_verifier=program.verifier
    )
    async with Visitor(broker.url) as alice:
        back = (await allow(alice, url)).location
    token = await asyncio.to_thread(
        session.fetch_token,
        found["token_endpoint"],
        authorization_response=back,
        state=state,
        code_verifier=program.verifier,
    )
    assert token["scope"] == "github read:user"
    user = await asyncio.to_thread(session.get, f"{sandbox.url}/api/v3/user")
    assert user.json()["login"] == "alice"
    ended = await asyncio.to_thread(session.revoke_token, found["revocation_endpoint"])
    assert ended.status_code == 200
    assert (await asyncio.to_thread(session.get, f"{sandbox.url}/api/v3/user")).status_code == 401
    await asyncio.to_thread(session.close)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_flask_program_signs_people_in(broker: Program, sandbox: Program, algorithm: str) -> None:
    """Nothing but discovery address, id and secret: no challenge, the nonce in an id_token it verifies."""
    program = await register(broker.url, id_token_signed_response_alg=algorithm)
    app = flask_program(broker.url, program.id, program.secret, program.redirect_uri)
    browser = app.test_client()
    sent = await asyncio.to_thread(browser.get, "/sign-in")
    asked = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert "nonce" in asked and "code_challenge" not in asked
    async with Visitor(broker.url) as alice:
        back = await allow(alice, sent.headers["Location"])
    path = back.location.removeprefix("http://localhost:8765")
    answer = await asyncio.to_thread(browser.get, path)
    assert answer.status_code == 200, answer.text
    assert answer.json["sub"] == str(Sandbox(sandbox.url).person_id())
    assert answer.json["nonce"] == asked["nonce"][0]
    assert answer.json["email_verified"] is True


def flask_program(broker_url: str, client_id: str, secret: str, redirect_uri: str) -> flask.Flask:
    """A program of somebody else's, with the three lines of configuration that Authlib asks for."""
    app = flask.Flask("reading list")
    app.secret_key = "only for this test"
    oauth = OAuth(app)
    oauth.register(
        "github",
        client_id=client_id,
        client_secret=secret,
        server_metadata_url=f"{broker_url}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email"},
    )

    @app.get("/sign-in")
    def sign_in() -> Any:
        return oauth.github.authorize_redirect(redirect_uri)

    @app.get("/oauth/callback")
    def callback() -> Any:
        return flask.jsonify(oauth.github.authorize_access_token()["userinfo"])

    return app
