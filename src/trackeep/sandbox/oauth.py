"""Who may do what: registered apps, authorisation codes, access and refresh tokens, by GitHub's own rules."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from trackeep.sandbox import scopes as scope_rules
from trackeep.sandbox.quota import Clock
from trackeep.sandbox.world import World

CODE_LIFETIME_S = 600
ACCESS_LIFETIME_S = 28_800
REFRESH_LIFETIME_S = 15_811_200
TOKENS_PER_SCOPE_SET = 10
LOOPBACK_HOSTS = ("127.0.0.1", "[::1]", "localhost")
PERSONAL_SCOPES = ("read:org", "repo", "user")
# What the user granted a GitHub App: its permissions are not scopes, but they allow the same reading.
APP_PERMISSIONS = ("read:org", "repo", "read:user", "user:email")
ERROR_PAGES = "https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps"
_ALPHABET = string.ascii_letters + string.digits


class BadCredentials(Exception):
    """An Authorization header that holds no living token: answered by 401."""


class OAuthRefused(Exception):
    """An error of GitHub's OAuth endpoints: `error`, `description` and the page that explains it."""

    def __init__(self, error: str, description: str, page: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.uri = f"{ERROR_PAGES}/{page}"


_EXCHANGE = "troubleshooting-oauth-app-access-token-request-errors#"
_AUTHORIZE = "troubleshooting-authorization-request-errors#"


@dataclass(frozen=True, slots=True)
class App:
    """A registration. `expiring` ones behave as GitHub Apps: no scopes, 8 h tokens, rotating refresh."""

    id: int
    client_id: str
    client_secret: str
    name: str
    callback_urls: tuple[str, ...]
    expiring: bool = False


_LOOPBACK_CALLBACKS = tuple(f"http://{host}/auth/github/callback" for host in LOOPBACK_HOSTS)
# Their secrets guard invented data only and are published on purpose.
DEFAULT_APPS = (
    App(
        id=1,
        client_id="Ov23sandbox0000000001",
        client_secret="sandbox-client-secret-0123456789abcdef01234567",  # noqa: S106
        name="Trackeep",
        callback_urls=_LOOPBACK_CALLBACKS,
    ),
    App(
        id=2,
        client_id="Iv23sandbox0000000002",
        client_secret="sandbox-expiring-secret-0123456789abcdef0123",  # noqa: S106
        name="Trackeep with expiring tokens",
        callback_urls=_LOOPBACK_CALLBACKS,
        expiring=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may do: `scopes` with everything included, `shown_scopes` as X-OAuth-Scopes says."""

    login: str
    scopes: frozenset[str]
    token_fingerprint: str
    client_id: str | None = None
    shown_scopes: tuple[str, ...] = ()
    kind: str = "personal"


@dataclass(slots=True)
class Token:
    """An access token, with its refresh token when the app's tokens expire; times are in unix seconds."""

    id: int
    value: str
    login: str
    client_id: str | None
    scopes: tuple[str, ...]
    kind: str
    created_at: int
    expires_at: int | None = None
    refresh_value: str | None = None
    refresh_expires_at: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A checked request for a login; `redirect_uri` is None when the app's own callback is meant."""

    app: App
    redirect_uri: str | None
    scopes: tuple[str, ...] | None
    state: str | None
    code_challenge: str | None = None

    @property
    def return_to(self) -> str:
        return self.redirect_uri or self.app.callback_urls[0]


@dataclass(slots=True)
class Code:
    request: AuthorizeRequest
    login: str
    scopes: tuple[str, ...]
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class _Store:
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    granted: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)


class Authority:
    """Registers apps, issues and ends tokens, and says whom an Authorization header speaks for."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._store = _Store()
        self.apps = {app.client_id: app for app in DEFAULT_APPS}
        for person in world.people.values():
            if person.kind == "User":
                self.welcome(person.login)

    def authenticate(self, authorization: str | None) -> Grant | None:
        """Accepts `Bearer`, `token` and Basic with the token as password or, as git may send it, as user.

        None means that nobody is signed in. Raises BadCredentials for a dead, unknown or unreadable token.
        """
        if not authorization:
            return None
        for value in _presented(authorization):
            token = self._store.tokens.get(value)
            if token is not None and self._alive(token):
                return _grant_of(token)
        raise BadCredentials

    def authenticate_app(self, authorization: str | None) -> App | None:
        """The app whose id and secret a Basic header holds."""
        user, password = _basic(authorization or "")
        app = self.apps.get(user)
        return app if app and hmac.compare_digest(app.client_secret.encode(), password.encode()) else None

    def register(self, callback_urls: tuple[str, ...], *, expiring: bool = False, name: str = "") -> App:
        number = len(self.apps) + 1
        prefix = "Iv23" if expiring else "Ov23"
        client_id = f"{prefix}li{_random(14)}"
        app = App(number, client_id, secrets.token_hex(20), name or f"App {number}", callback_urls, expiring)
        self.apps[client_id] = app
        return app

    def welcome(self, login: str) -> None:
        """Give somebody who is new the token that everybody has from the start."""
        self._add(ready_made_token(login), login, None, PERSONAL_SCOPES)

    def mint_personal(self, login: str, scopes: tuple[str, ...]) -> Token:
        """A classic personal access token with just these scopes."""
        return self._add(f"ghp_{_random(36)}", login, None, scope_rules.normalise(scopes))

    def tokens(self) -> list[Token]:
        return list(self._store.tokens.values())

    def issued(self) -> list[str]:
        """Every code, access token and refresh token, dead ones too."""
        return [*self._store.tokens, *self._store.refresh, *self._store.codes]

    def is_alive(self, token: Token) -> bool:
        return self._alive(token)

    # The web flow

    def check(self, query: dict[str, str]) -> AuthorizeRequest:
        """Checks a login's parameters. Raises KeyError for an unknown app and OAuthRefused for the rest."""
        app = self.apps[query.get("client_id", "")]
        redirect_uri = query.get("redirect_uri") or None
        if redirect_uri and not callback_allows(app.callback_urls, redirect_uri):
            raise redirect_uri_mismatch(_AUTHORIZE + "redirect-uri-mismatch")
        challenge = query.get("code_challenge") or None
        method = query.get("code_challenge_method")
        if (challenge or method) and (method != "S256" or len(challenge or "") != 43):
            raise OAuthRefused(
                "invalid_request",
                "code_challenge must be 43 characters with code_challenge_method S256.",
                _AUTHORIZE,
            )
        scope = query.get("scope")
        asked = scope_rules.parse(scope) if scope is not None else None
        return AuthorizeRequest(app, redirect_uri, asked, query.get("state"), challenge)

    def is_authorized(self, login: str, request: AuthorizeRequest) -> bool:
        """True when the person has granted this app all that it asks for, so that no page is shown."""
        granted = self._store.granted.get((login, request.app.client_id))
        if granted is None:
            return False
        return request.app.expiring or scope_rules.expand(request.scopes or ()) <= granted

    def authorize(self, login: str, request: AuthorizeRequest) -> str:
        """Remembers the person's consent and returns a one-time code."""
        key = (login, request.app.client_id)
        before = self._store.granted.get(key, frozenset())
        asked = scope_rules.normalise(before) if request.scopes is None else request.scopes
        asked = () if request.app.expiring else asked
        self._store.granted[key] = before | scope_rules.expand(asked)
        code = secrets.token_hex(10)
        self._store.codes[code] = Code(request, login, asked, self._clock.now() + CODE_LIFETIME_S)
        return code

    def exchange(self, form: dict[str, str]) -> Token:
        """A code for a token. Raises OAuthRefused; a refused exchange leaves the code to its owner."""
        app = self.client_of(form)
        code = self._store.codes.get(form.get("code", ""))
        if code is None or code.used or code.request.app != app or code.expires_at <= self._clock.now():
            raise bad_verification_code()
        given = form.get("redirect_uri")
        if given and given != code.request.return_to:
            raise redirect_uri_mismatch(_EXCHANGE + "redirect-uri-mismatch")
        if (
            code.request.code_challenge
            and challenge_of(form.get("code_verifier", "")) != code.request.code_challenge
        ):
            raise bad_verification_code()
        person = self._world.people[code.login]
        if not any(email.primary and email.verified for email in person.emails):
            raise OAuthRefused(
                "unverified_user_email",
                "The user must have a verified primary email.",
                _EXCHANGE + "unverified-user-email",
            )
        code.used = True
        return self._issue(app, code.login, code.scopes)

    def refresh(self, form: dict[str, str]) -> Token:
        """A refresh token for a new pair; the presented one and its access token end. Raises OAuthRefused."""
        app = self.client_of(form)
        old = self._store.refresh.get(form.get("refresh_token", ""))
        if old is None or old.client_id != app.client_id or old.revoked or self._refresh_is_over(old):
            raise OAuthRefused(
                "bad_refresh_token",
                "The refresh token passed is incorrect or expired.",
                _EXCHANGE + "bad-refresh-token",
            )
        old.revoked = True
        return self._issue(app, old.login, old.scopes)

    def client_of(self, form: dict[str, str]) -> App:
        """The app that a token request names and proves to be. Raises OAuthRefused."""
        app = self.apps.get(form.get("client_id", ""))
        if app is None or not hmac.compare_digest(
            app.client_secret.encode(), form.get("client_secret", "").encode()
        ):
            raise OAuthRefused(
                "incorrect_client_credentials",
                "The client_id and/or client_secret passed are incorrect.",
                _EXCHANGE + "incorrect-client-credentials",
            )
        return app

    # What an app may do with the tokens it was given

    def token_of(self, app: App, value: str) -> Token | None:
        """The app's living token of this value."""
        token = self._store.tokens.get(value)
        return token if token and token.client_id == app.client_id and self._alive(token) else None

    def reset(self, app: App, token: Token) -> Token:
        token.revoked = True
        return self._issue(app, token.login, token.scopes)

    def granted(self, login: str, app: App) -> tuple[str, ...] | None:
        """The scopes a person has granted an app; None when there is no consent at all."""
        scopes = self._store.granted.get((login, app.client_id))
        return None if scopes is None else scope_rules.normalise(scopes)

    def revoke_grant(self, login: str, client_id: str) -> None:
        """Ends every token of this person and app, and forgets the consent."""
        self._store.granted.pop((login, client_id), None)
        for token in self._store.tokens.values():
            if (token.login, token.client_id) == (login, client_id):
                token.revoked = True

    # Inner workings

    def _issue(self, app: App, login: str, scopes: tuple[str, ...]) -> Token:
        prefix = "ghu_" if app.expiring else "gho_"
        token = self._add(prefix + _random(36), login, app.client_id, scopes)
        if app.expiring:
            token.expires_at = token.created_at + ACCESS_LIFETIME_S
            token.refresh_value = "ghr_" + _random(76)
            token.refresh_expires_at = token.created_at + REFRESH_LIFETIME_S
            self._store.refresh[token.refresh_value] = token
        self._evict(token)
        return token

    def _evict(self, newest: Token) -> None:
        key = (newest.login, newest.client_id, newest.scopes)
        rivals = [
            t
            for t in self._store.tokens.values()
            if (t.login, t.client_id, t.scopes) == key and self._alive(t)
        ]
        for token in rivals[:-TOKENS_PER_SCOPE_SET]:
            token.revoked = True

    def _add(self, value: str, login: str, client_id: str | None, scopes: tuple[str, ...]) -> Token:
        number = len(self._store.tokens) + 1
        kind = {"ghp_": "personal", "gho_": "oauth", "ghu_": "app"}[value[:4]]
        token = Token(number, value, login, client_id, scopes, kind, int(self._clock.now()))
        self._store.tokens[value] = token
        return token

    def _alive(self, token: Token) -> bool:
        return not token.revoked and (token.expires_at is None or self._clock.now() < token.expires_at)

    def _refresh_is_over(self, token: Token) -> bool:
        return token.refresh_expires_at is None or self._clock.now() >= token.refresh_expires_at


def ready_made_token(login: str) -> str:
    """The personal token that everybody in the sandbox has from the start: `ghp_` and 36 characters."""
    return "ghp_" + f"sandbox{login}".replace("-", "").ljust(36, "0")


def fingerprint(token: str) -> str:
    """A short name for a token, safe to log."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def callback_allows(callback_urls: tuple[str, ...], redirect_uri: str) -> bool:
    """GitHub's rule: the callback's host or a sub-domain, the same port (any on loopback), its path or below.

    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#redirect-urls
    """
    return any(_callback_allows(callback, redirect_uri) for callback in callback_urls)


def redirect_uri_mismatch(page: str) -> OAuthRefused:
    return OAuthRefused(
        "redirect_uri_mismatch",
        "The redirect_uri MUST match the registered callback URL for this application.",
        page,
    )


def bad_verification_code() -> OAuthRefused:
    return OAuthRefused(
        "bad_verification_code",
        "The code passed is incorrect or expired.",
        _EXCHANGE + "bad-verification-code",
    )


def _callback_allows(callback: str, redirect_uri: str) -> bool:
    try:
        ours, theirs = urlsplit(callback), urlsplit(redirect_uri)
        ports = ours.port, theirs.port
    except ValueError:
        return False
    host, given = ours.hostname or "", theirs.hostname or ""
    loopback = f"[{host}]" in LOOPBACK_HOSTS or host in LOOPBACK_HOSTS
    same_host = given == host or (not loopback and given.endswith(f".{host}"))
    same_port = loopback or ports[0] == ports[1]
    below = theirs.path == ours.path or theirs.path.startswith(ours.path.rstrip("/") + "/")
    plain = "@" not in theirs.netloc and "\\" not in redirect_uri and "/../" not in f"{theirs.path}/"
    return ours.scheme == theirs.scheme and same_host and same_port and below and plain


def _grant_of(token: Token) -> Grant:
    scopes = APP_PERMISSIONS if token.kind == "app" else token.scopes
    return Grant(
        token.login,
        scope_rules.expand(scopes),
        fingerprint(token.value),
        token.client_id,
        token.scopes,
        token.kind,
    )


def _presented(authorization: str) -> tuple[str, ...]:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return (rest.strip(),)
    user, password = _basic(authorization)
    return (password, user)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
