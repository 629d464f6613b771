"""Registering a program without storing it: its id is the sealed registration, its secret derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import targets
from trackeep.broker.oauth_errors import InvalidClient, InvalidRedirect, InvalidRegistration
from trackeep.broker.parts import Broker, broker_of, read_json
from trackeep.broker.refusals import NO_STORE, refusal
from trackeep.errors import TrackeepError, UsageError
from trackeep.handshake.messages import LONGEST_CLIENT_ID, plain_name
from trackeep.handshake.sealed import Purpose, SealBroken, derived_secret, seal, unseal

PUBLIC = "none"
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")
MOST_REDIRECTS = 10


class Registration(msgspec.Struct, array_like=True, frozen=True):
    """What a program said about itself; nobody has checked any of it."""

    redirect_uris: tuple[str, ...]
    name: str
    is_confidential: bool
    id_token_alg: str
    made_at: int


async def register(request: Request) -> Response:
    """POST /register: dynamic client registration (RFC 7591), open to everybody, stored nowhere."""
    broker = broker_of(request)
    try:
        metadata = await read_json(request)
        known = parse(broker, metadata)
        answer = describe(broker, known)
    except TrackeepError as error:
        return refusal(request, error)
    method = metadata.get("token_endpoint_auth_method")
    if known.is_confidential and method in SECRET_METHODS:
        answer["token_endpoint_auth_method"] = method
    return JSONResponse(answer, status_code=201, headers=NO_STORE)


def parse(broker: Broker, metadata: Mapping[str, Any]) -> Registration:
    """The registration that `metadata` asks for; raises InvalidRegistration with what to change."""
    # Many programs write down what they leave out.
    metadata = {name: value for name, value in metadata.items() if value is not None}
    method = metadata.get("token_endpoint_auth_method", SECRET_METHODS[0])
    if method not in (PUBLIC, *SECRET_METHODS):
        raise InvalidRegistration(
            "token_endpoint_auth_method is not offered.", f"Choose {PUBLIC} or {' or '.join(SECRET_METHODS)}."
        )
    algorithm = metadata.get("id_token_signed_response_alg", ID_TOKEN_ALGORITHMS[0])
    if algorithm not in ID_TOKEN_ALGORITHMS:
        raise InvalidRegistration("id_token_signed_response_alg is not offered.", "Choose RS256 or ES256.")
    _only(metadata, "grant_types", ("authorization_code", "refresh_token"))
    _only(metadata, "response_types", ("code",))
    name = metadata.get("client_name", "")
    if not isinstance(name, str):
        raise InvalidRegistration("client_name is not a text.", "Send a short name, or leave it out.")
    return Registration(
        redirect_uris=_redirect_uris(broker, metadata.get("redirect_uris")),
        name=plain_name(name),
        is_confidential=method != PUBLIC,
        id_token_alg=algorithm,
        made_at=int(broker.clock()),
    )


def describe(broker: Broker, known: Registration) -> dict[str, Any]:
    """The answer of RFC 7591 section 3.2.1, with the id and, where it has one, the secret."""
    client_id = seal(broker.ring, Purpose.REGISTRATION, known, broker.clock())
    if len(client_id) > LONGEST_CLIENT_ID:
        raise InvalidRegistration(
            "This registration is too long to be kept in a client id.", "Use fewer or shorter redirect_uris."
        )
    answer: dict[str, Any] = {
        "client_id": client_id,
        "client_id_issued_at": known.made_at,
        "redirect_uris": list(known.redirect_uris),
        "client_name": known.name,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": SECRET_METHODS[0] if known.is_confidential else PUBLIC,
        "id_token_signed_response_alg": known.id_token_alg,
    }
    if known.is_confidential:
        answer |= {"client_secret": secret_of(broker, client_id), "client_secret_expires_at": 0}
    return answer


def read(broker: Broker, client_id: str) -> Registration:
    """The registration inside a client id; raises InvalidClient for one that was not made here."""
    try:
        return unseal(broker.ring, Purpose.REGISTRATION, client_id, Registration, broker.clock())
    except SealBroken:
        raise InvalidClient(
            "This client id was not made here, or its key was retired.", "Register the program again."
        ) from None


def secret_of(broker: Broker, client_id: str) -> str:
    """The secret that belongs to a client id: worked out each time, stored nowhere."""
    return derived_secret(broker.ring, Purpose.REGISTRATION, client_id, broker.clock())


def _redirect_uris(broker: Broker, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_REDIRECTS:
        raise InvalidRedirect(
            "redirect_uris is missing or too long.", f"Send a list of 1 to {MOST_REDIRECTS} addresses."
        )
    for each in given:
        if not isinstance(each, str):
            raise InvalidRedirect("A redirect_uri is not a text.", "Send a list of addresses.")
        try:
            broker.admit(targets.parse_exact(each), wants_code=True)
        except UsageError as error:
            raise InvalidRedirect(error.sentence, error.hint) from None
    return tuple(dict.fromkeys(given))


def _only(metadata: Mapping[str, Any], name: str, offered: tuple[str, ...]) -> None:
    given = metadata.get(name, list(offered))
    if not isinstance(given, list) or not set(map(str, given)) <= set(offered) or offered[0] not in given:
        raise InvalidRegistration(f"{name} asks for something that is not offered.", f"Use {offered[0]}.")
