"""A login under way: sealed into a cookie of the one browser that began it, named by GitHub's `state`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from trackeep.broker.parts import Broker
from trackeep.broker.questions import Question
from trackeep.environment import cookie_name
from trackeep.errors import LoginError
from trackeep.handshake.sealed import Purpose, SealBroken, mark, read_mark, seal, unseal

LIFETIME_S = 600
LONGEST_COOKIES = 4_000
PREFIX = "txn-"


class Transaction(msgspec.Struct, array_like=True, frozen=True):
    """What the callback needs: where the answer goes, and what proves that this is the same login."""

    id: str
    question: Question
    verifier: str
    expires_at: int


class StateMismatch(LoginError):
    """GitHub answered a question that this browser did not ask."""

    code = "state_mismatch"


class StateExpired(LoginError):
    """The right browser, too late."""

    code = "state_expired"


@dataclass(frozen=True)
class Begun:
    """A new transaction with the `state` that GitHub will send back."""

    transaction: Transaction
    state: str


def begin(broker: Broker, question: Question) -> Begun:
    """A transaction for a login that the person has agreed to."""
    transaction = Transaction(
        id=secrets.token_urlsafe(16),
        question=question,
        verifier=secrets.token_urlsafe(32),
        expires_at=int(broker.clock()) + LIFETIME_S,
    )
    return Begun(transaction, mark(broker.ring, Purpose.TRANSACTION, transaction.id, broker.clock()))


def keep(broker: Broker, request: Request, response: Response, transaction: Transaction) -> None:
    """Puts the transaction into a cookie of its own, so that logins in several tabs run side by side."""
    _make_room(broker, request, response)
    sealed = seal(broker.ring, Purpose.TRANSACTION, transaction, broker.clock())
    set_cookie(broker, response, f"{PREFIX}{transaction.id}", sealed, max_age_s=LIFETIME_S)


def find(broker: Broker, request: Request, state: str) -> Transaction:
    """The transaction that `state` names; raises LoginError unless this browser began it in time."""
    now = broker.clock()
    try:
        transaction_id = read_mark(broker.ring, Purpose.TRANSACTION, state, now)
        # A consent given in one browser must never complete in another: whoever merely holds the
        # address, a victim lured to it included, has no cookie (CVE-2026-27124; PKCE does not stop it).
        cookie = request.cookies.get(_cookie(broker, transaction_id), "")
        transaction = unseal(broker.ring, Purpose.TRANSACTION, cookie, Transaction, now)
    except SealBroken:
        raise _mismatch() from None
    # A cookie moved under another name must not answer another state.
    if transaction.id != transaction_id:
        raise _mismatch()
    if now > transaction.expires_at:
        raise StateExpired(
            "This login took longer than ten minutes.", "Open your Trackeep and sign in again."
        )
    return transaction


def end(broker: Broker, response: Response, transaction: Transaction) -> None:
    """Deletes the cookie: a transaction answers once."""
    set_cookie(broker, response, f"{PREFIX}{transaction.id}", "", max_age_s=0)


def set_cookie(
    broker: Broker, response: Response, name: str, value: str, *, max_age_s: int, strict: bool = False
) -> None:
    """A cookie of this service; not `strict` where it has to come along on the way back from GitHub."""
    response.set_cookie(
        cookie_name(broker.settings.base_url, name),
        value,
        max_age=max_age_s,
        path=broker.base_path or "/",
        secure=broker.is_https,
        httponly=True,
        samesite="strict" if strict else "lax",
    )


def _make_room(broker: Broker, request: Request, response: Response) -> None:
    """Drops the oldest of many unfinished logins: proxies refuse requests with too large cookies."""
    start, _, end_ = _cookie(broker, "*").partition("*")
    ours = [name for name in request.cookies if name.startswith(start) and name.endswith(end_)]
    room = LONGEST_COOKIES - sum(len(name) + len(request.cookies[name]) for name in ours)
    # Browsers send the oldest cookie first (RFC 6265 section 5.4).
    for name in ours:
        if room >= 0:
            return
        room += len(name) + len(request.cookies[name])
        response.delete_cookie(
            name, path=broker.base_path or "/", secure=broker.is_https, httponly=True, samesite="lax"
        )


def _cookie(broker: Broker, transaction_id: str) -> str:
    return cookie_name(broker.settings.base_url, f"{PREFIX}{transaction_id}")


def _mismatch() -> StateMismatch:
    return StateMismatch(
        "This login started somewhere else.",
        "Close this page, open your Trackeep from your own bookmark and choose Sign in again.",
    )
