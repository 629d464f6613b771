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

from trackeep.broker.answers import error_url
from trackeep.broker.parts import Broker
from trackeep.broker.questions import Question
from trackeep.broker.scopes import explain, explain_identity
from trackeep.broker.targets import Network, Target
from trackeep.broker.transactions import set_cookie
from trackeep.environment import cookie_name
from trackeep.errors import LoginError
from trackeep.handshake.messages import pairing_code
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

FORM_LIFETIME_S = 600
COOKIE = "consent"
REMEMBERED = "remembered"
REMEMBERED_S = 90 * 86_400
MOST_REMEMBERED = 25
LONGEST_REMEMBERED = 3_500


class ConsentForm(msgspec.Struct, array_like=True, frozen=True):
    """What the form's hidden token seals: the whole request, and the browser that was shown it."""

    question: Question
    browser: str
    expires_at: int


class Remembered(msgspec.Struct, array_like=True, frozen=True):
    """One consent that was given before in this browser."""

    base_url: str
    scopes: tuple[str, ...]
    expires_at: int


class RememberedList(msgspec.Struct, array_like=True, frozen=True):
    entries: tuple[Remembered, ...]


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
        form_token=seal(broker.ring, Purpose.CONSENT_FORM, form, broker.clock()),
        grants=explain(asked.scopes, broker.github.registration.is_github_app)
        if asked.hands_out_token
        else explain_identity(asked.wants),
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


def is_remembered(broker: Broker, request: Request, asked: Question) -> bool:
    """True when this person need not be asked again about this address on their own computer."""
    target = asked.target
    if target.network is not Network.LOOPBACK or broker.settings.loopback_consent == "always":
        return False
    if broker.settings.loopback_consent == "never":
        # In token mode a silent start would make GitHub mint a token, and push an older one out.
        return asked.wants_code
    return _was_begun_there(request, target) and any(
        entry.base_url == target.base_url and set(asked.scopes) <= set(entry.scopes)
        for entry in _entries(broker, request)
    )


def remember(broker: Broker, request: Request, response: Response, asked: Question) -> None:
    """Keeps the consent in a sealed cookie, for addresses on the person's own computer only."""
    target = asked.target
    if target.network is not Network.LOOPBACK or broker.settings.loopback_consent != "first":
        return
    fresh = Remembered(target.base_url, asked.scopes, int(broker.clock()) + REMEMBERED_S)
    others = [entry for entry in _entries(broker, request) if entry.base_url != target.base_url]
    entries = [fresh, *others][:MOST_REMEMBERED]
    while len(sealed := _seal_entries(broker, entries)) > LONGEST_REMEMBERED:
        entries.pop()
    set_cookie(broker, response, REMEMBERED, sealed, max_age_s=REMEMBERED_S)


def _was_begun_there(request: Request, target: Target) -> bool:
    # A hostile page can send a browser here, but not with another site's Referer and not as the
    # person's own click: without all four marks the page is shown.
    headers = request.headers
    referrer = urlsplit(headers.get("referer", ""))
    return (
        f"{referrer.scheme}://{referrer.netloc}" == target.origin
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and headers.get("sec-fetch-user") == "?1"
    )


def _entries(broker: Broker, request: Request) -> tuple[Remembered, ...]:
    now = broker.clock()
    cookie = request.cookies.get(cookie_name(broker.settings.base_url, REMEMBERED), "")
    try:
        found = unseal(broker.ring, Purpose.REMEMBERED_CONSENT, cookie, RememberedList, now)
    except SealBroken:
        return ()
    return tuple(entry for entry in found.entries if entry.expires_at > now)


def _seal_entries(broker: Broker, entries: list[Remembered]) -> str:
    remembered = RememberedList(tuple(entries))
    return seal(broker.ring, Purpose.REMEMBERED_CONSENT, remembered, broker.clock())


def _pairing(asked: Question, target: Target) -> str:
    return pairing_code(asked.code_challenge, target.base_url) if target.is_cleartext else ""


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
