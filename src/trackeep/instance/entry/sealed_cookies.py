"""Short-lived secrets kept in one browser, sealed: a login under way, and a right set-up code."""

from __future__ import annotations

import base64
import os
import re
import secrets
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request
from starlette.responses import Response

from trackeep.environment import cookie_name
from trackeep.errors import LoginError
from trackeep.handshake import messages
from trackeep.instance.sessions import cookie_of, set_cookie
from trackeep.instance.site import Site, site_of
from trackeep.vault import Vault

T = TypeVar("T")
LOGIN_HOLDS_S = 600
SETUP_HOLDS_S = 3_600
MOST_LOGINS = 8
LOGIN, SETUP = "login-", "setup"
_NONCE_BYTES = 12


class Login(msgspec.Struct, frozen=True):
    """A login that this browser began; `state` names it, `verifier` redeems its code as `client_id`.

    `way` is "broker", or "app" when it goes to GitHub directly: an answer counts for its own way only.
    """

    id: str
    state: str
    verifier: str
    next: str
    access: str
    expires_at: int
    client_id: str = ""
    way: str = "broker"

    @property
    def code_challenge(self) -> str:
        return messages.code_challenge(self.verifier)


class Setup(msgspec.Struct, frozen=True):
    """This browser typed the right set-up code, whose hash is `code_hash`."""

    code_hash: bytes
    expires_at: int


class StateMismatch(LoginError):
    """An answer to a question that this browser did not ask."""

    code = "state_mismatch"


def begin_login(site: Site, next: str, access: str, *, way: str = "broker") -> Login:
    """A new login of one browser; nothing is stored but its cookie."""
    login_id = secrets.token_hex(4)
    return Login(
        id=login_id,
        state=f"{login_id}.{secrets.token_urlsafe(24)}",
        verifier=secrets.token_urlsafe(48),
        next=next,
        access=access,
        expires_at=site.now() + LOGIN_HOLDS_S,
        way=way,
    )


def keep_login(request: Request, response: Response, login: Login) -> None:
    """Put the login into a cookie of its own, so that several tabs can sign in side by side."""
    site = site_of(request)
    _make_room(request, response)
    name = LOGIN + login.id
    set_cookie(site, response, name, _seal(site.vault, name, login), max_age_s=LOGIN_HOLDS_S)


def login_named(request: Request, login_id: str) -> Login | None:
    """The login `login_id` of this browser, None when it has none or it is too old."""
    if not re.fullmatch("[0-9a-f]{8}", login_id):
        return None
    login = _unseal(request, LOGIN + login_id, Login)
    return login if login and login.expires_at > site_of(request).clock() else None


def login_of_state(request: Request, state: str, *, way: str = "broker") -> Login:
    """The login that `state` belongs to; raises StateMismatch unless this very browser began it in time."""
    login = login_named(request, state.partition(".")[0])
    # Somebody else's answer, delivered by a link, must not sign this browser in as that somebody; and the
    # code of one way in is never sent along the other one.
    if login is None or login.way != way or not secrets.compare_digest(login.state.encode(), state.encode()):
        raise StateMismatch(
            "This login started somewhere else.",
            "Open your Trackeep from your own bookmark and choose Sign in again.",
        )
    return login


def end_login(site: Site, response: Response, login_id: str) -> None:
    """A login answers once."""
    set_cookie(site, response, LOGIN + login_id, "", max_age_s=0)


def keep_setup(site: Site, response: Response, code_hash: bytes) -> None:
    setup = Setup(code_hash, site.now() + SETUP_HOLDS_S)
    set_cookie(site, response, SETUP, _seal(site.vault, SETUP, setup), max_age_s=SETUP_HOLDS_S)


def setup_of(request: Request) -> Setup | None:
    """The right set-up code that this browser gave within the last hour."""
    setup = _unseal(request, SETUP, Setup)
    return setup if setup and setup.expires_at > site_of(request).clock() else None


def end_setup(site: Site, response: Response) -> None:
    set_cookie(site, response, SETUP, "", max_age_s=0)


def _make_room(request: Request, response: Response) -> None:
    """Forget the oldest of many unfinished logins: proxies refuse requests with too large cookies."""
    site = site_of(request)
    start = cookie_name(site.settings.base_url, f"{LOGIN}*").partition("*")[0]
    ours = [name[len(start) : len(start) + 8] for name in request.cookies if name.startswith(start)]
    # Browsers send the oldest cookie first (RFC 6265 section 5.4).
    for login_id in ours[: max(0, len(ours) - MOST_LOGINS + 1)]:
        end_login(site, response, login_id)


def _seal(vault: Vault, name: str, content: msgspec.Struct) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    box = _cipher(vault, name).encrypt(nonce, msgspec.json.encode(content), name.encode())
    return base64.urlsafe_b64encode(nonce + box).rstrip(b"=").decode()


def _unseal(request: Request, name: str, shape: type[T]) -> T | None:
    text = cookie_of(request, name)
    try:
        box = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        vault = site_of(request).vault
        content = _cipher(vault, name).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], name.encode())
        return msgspec.json.decode(content, type=shape)
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        return None


def _cipher(vault: Vault, name: str) -> AESGCM:
    purpose = "set-up cookie" if name == SETUP else "login cookie"
    return AESGCM(vault.derive(purpose))
