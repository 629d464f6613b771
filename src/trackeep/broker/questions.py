"""What a login was asked for, checked: one noun for every door, sealed on its way through the browser."""

from __future__ import annotations

import msgspec

from trackeep.broker import clients, targets
from trackeep.broker.clients import Client
from trackeep.broker.oauth_errors import (
    InteractionRequired,
    InvalidScope,
    OAuthError,
    RequestNotSupported,
    UnsupportedResponseType,
)
from trackeep.broker.parts import Broker
from trackeep.errors import UsageError
from trackeep.handshake import messages
from trackeep.handshake.messages import DEFAULT_SCOPES, KNOWN_SCOPES, Query

GITHUB = "github"
IDENTITY = ("openid", "profile", "email")
# What GitHub is asked for when a program only wants to know who somebody is.
IDENTITY_SCOPES = ("read:user", "user:email")


class Question(msgspec.Struct, array_like=True, frozen=True):
    """A login as somebody asked for it.

    `client` is a digest of the client's id, `wants` what it said it wants: who the person is (`openid profile
    email`), GitHub's own token (`github`, and scopes of GitHub), or both. `scopes` are what GitHub is asked.
    `is_exact` tells a whole redirect_uri from a base URL; `is_verified` that the address itself published a
    document that names it; `is_pushed` that the request came from the client's server with a proof of the
    key `dpop_jkt`, and `is_signed` that this key stands in that document.
    """

    client: str
    redirect_uri: str
    is_exact: bool
    wants_code: bool
    wants: tuple[str, ...]
    scopes: tuple[str, ...]
    state: str
    code_challenge: str
    nonce: str
    name: str
    jwe_jwk: str
    dpop_jkt: str
    id_token_alg: str
    is_verified: bool
    is_pushed: bool
    is_signed: bool = False

    @property
    def target(self) -> targets.Target:
        """Where the answer goes."""
        return (targets.parse_exact if self.is_exact else targets.parse)(self.redirect_uri)

    @property
    def hands_out_token(self) -> bool:
        """True when GitHub's own token is given away, and not only a name."""
        return GITHUB in self.wants


async def from_start(broker: Broker, query: Query, proven: str = "") -> Question:
    """The question of a start link (`/auth/github`), or of the same parameters when they are pushed.

    `proven` is the thumbprint of a key that was shown along with it. Raises UsageError with what to change.
    """
    asked = messages.parse_start(query)
    thumbprint = _key(asked.dpop_jkt, proven)
    target = targets.parse(asked.redirect_uri)
    broker.admit(target, wants_code=asked.wants_code, has_key=bool(asked.jwe_jwk))
    client = None
    if asked.client_id and not clients.is_base_url(asked.client_id, target.base_url):
        client = await clients.find(broker, asked.client_id)
        clients.check_redirect(client, target.callback_url)
        clients.check_key(client, thumbprint)
    return Question(
        client=clients.digest(client.id if client else target.base_url),
        redirect_uri=target.base_url,
        is_exact=False,
        wants_code=asked.wants_code,
        wants=(GITHUB,),
        scopes=asked.scopes,
        state=asked.state,
        code_challenge=asked.code_challenge,
        nonce="",
        name=asked.name,
        jwe_jwk=asked.jwe_jwk,
        dpop_jkt=thumbprint,
        id_token_alg="",
        is_verified=client is not None and clients.vouches_for(client, target),
        is_pushed=bool(proven),
        is_signed=client is not None and proven in client.thumbprints,
    )


async def addressee(broker: Broker, query: Query) -> tuple[Client, targets.Target]:
    """Who asks at `/authorize`, and where the answer goes, mistakes included.

    Raises UsageError while that is in doubt: nobody is redirected to an address that was not checked.
    """
    client_id, redirect_uri = messages.single(query, "client_id"), messages.single(query, "redirect_uri")
    if not client_id or not redirect_uri:
        raise UsageError(
            "The program that sent you here did not say who it is, or where the login should go.",
            "Its request needs client_id= and redirect_uri=, each exactly once.",
        )
    client = await clients.find(broker, client_id)
    clients.check_redirect(client, redirect_uri)
    target = targets.parse_exact(redirect_uri)
    broker.admit(target, wants_code=True)
    return client, target


