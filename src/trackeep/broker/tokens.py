"""POST /token and /revoke: a code becomes GitHub's token only now, after every check has passed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker import clients, codes, issuing, limits, refresh
from trackeep.broker.clients import Caller
from trackeep.broker.oauth_errors import OAuthError, UnsupportedGrant
from trackeep.broker.parts import Broker, broker_of, read_form
from trackeep.broker.proofs import proven_thumbprint
from trackeep.broker.questions import GITHUB
from trackeep.broker.refusals import NO_STORE, refusal
from trackeep.errors import TrackeepError
from trackeep.handshake.messages import Query, single


async def token(request: Request) -> Response:
    """POST /token (RFC 6749 sections 4.1.3 and 6); every answer is JSON and is never stored."""
    broker = broker_of(request)
    try:
        form = await read_form(request)
        grant_type = single(form, "grant_type")
        if grant_type not in GRANTS:
            raise UnsupportedGrant("This grant_type is not offered.", f"Send {' or '.join(GRANTS)}.")
        caller = clients.authenticate(broker, request, form)
        thumbprint = proven_thumbprint(broker, request, "/token")
        body = await GRANTS[grant_type](broker, form, caller, thumbprint)
    except TrackeepError as error:
        return refusal(request, error)
    return JSONResponse(body, headers=NO_STORE)


async def revoke(request: Request) -> Response:
    """POST /revoke (RFC 7009): ends a token at GitHub; whoever holds it may end it.

    A client that says who it is has to be that one. The access token of an identity login is not ended: it
    is a statement of who signed in, which nobody can take back, and it is good for an hour.
    """
    broker = broker_of(request)
    try:
        form = await read_form(request)
        value = single(form, "token")
        if not value:
            raise OAuthError("token is missing.", "Send the token that should end.")
        if single(form, "client_id") or "authorization" in request.headers:
            clients.authenticate(broker, request, form)
        if not await refresh.end(broker, value):
            await limits.note_vain_revocation(broker, request.state.client_address)
    except TrackeepError as error:
        return refusal(request, error)
    return Response(status_code=200, headers=NO_STORE)


async def _redeem(broker: Broker, form: Query, caller: Caller, thumbprint: str) -> dict[str, object]:
    code = codes.checked_code(broker, form, caller, thumbprint)
    if GITHUB not in code.wants:
        body = await issuing.identify(broker, code, caller.client_id)
        broker.metrics.redeemed()
        return body
    issued = await issuing.issue(broker, code, caller.client_id)
    broker.metrics.redeemed()
    # Who shows a secret at each refresh may change its key meanwhile (RFC 9449 section 5).
    bound_to = "" if caller.is_proven else thumbprint
    return issuing.answer(broker, code, issued, caller.client_id, bound_to)


GRANTS = {"authorization_code": _redeem, "refresh_token": refresh.refresh}
