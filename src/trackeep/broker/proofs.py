"""The proof of a key that a client sends along (DPoP, RFC 9449), held to this service's own address."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from trackeep.broker.oauth_errors import InvalidProof
from trackeep.broker.parts import Broker
from trackeep.errors import TokenRefused
from trackeep.handshake import dpop


def proven_thumbprint(broker: Broker, request: Request, path: str) -> str:
    """The thumbprint of the key that `request` proves to hold, "" without a proof; raises InvalidProof."""
    proofs = request.headers.getlist("dpop")
    if not proofs:
        return ""
    if len(proofs) > 1:
        raise InvalidProof("There is more than one DPoP header.", "Send exactly one.")
    try:
        # Our own address from the settings: a Host header is written by whoever sends the request.
        found = dpop.read_proof(
            proofs[0], method=request.method, url=f"{broker.issuer}{path}", now=broker.clock()
        )
    except TokenRefused as refused:
        raise InvalidProof(refused.sentence, refused.hint) from None
    return found.thumbprint


def check_key(what: str, bound_to: str, thumbprint: str) -> None:
    """Raises InvalidProof unless `what` is bound to no key (""), or to the one that was shown."""
    if bound_to and not thumbprint:
        raise InvalidProof(f"{what} is bound to a key.", "Add a DPoP header signed with it.")
    if bound_to and not hmac.compare_digest(thumbprint, bound_to):
        raise InvalidProof(f"{what} is bound to another key.", "Sign with the key that began the login.")
