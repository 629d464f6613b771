"""Who asks for a login: a base URL, a registered program, or an address with a metadata document."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.requests import Request

from trackeep.broker import registration, targets
from trackeep.broker.oauth_errors import InvalidClient, OAuthError
from trackeep.broker.parts import Broker
from trackeep.errors import UsageError
from trackeep.handshake.messages import single

RS256 = "RS256"


@dataclass(frozen=True)
class Client:
    """A program that may ask; `thumbprints` are the keys that its document pins, () for none."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    is_confidential: bool = False
    id_token_alg: str = RS256
    is_verified: bool = False
    thumbprints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Caller:
    """Who calls `/token`, `/par` or `/revoke`; `is_proven` when it showed its secret."""

    client_id: str
    is_proven: bool


def digest(client_id: str) -> str:
    """A short name for a client id, which itself may be 1,500 characters long."""
    return base64.urlsafe_b64encode(hashlib.sha256(client_id.encode()).digest()).rstrip(b"=").decode()


def digests(client_id: str) -> tuple[str, str]:
    """The names of a client id as it is written, and as the base URL that it may stand for."""
    return digest(client_id), digest(base_url_of(client_id))


def is_base_url(client_id: str, base_url: str) -> bool:
    """True when the client id is the address itself, which needs no registration and proves nothing."""
    return base_url_of(client_id) == base_url


def base_url_of(text: str) -> str:
    """`text` as a base URL, "" when it is none."""
    try:
        return targets.parse(text).base_url
    except UsageError:
        return ""


async def find(broker: Broker, client_id: str) -> Client:
    """The client of that id; raises InvalidClient for one that is unknown or whose document is refused."""
    if client_id.startswith("https://"):
        document = await broker.documents.fetch(client_id)
        return Client(
            id=document.client_id,
            name=document.name,
            redirect_uris=document.redirect_uris,
            is_verified=True,
            thumbprints=document.thumbprints,
        )
    known = registration.read(broker, client_id)
    return Client(
        id=client_id,
        name=known.name,
        redirect_uris=known.redirect_uris,
        is_confidential=known.is_confidential,
        id_token_alg=known.id_token_alg,
    )


def check_redirect(client: Client, redirect_uri: str) -> None:
    """Raises UsageError unless the client registered exactly this address (loopback: any port)."""
    for known in client.redirect_uris:
        if redirect_uri == known or targets.same_but_port(redirect_uri, known):
            return
    raise targets.TargetRefused(
        "The login should go to an address that this program has not registered.",
        "Register the address letter by letter as the program sends it.",
    )


def vouches_for(client: Client, target: targets.Target) -> bool:
    """True when the host of `target` itself says, in its document, that this client is its own."""
    # Loopback may stand in any document, and any program of that computer can listen there.
    return client.is_verified and target.network is not targets.Network.LOOPBACK


def check_key(client: Client, thumbprint: str) -> None:
    """Raises InvalidClient when the client's document pins keys and this is none of them."""
    if client.thumbprints and thumbprint not in client.thumbprints:
        raise InvalidClient(
            "The metadata document names another key.", "Sign the request with the key that it publishes."
        )


def authenticate(broker: Broker, request: Request, form: list[tuple[str, str]]) -> Caller:
    """Who sends `form`, by its client id and where there is one by its secret.

    Raises InvalidClient for a wrong or missing secret, OAuthError when no client is named.
    """
    client_id, secret = single(form, "client_id"), single(form, "client_secret")
    basic = _basic(request)
    if basic is not None:
        if secret or (client_id and client_id != basic[0]):
            raise OAuthError("The client says twice who it is.", "Use the header or the form, not both.")
        client_id, secret = basic
    if not client_id:
        raise OAuthError("client_id is missing.", "Send it in the form, or in an Authorization header.")
    # Addresses have no secret; what they ask for is bound to the address, to PKCE and to their key.
    if "://" in client_id:
        if secret:
            raise InvalidClient("An address has no client secret.", "Leave client_secret out.")
        return Caller(client_id, is_proven=False)
    known = registration.read(broker, client_id)
    if not known.is_confidential:
        return Caller(client_id, is_proven=False)
    if not hmac.compare_digest(registration.secret_of(broker, client_id).encode(), secret.encode()):
        raise InvalidClient("The client secret is missing or wrong.", "Send the one that came with the id.")
    return Caller(client_id, is_proven=True)


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise InvalidClient("The Authorization header cannot be read.", "Send id:secret as base64.") from None
    # Both are form-encoded inside the header (RFC 6749 section 2.3.1).
    return unquote_plus(client_id), unquote_plus(secret)
