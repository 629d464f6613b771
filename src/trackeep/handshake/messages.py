"""What the OAuth service and an instance send each other through the browser: parse, check, write as URL."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from trackeep.errors import LoginDenied, LoginError, UsageError
from trackeep.handshake.token import encrypt

LONGEST_BASE_URL = 512
LONGEST_STATE = 512
LONGEST_NAME = 60
LONGEST_JWK = 512
LONGEST_CLIENT_ID = 1_500
CALLBACK_PATH = "/auth/callback"
DEFAULT_SCOPES = ("user:email", "read:user", "repo")
# What an instance may ask for: enough to sign in and to read; nothing that administers or deletes.
KNOWN_SCOPES = ("user:email", "read:user", "repo", "public_repo", "read:org")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# Every sign that reads as the end of a quotation.
_DOUBLE_QUOTES = frozenset(
    '"\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\u301f\uff02\u02ba\u02ee\u3003\u275d\u275e'
)

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class StartRequest:
    """The beginning of a login: `redirect_uri` is the base URL of the instance.

    With `code_challenge` (S256) the answer is a code; without, it is the login token itself. `client_id`
    is the address of the instance's metadata document, "" for the base URL alone; `dpop_jkt` is the
    thumbprint of the key that has to redeem the code (RFC 9449 section 10).
    """

    redirect_uri: str
    state: str = ""
    code_challenge: str = ""
    name: str = ""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    jwe_jwk: str = ""
    client_id: str = ""
    dpop_jkt: str = ""

    @property
    def wants_code(self) -> bool:
        return bool(self.code_challenge)


@dataclass(frozen=True)
class Callback:
    """The answer of a login in code mode; `iss` says which service answers."""

    code: str
    state: str
    iss: str


def start_url(broker_url: str, request: StartRequest) -> str:
    """The link that begins a login at the service whose base URL is `broker_url`."""
    return f"{broker_url.rstrip('/')}/auth/github?{urlencode(start_parameters(request))}"


def start_parameters(request: StartRequest) -> dict[str, str]:
    """What a start link, or a pushed request (RFC 9126), says about the login that is wanted."""
    parameters = {"redirect_uri": request.redirect_uri}
    if request.state:
        parameters["state"] = request.state
    if request.code_challenge:
        parameters |= {"code_challenge": request.code_challenge, "code_challenge_method": "S256"}
    if request.name:
        parameters["name"] = request.name
    if request.scopes != DEFAULT_SCOPES:
        parameters["scope"] = " ".join(request.scopes)
    if request.jwe_jwk:
        parameters["jwe_jwk"] = request.jwe_jwk
    if request.client_id:
        parameters["client_id"] = request.client_id
    return parameters


def pushed_url(broker_url: str, client_id: str, request_uri: str) -> str:
    """The link that begins the login which was pushed before and is now called `request_uri`."""
    query = urlencode({"client_id": client_id, "request_uri": request_uri})
    return f"{broker_url.rstrip('/')}/auth/github?{query}"


def parse_start(query: Query) -> StartRequest:
    """The request that a start link makes; raises UsageError with what to change.

    `redirect_uri` is only required to be there once: whether it may receive a login is decided elsewhere.
    """
    redirect_uri = single(query, "redirect_uri")
    if not redirect_uri:
        raise UsageError(
            "The link that brought you here does not say where the login should go.",
            "It needs redirect_uri=, the base URL of your Trackeep, exactly once.",
        )
    return StartRequest(
        redirect_uri=redirect_uri,
        state=bounded(query, "state"),
        code_challenge=parse_challenge(query),
        name=plain_name(single(query, "name")),
        scopes=_scopes(single(query, "scope")),
        jwe_jwk=_public_jwk(single(query, "jwe_jwk")),
        client_id=bounded(query, "client_id", LONGEST_CLIENT_ID),
        dpop_jkt=parse_thumbprint(query),
    )


def parse_callback(query: Query) -> Callback:
    """The code that came back to an instance; raises LoginError for anything else.

    The caller still compares `state` with its cookie and `iss` with the service it chose.
    """
    # An instance in code mode never asked for a token: one that arrives was sent by somebody else.
    if any(name == "token" for name, _ in query):
        raise LoginError("A login token arrived that was not asked for.", "Sign in from your own page again.")
    try:
        code, state, iss = (single(query, name) for name in ("code", "state", "iss"))
        error = single(query, "error")
    except UsageError as repeated:
        raise LoginError(repeated.sentence, "Start the login again.") from None
    if error:
        raise _denied(error)
    if not code or not state or not iss:
        raise LoginError(
            "The answer of the OAuth service is incomplete.", "Start the login again from your own page."
        )
    return Callback(code=code, state=state, iss=iss)


def code_challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def is_verifier(text: str) -> bool:
    """True when `text` has the form of a PKCE verifier (RFC 7636 section 4.1)."""
    return re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", text) is not None


def nonce_of(state: str) -> str:
    """What ties a login token to the request: a digest of the client's state, "" without one."""
    return _base64url(hashlib.sha256(state.encode()).digest()) if state else ""


