"""The one-time code: GitHub's own, sealed with everything that is checked before it is used."""

from __future__ import annotations

import hmac

import msgspec

from trackeep.broker import clients
from trackeep.broker.clients import Caller
from trackeep.broker.oauth_errors import OAuthError
from trackeep.broker.parts import Broker
from trackeep.broker.proofs import check_key
from trackeep.broker.transactions import Transaction
from trackeep.errors import GrantRefused
from trackeep.handshake.messages import Query, code_challenge, is_verifier, nonce_of, single
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

LIFETIME_S = 60


class SealedCode(msgspec.Struct, array_like=True, frozen=True):
    """GitHub takes its code once, which makes ours single-use without anything being stored.

    `target` is the base URL or whole redirect_uri that the code was made for, `client` the digest of the
    client's id, `state_nonce` that of its state, `nonce` its own word for the id_token.
    """

    github_code: str
    verifier: str
    target: str
    is_exact: bool
    client: str
    wants: tuple[str, ...]
    challenge: str
    state_nonce: str
    nonce: str
    jwe_jwk: str
    dpop_jkt: str
    id_token_alg: str
    expires_at: int


def seal_code(broker: Broker, transaction: Transaction, github_code: str) -> str:
    """The code that goes to the client; GitHub is not asked yet, so an unused one mints nothing."""
    return seal(broker.ring, Purpose.CODE, make_code(broker, transaction, github_code), broker.clock())


def make_code(broker: Broker, transaction: Transaction, github_code: str) -> SealedCode:
    """What the finished login of `transaction` is worth."""
    question = transaction.question
    return SealedCode(
        github_code=github_code,
        verifier=transaction.verifier,
        target=question.redirect_uri,
        is_exact=question.is_exact,
        client=question.client,
        wants=question.wants,
        challenge=question.code_challenge,
        state_nonce=nonce_of(question.state),
        nonce=question.nonce,
        jwe_jwk=question.jwe_jwk,
        dpop_jkt=question.dpop_jkt,
        id_token_alg=question.id_token_alg,
        expires_at=int(broker.clock()) + LIFETIME_S,
    )


def checked_code(broker: Broker, form: Query, caller: Caller, thumbprint: str) -> SealedCode:
    """The code of `form`, when everything about it is right; GitHub is not involved.

    A wrong attempt costs nothing: the owner can still redeem. Raises GrantRefused, OAuthError, InvalidProof.
    """
    now = broker.clock()
    blob, verifier, redirect_uri = (single(form, name) for name in ("code", "code_verifier", "redirect_uri"))
    if not (blob and redirect_uri and (verifier or caller.is_proven)):
        raise OAuthError("A field is missing.", "Send code, code_verifier, redirect_uri and client_id.")
    try:
        code = unseal(broker.ring, Purpose.CODE, blob, SealedCode, now)
    except SealBroken:
        raise _wrong_code() from None
    # A code is worth nothing a minute later, in a history or a log.
    if now > code.expires_at:
        raise _wrong_code()
    # A code that was made for one client and address is not redeemed by another, however it got there.
    address = redirect_uri if code.is_exact else clients.base_url_of(redirect_uri)
    names = clients.digests(caller.client_id)
    # An OAuth client is called what its id_token is for, letter by letter; an address may end in a slash.
    if address != code.target or code.client not in (names[:1] if code.is_exact else names):
        raise _wrong_code()
    _check_verifier(code, verifier)
    # A code bound to a key is of no use to a thief who has everything else.
    check_key("This login", code.dpop_jkt, thumbprint)
    return code


def _check_verifier(code: SealedCode, verifier: str) -> None:
    # A proof without a challenge would let an attacker's injected code pass for one that was protected.
    if not code.challenge:
        if verifier:
            raise _wrong_code()
        return
    # The proof that whoever redeems is whoever began (RFC 7636); `plain` is never accepted.
    if not is_verifier(verifier) or not hmac.compare_digest(code_challenge(verifier), code.challenge):
        raise _wrong_code()


def _wrong_code() -> GrantRefused:
    # One sentence for all reasons: which of them it was would help an attacker only.
    return GrantRefused("The code is not valid, not yours, or older than a minute.", "Start the login again.")
