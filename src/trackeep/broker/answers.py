"""The addresses that carry an answer back to the instance, every value encoded."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from trackeep.broker.targets import Target
from trackeep.errors import UsageError
from trackeep.handshake.messages import Query, bounded

LONGEST_ANSWER = 4_000


def code_url(target: Target, issuer: str, state: str, code: str) -> str:
    """The answer of code mode; `iss` tells a client that uses several services who answers (RFC 9207)."""
    return _answer(target, {"code": code, "state": state, "iss": issuer})


def token_url(target: Target, state: str, token: str, username: str) -> str:
    """The answer of token mode: exactly `token` and `user`, and `state` if one was given."""
    return _answer(target, {"token": token, "user": username, "state": state})


def error_url(target: Target, issuer: str, state: str, error: str, description: str = "") -> str:
    """The answer when there is no login; `error` is a word of RFC 6749 section 4.1.2.1.

    `description` is for whoever writes the client: a sentence of ours, never a value out of the request.
    """
    told = {"error": error, "error_description": description}
    return _answer(target, {**told, "state": state, "iss": issuer})


def plain_state(query: Query) -> str:
    """The client's state, to go back with an error even when other parameters are wrong; "" when in doubt."""
    try:
        return bounded(query, "state")
    except UsageError:
        return ""


def see_other(url: str) -> Response:
    """303, never 307: a form's fields must not be sent on. No trace of the address in a Referer."""
    # An empty body: the address holds a secret and belongs in one header only.
    headers = {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(status_code=303, headers=headers)


def _answer(target: Target, parameters: dict[str, str]) -> str:
    given = {name: value for name, value in parameters.items() if value}
    # A registered address may have parameters of its own, which stay (RFC 6749 section 3.1.2).
    joint = "&" if "?" in target.callback_url else "?"
    return f"{target.callback_url}{joint}{urlencode(given)}"