def pairing_code(code_challenge: str, base_url: str) -> str:
    """Eight characters that both sides show, so that a person can see that they mean the same login."""
    content = b"trackeep pairing code 1\0" + code_challenge.encode() + b"\0" + base_url.encode()
    number = int.from_bytes(hashlib.sha256(content).digest()[:5], "big")
    letters = [CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5)]
    return f"{''.join(letters[:4])}-{''.join(letters[4:])}"


def plain_name(text: str) -> str:
    """A name that somebody chose freely, without characters that hide, reorder or break text."""
    kept = (" " if _reaches_out(char) else char for char in text)
    return " ".join("".join(kept).split())[:LONGEST_NAME].strip()


def parse_challenge(query: Query) -> str:
    """The PKCE challenge of a request, "" without one; raises UsageError for anything but S256."""
    challenge, method = single(query, "code_challenge"), single(query, "code_challenge_method")
    # The default method of RFC 7636 is `plain`, which protects nothing: only S256 is taken.
    if not challenge and not method:
        return ""
    if method != "S256":
        raise UsageError(
            "code_challenge_method must be S256.", "Send the SHA-256 of the verifier, base64url."
        )
    if not _is_sha256(challenge):
        raise UsageError(
            "code_challenge is not the base64url of a SHA-256.", "It has 43 characters and no = at its end."
        )
    return challenge


def parse_thumbprint(query: Query) -> str:
    """The key that a login is bound to (RFC 9449 section 10), "" without one; raises UsageError."""
    thumbprint = single(query, "dpop_jkt")
    if thumbprint and not _is_sha256(thumbprint):
        raise UsageError(
            "dpop_jkt is not the thumbprint of a key.", "Send the base64url of its SHA-256 (RFC 7638)."
        )
    return thumbprint


def bounded(query: Query, name: str, longest: int = LONGEST_STATE) -> str:
    """The value of `name`, "" when it is missing; raises UsageError beyond `longest` bytes."""
    value = single(query, name)
    if len(value.encode("utf-8", "surrogatepass")) > longest:
        raise UsageError(f"{name} is longer than {longest} bytes.", "Send a shorter value.")
    return value


def single(query: Query, name: str) -> str:
    """The value of `name`, "" when it is missing; raises UsageError when it is repeated."""
    values = [value for key, value in query if key == name]
    # Two programs that read a repeated parameter differently are how redirect checks get bypassed.
    if len(values) > 1:
        raise UsageError(f"{name} is given more than once.", "Give it exactly once.")
    return values[0] if values else ""


def _reaches_out(char: str) -> bool:
    """True for what could make a foreign name read like part of the page around it."""
    # Bidirectional controls turn text around, quotation marks end the quotation that the page makes of it.
    return unicodedata.category(char)[0] in "CZ" or char in _DOUBLE_QUOTES


def _is_sha256(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{43}", text) is not None


def _scopes(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(text.split())) or DEFAULT_SCOPES
    for scope in wanted:
        if scope not in KNOWN_SCOPES:
            raise UsageError("scope asks for something that this service never grants.", _known_scopes())
    return wanted


def _known_scopes() -> str:
    return f"Choose from: {' '.join(KNOWN_SCOPES)}."


def _public_jwk(text: str) -> str:
    """`text` reduced to the public members of an X25519 or P-256 key, as compact JSON; "" for ""."""
    if not text:
        return ""
    refused = UsageError(
        "jwe_jwk is not a public key that tokens can be encrypted to.",
        "Send a public JWK of type X25519 or P-256, without its private part d.",
    )
    try:
        jwk = json.loads(text) if len(text) <= LONGEST_JWK else None
    except ValueError:
        raise refused from None
    if not isinstance(jwk, dict) or "d" in jwk:
        raise refused
    kind = (jwk.get("kty"), jwk.get("crv"))
    names: Iterable[str] = {
        ("OKP", "X25519"): ("kty", "crv", "x"),
        ("EC", "P-256"): ("kty", "crv", "x", "y"),
    }.get((str(kind[0]), str(kind[1])), ())
    public = {name: jwk[name] for name in names if isinstance(jwk.get(name), str)}
    try:
        # Used once: some points fail only then, which must not be after GitHub has given its token.
        encrypt("", json.dumps(public))
    except Exception:  # the key library raises many kinds for a malformed point
        raise refused from None
    return json.dumps(public, separators=(",", ":"))


def _denied(error: str) -> LoginDenied:
    known = error if re.fullmatch(r"[a-z_]{1,64}", error) else "server_error"
    if known == "access_denied":
        return LoginDenied("The login was cancelled.", "Nothing was changed; sign in again when you like.")
    if known == "temporarily_unavailable":
        return LoginDenied("GitHub did not answer in time.", "Try again in a minute.", code=known)
    return LoginDenied(f"The OAuth service ended the login: {known}.", "Start the login again.", code=known)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
