"""Requests that a client's server pushes here first, so that no browser can read or change them."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import clients, questions
from trackeep.broker.oauth_errors import OAuthError
from trackeep.broker.parts import Broker, broker_of, read_form
from trackeep.broker.proofs import proven_thumbprint
from trackeep.broker.questions import Question
from trackeep.broker.refusals import NO_STORE, refusal
from trackeep.errors import TrackeepError, UsageError
from trackeep.handshake.messages import Query, single
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFETIME_S = 90


class Pushed(msgspec.Struct, array_like=True, frozen=True):
    """The whole request, sealed: the request_uri is the request, and nothing is stored."""

    question: Question
    expires_at: int


async def push(request: Request) -> Response:
    """POST /par (RFC 9126): the parameters of a start link, or with `response_type` of /authorize."""
    broker = broker_of(request)
    try:
        form = await read_form(request)
        if single(form, "request_uri"):
            raise OAuthError("A pushed request cannot name another.", "Leave request_uri out.")
        caller = clients.authenticate(broker, request, form)
        proven = proven_thumbprint(broker, request, "/par")
        question = await _question(broker, form, caller, proven)
    except TrackeepError as error:
        return refusal(request, error)
    now = broker.clock()
    sealed = seal(broker.ring, Purpose.PUSHED_REQUEST, Pushed(question, int(now) + LIFETIME_S), now)
    body = {"request_uri": f"{PREFIX}{sealed}", "expires_in": LIFETIME_S}
    return JSONResponse(body, status_code=201, headers=NO_STORE)


def find(broker: Broker, query: Query, *, is_exact: bool) -> Question:
    """The question behind `request_uri`; raises UsageError unless it was pushed by this client in time."""
    wrong = UsageError(
        "The link that brought you here is too old, or was made for something else.",
        "Go back to where you came from and choose Sign in again.",
    )
    blob, now = single(query, "request_uri").removeprefix(PREFIX), broker.clock()
    try:
        found = unseal(broker.ring, Purpose.PUSHED_REQUEST, blob, Pushed, now)
    except SealBroken:
        raise wrong from None
    client_id = single(query, "client_id")
    # The client is named twice, so that a request_uri of one is never answered in the name of another.
    known = clients.digests(client_id)
    if now > found.expires_at or found.question.client not in known or found.question.is_exact != is_exact:
        raise wrong
    # Checked again: the operator may have changed the rules meanwhile.
    question = found.question
    broker.admit(question.target, wants_code=question.wants_code, has_key=bool(question.jwe_jwk))
    return question


async def _question(broker: Broker, form: Query, caller: clients.Caller, proven: str) -> Question:
    if not single(form, "response_type"):
        return await questions.from_start(broker, form, proven)
    named = [*((name, value) for name, value in form if name != "client_id"), ("client_id", caller.client_id)]
    client, target = await questions.addressee(broker, named)
    return questions.from_authorize(client, target, form, proven)
