"""Registering a program by hand: a form for its callback address, and the id and secret that come of it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from trackeep.broker import registration
from trackeep.broker.oauth_errors import InvalidRedirect, OAuthError
from trackeep.broker.parts import Broker, broker_of, read_form
from trackeep.errors import Forbidden
from trackeep.handshake.messages import LONGEST_BASE_URL, LONGEST_NAME, plain_name, single
from trackeep.web import is_same_origin

KINDS = ("secret", "public")


async def form(request: Request) -> Response:
    """GET /apps/new: the empty form."""
    return _form(broker_of(request), {"callback": "", "name": "", "kind": KINDS[0]})


async def create(request: Request) -> Response:
    """POST /apps/new: the id and secret, shown once and stored nowhere; or the form with what to change."""
    broker = broker_of(request)
    if not is_same_origin(request, broker.origin):
        raise Forbidden("This form was sent from another page.", "Open the form of this service itself.")
    fields = await read_form(request)
    typed = {name: single(fields, name) for name in ("callback", "name", "kind")}
    # Blanks around an address come from copying; what is between them is never changed.
    typed["callback"] = typed["callback"].strip()
    if typed["kind"] not in KINDS:
        typed["kind"] = KINDS[0]
    try:
        made = registration.describe(broker, registration.parse(broker, _metadata(typed)))
    except InvalidRedirect as error:
        return _form(broker, typed, callback=error)
    except OAuthError as error:
        return _form(broker, typed, name=error)
    # In the body alone: an address would put both into histories and logs.
    return broker.pages.page("app_made.html", made=made, issuer=broker.issuer, callback=typed["callback"])


def _metadata(typed: dict[str, str]) -> dict[str, object]:
    method = registration.SECRET_METHODS[0] if typed["kind"] == KINDS[0] else registration.PUBLIC
    return {
        "redirect_uris": [typed["callback"]],
        "client_name": plain_name(typed["name"]),
        "token_endpoint_auth_method": method,
    }


def _form(broker: Broker, typed: dict[str, str], **mistakes: OAuthError) -> Response:
    return broker.pages.page(
        "app_new.html",
        status=400 if mistakes else 200,
        typed=typed,
        mistakes=mistakes,
        longest={"callback": LONGEST_BASE_URL, "name": LONGEST_NAME},
        base_path=broker.base_path,
    )
