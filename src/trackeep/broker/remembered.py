"""Consents that a browser remembers: which may be kept, and which starts may rely on them."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from trackeep.broker.parts import Broker
from trackeep.broker.questions import Question
from trackeep.broker.targets import Network, Target
from trackeep.broker.transactions import set_cookie
from trackeep.environment import cookie_name
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

COOKIE = "remembered"
LIFETIME_S = 90 * 86_400
MOST_ENTRIES = 25
LONGEST_COOKIE = 3_500
TICKED, UNTICKED, NOT_OFFERED = "ticked", "unticked", ""


class Remembered(msgspec.Struct, array_like=True, frozen=True):
    """One consent: `place` is a digest of where and for whom, `grants` what was agreed to."""

    place: str
    grants: tuple[str, ...]
    expires_at: int


class RememberedList(msgspec.Struct, array_like=True, frozen=True):
    entries: tuple[Remembered, ...]


def offer(broker: Broker, target: Target) -> str:
    """Whether the page offers to remember `target`, and whether its box is ticked to begin with."""
    # Whoever can change what an http network carries could start logins there without being seen.
    if target.is_cleartext:
        return NOT_OFFERED
    if target.network is not Network.LOOPBACK:
        return UNTICKED
    return TICKED if broker.settings.loopback_consent == "first" else NOT_OFFERED


def counts(broker: Broker, request: Request, asked: Question) -> bool:
    """True when this person need not be asked again; in all doubt the page is shown."""
    target = asked.target
    if target.network is Network.LOOPBACK and broker.settings.loopback_consent == "never":
        # In token mode a silent start would make GitHub mint a token, and push an older one out.
        return asked.wants_code
    if offer(broker, target) == NOT_OFFERED or _wants_to_be_asked(request):
        return False
    if not (_was_clicked(request) and (_was_pushed(asked) or _was_begun_there(request, target))):
        return False
    place, grants = _place(asked), _grants(asked)
    return any(
        entry.place == place and set(grants) <= set(entry.grants) for entry in _entries(broker, request)
    )


def keep(broker: Broker, request: Request, response: Response, asked: Question, *, is_ticked: bool) -> None:
    """Remembers the consent that was just given, or forgets an older one when the box was left empty."""
    place, known = _place(asked), _entries(broker, request)
    others = [entry for entry in known if entry.place != place]
    entries = others
    if is_ticked and offer(broker, asked.target) != NOT_OFFERED:
        fresh = Remembered(place, _grants(asked), int(broker.clock()) + LIFETIME_S)
        entries = [fresh, *others][:MOST_ENTRIES]
    elif len(others) == len(known):
        return
    while len(sealed := _seal(broker, entries)) > LONGEST_COOKIE:
        entries.pop()
    set_cookie(broker, response, COOKIE, sealed, max_age_s=LIFETIME_S)


def _was_pushed(asked: Question) -> bool:
    # The address's own server asked, with the key that was there when the person agreed (`_place` has its
    # thumbprint). For a code only: a token is minted as soon as GitHub answers.
    return asked.is_pushed and bool(asked.dpop_jkt) and asked.wants_code


def _was_clicked(request: Request) -> bool:
    # A hostile page can drive a browser here, also through the sign-in link of the person's own instance,
    # and each login would push out an older token. It cannot do that as the person's own click.
    headers = request.headers
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and headers.get("sec-fetch-user") == "?1"
    )


def _was_begun_there(request: Request, target: Target) -> bool:
    # Nor can it send another site's Referer along.
    referrer = urlsplit(request.headers.get("referer", ""))
    return f"{referrer.scheme}://{referrer.netloc}" == target.origin


def _wants_to_be_asked(request: Request) -> bool:
    """True for OpenID Connect's `prompt=consent` and its like, and for every request that is a form."""
    if request.method != "GET":
        return True
    words = " ".join(request.query_params.getlist("prompt")).split()
    return bool({"consent", "login", "select_account"} & set(words))


def _place(asked: Question) -> str:
    """Everything that has to be the same again: address, program, its key, and how the answer is given."""
    # An instance is its address and its key, whether or not its metadata document could be had today.
    client = asked.client if asked.is_exact else ""
    same = (asked.redirect_uri, asked.is_exact, asked.wants_code, client, asked.dpop_jkt)
    digest = hashlib.sha256(msgspec.json.encode(same)).digest()[:16]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _grants(asked: Question) -> tuple[str, ...]:
    return (*asked.wants, *asked.scopes)


def _entries(broker: Broker, request: Request) -> tuple[Remembered, ...]:
    now = broker.clock()
    cookie = request.cookies.get(cookie_name(broker.settings.base_url, COOKIE), "")
    try:
        found = unseal(broker.ring, Purpose.REMEMBERED_CONSENT, cookie, RememberedList, now)
    except SealBroken:
        return ()
    return tuple(entry for entry in found.entries if entry.expires_at > now)


def _seal(broker: Broker, entries: list[Remembered]) -> str:
    remembered = RememberedList(tuple(entries))
    return seal(broker.ring, Purpose.REMEMBERED_CONSENT, remembered, broker.clock())