def from_authorize(client: Client, target: targets.Target, query: Query, proven: str = "") -> Question:
    """The question of an OAuth client; raises OAuthError, which may be sent to `target`."""
    try:
        return _from_authorize(client, target, query, proven)
    except OAuthError:
        raise
    except UsageError as error:
        raise OAuthError(error.sentence, error.hint) from None


def _from_authorize(client: Client, target: targets.Target, query: Query, proven: str) -> Question:
    response_type = messages.single(query, "response_type")
    if not response_type:
        raise OAuthError("response_type is missing.", "Send response_type=code.")
    if response_type != "code":
        # A token in an address stays in histories and logs: only `code` is ever answered.
        raise UnsupportedResponseType("response_type must be code.", "Use the authorization code flow.")
    if messages.single(query, "response_mode") not in ("", "query"):
        raise OAuthError("response_mode must be query.", "Leave it out.")
    if messages.single(query, "request"):
        raise RequestNotSupported("Request objects are not taken.", "Send plain parameters, or use /par.")
    if "none" in messages.single(query, "prompt").split():
        raise InteractionRequired("This service always shows its page.", "Leave prompt=none out.")
    wants, scopes = _scopes(messages.single(query, "scope"))
    challenge, nonce = messages.parse_challenge(query), messages.bounded(query, "nonce")
    # Without a proof of its own, a client without a secret could redeem nothing safely; with one, OpenID
    # Connect's nonce binds the answer to the request (RFC 9700 section 2.1.1).
    if not challenge and not (client.is_confidential and nonce and "openid" in wants):
        raise OAuthError(
            "The request has no PKCE code_challenge, and no nonce in its place.",
            "Switch PKCE (S256) on in the settings of the program.",
        )
    thumbprint = _key(messages.parse_thumbprint(query), proven)
    clients.check_key(client, thumbprint)
    return Question(
        client=clients.digest(client.id),
        redirect_uri=target.callback_url,
        is_exact=True,
        wants_code=True,
        wants=wants,
        scopes=scopes,
        state=messages.bounded(query, "state"),
        code_challenge=challenge,
        nonce=nonce,
        name=client.name,
        jwe_jwk="",
        dpop_jkt=thumbprint,
        id_token_alg=client.id_token_alg,
        is_verified=clients.vouches_for(client, target),
        is_pushed=bool(proven),
        is_signed=proven in client.thumbprints,
    )


def _key(named: str, proven: str) -> str:
    """The key that has to redeem the code: the one that was shown, or the one that is only named yet."""
    if proven and named and named != proven:
        raise OAuthError("dpop_jkt names another key than the DPoP proof.", "Leave dpop_jkt out.")
    return proven or named


def _scopes(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the client is given, and what GitHub is asked for it."""
    offered = (*IDENTITY, GITHUB, *KNOWN_SCOPES)
    # Words that are not known are passed over (OpenID Connect Core section 3.1.2.1): programs ask for
    # `groups` or `offline_access` everywhere. The answer says which were granted.
    wants = tuple(dict.fromkeys(word for word in text.split() if word in offered))
    if not wants and text.split():
        raise InvalidScope("scope asks for nothing that is offered.", f"Choose from: {' '.join(offered)}.")
    wants = wants or IDENTITY
    github_scopes = tuple(word for word in wants if word in KNOWN_SCOPES)
    if GITHUB in wants:
        return wants, github_scopes or DEFAULT_SCOPES
    # Only a client that says `github`, which the person reads in words, ever gets near a repository.
    if github_scopes:
        raise InvalidScope("Scopes of GitHub need the scope github beside them.", "Add github, or drop them.")
    return wants, IDENTITY_SCOPES
