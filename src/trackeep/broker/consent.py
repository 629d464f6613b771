"""The page that asks a person whether an address may receive their login, and what protects it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from trackeep.broker import lookalikes, remembered
from trackeep.broker.answers import error_url
from trackeep.broker.parts import Broker
from trackeep.broker.questions import Question
from trackeep.broker.scopes import explain, explain_identity
from trackeep.broker.targets import Network, Target
from trackeep.broker.transactions import set_cookie
from trackeep.environment import cookie_name
from trackeep.errors import LoginError
from trackeep.handshake.messages import pairing_code
from trackeep.handshake.sealed import Purpose, seal, unseal

FORM_LIFETIME_S = 600
COOKIE = "consent"


class ConsentForm(msgspec.Struct, array_like=True, frozen=True):
    """What the form's hidden token seals: the whole request, and the browser that was shown it."""

    question: Question
    browser: str
    expires_at: int


class ConsentAgain(LoginError):
    """The form belongs to another browser, or is too old: the person has to be asked again."""

    code = "consent_again"

    def __init__(self, question: Question) -> None:
        super().__init__("The page was open for too long, or in another browser.", "Choose again.")
        self.question = question


def page(broker: Broker, request: Request, asked: Question, status: int = 200) -> Response:
    """The consent page for `asked`, with a form that only this browser can send."""
    target = asked.target
    cookie = request.cookies.get(cookie_name(broker.settings.base_url, COOKIE), "")
    # Kept while valid, so that the page may be fetched twice (another tab, a reload) and still work.
    is_new = not re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie)
    if is_new:
        cookie = secrets.token_urlsafe(32)
    form = ConsentForm(asked, _digest(cookie), int(broker.clock()) + FORM_LIFETIME_S)
    response = broker.pages.page(
        "consent.html",
        status=status,
        target=target,
        asked=asked,
        kind=_kind(asked, target),
        doubts=_doubts(broker, target),
        form_token=seal(broker.ring, Purpose.CONSENT_FORM, form, broker.clock()),
        grants=explain(asked.scopes, broker.github.registration.is_github_app)
        if asked.hands_out_token
        else explain_identity(asked.wants),
        remember=remembered.offer(broker, target),
        pairing=_pairing(asked, target),
        cancel_url=error_url(target, broker.issuer, asked.state, "access_denied"),
    )
    if is_new:
        set_cookie(broker, response, COOKIE, cookie, max_age_s=FORM_LIFETIME_S * 6, strict=True)
    return response


def agreed(broker: Broker, request: Request, form_token: str) -> Question:
    """The question that the person agreed to by sending the form.

    Raises SealBroken for a token that was not made here, ConsentAgain for one of another browser.
    """
    now = broker.clock()
    form = unseal(broker.ring, Purpose.CONSENT_FORM, form_token, ConsentForm, now)
    cookie = request.cookies.get(cookie_name(broker.settings.base_url, COOKIE), "")
    # Mallory can fetch a token for her own address, but cannot put her cookie into a victim's browser.
    if not hmac.compare_digest(_digest(cookie), form.browser) or now > form.expires_at:
        raise ConsentAgain(form.question)
    return form.question


def _kind(asked: Question, target: Target) -> str:
    """What is known about the address: verified, loopback, local or public."""
    is_verified = asked.is_verified and target.network is Network.PUBLIC
    # A document vouches for its own host, and says nothing about what listens on somebody's computer.
    return "verified" if is_verified else target.network.value


def _doubts(broker: Broker, target: Target) -> tuple[str, ...]:
    if target.network is not Network.PUBLIC:
        return ()
    known = (broker.settings.github.web, broker.issuer)
    hosts = tuple(urlsplit(url).hostname or "" for url in known)
    return lookalikes.doubts(target.host, target.readable_host, hosts)


def _pairing(asked: Question, target: Target) -> str:
    # Without a challenge the code would be the same for everybody, and other programs show none: people
    # would learn to pass over it.
    is_shown_there = bool(asked.code_challenge) and not asked.is_exact
    return (
        pairing_code(asked.code_challenge, target.base_url) if target.is_cleartext and is_shown_there else ""
    )


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
