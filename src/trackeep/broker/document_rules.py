"""What a metadata document and its address may look like: pure, and never repeating what was fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from trackeep.broker import targets
from trackeep.broker.oauth_errors import InvalidClient
from trackeep.broker.targets import Network
from trackeep.errors import TokenRefused, UsageError
from trackeep.handshake import dpop
from trackeep.handshake.messages import LONGEST_CLIENT_ID, plain_name

MOST_REDIRECTS = 20
MOST_KEYS = 10
# What a key keeps to itself (RFC 7518 section 6, RFC 8037).
PRIVATE_MEMBERS = frozenset(("d", "k", "p", "q", "dp", "dq", "qi", "oth"))


class DocumentRefused(InvalidClient):
    """A client id that is an address, and whose document cannot be had or must not be believed."""


@dataclass(frozen=True)
class Document:
    """What a host says about a client of its own; `thumbprints` (RFC 7638) are of its keys, () for none."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    thumbprints: tuple[str, ...] = ()


def host_of(url: str) -> str:
    """The host of a client id that is an address; raises DocumentRefused unless it has the strict form.

    A name of the public internet, a plain path, and nothing that two programs could read differently:
    no user, port, query, fragment, dot segments or percent-encoding.
    """
    match = re.fullmatch(r"https://([^/?#@:\\\s]+)(/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)", url)
    if match is None or len(url) > LONGEST_CLIENT_ID or {".", ".."} & set(match[2].split("/")):
        raise DocumentRefused(
            "This client id is not the plain https address of a metadata document.",
            "It needs a host name and a path, and no port, query or fragment.",
        )
    try:
        target = targets.parse(f"https://{match[1]}")
    except UsageError as error:
        raise DocumentRefused("The host of this client id is not in its plain form.", error.hint) from None
    # An address of numbers is no name that anybody could vouch for.
    if target.network is not Network.PUBLIC or re.fullmatch(r"[0-9.]+|\[.*", target.host):
        raise DocumentRefused(
            "The host of this client id is not a name of the public internet.",
            "Leave client_id out and use your base URL.",
        )
    return target.host


def read_document(url: str, body: bytes) -> Document:
    """The document that `body`, fetched from `url`, is; raises DocumentRefused."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DocumentRefused("The metadata document is not a JSON object.", "Check it with a JSON tool.")
    # The name says where it may be found: a copy elsewhere speaks for nobody.
    if content.get("client_id") != url:
        raise DocumentRefused(
            "The metadata document is not about this client id.",
            "Its client_id has to be its own address, letter by letter.",
        )
    _check_method(content)
    name = content.get("client_name", "")
    if not isinstance(name, str):
        raise DocumentRefused("client_name is not a text.", "Give a short name, or leave it out.")
    redirect_uris = _redirect_uris(content.get("redirect_uris"), host_of(url))
    return Document(url, plain_name(name), redirect_uris, _thumbprints(content.get("jwks")))


def _check_method(content: Mapping[str, Any]) -> None:
    # Everybody reads this document, so nothing in it can be a secret.
    if "client_secret" in content or "client_secret_expires_at" in content:
        raise DocumentRefused("A metadata document cannot have a client secret.", "Take it out.")
    if content.get("token_endpoint_auth_method", "none") != "none":
        raise DocumentRefused(
            "The metadata document asks for a way to authenticate that is not offered.",
            "token_endpoint_auth_method has to be none; PKCE and DPoP protect the login.",
        )


def _redirect_uris(given: object, host: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_REDIRECTS:
        raise DocumentRefused(
            "redirect_uris is missing or too long.", f"Give a list of 1 to {MOST_REDIRECTS} addresses."
        )
    if not all(isinstance(each, str) and _is_own(each, host) for each in given):
        raise DocumentRefused(
            "The metadata document names a redirect_uri of another host.",
            f"A document speaks for its own host ({host}, https), and for programs on the person's computer.",
        )
    return tuple(dict.fromkeys(given))


def _is_own(redirect_uri: str, host: str) -> bool:
    """A host may vouch for itself. Its native programs listen on loopback, which reaches nobody else."""
    try:
        target = targets.parse_exact(redirect_uri)
    except UsageError:
        return False
    return target.network is Network.LOOPBACK or (target.scheme == "https" and target.host == host)


def _thumbprints(jwks: object) -> tuple[str, ...]:
    if jwks is None:
        return ()
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise DocumentRefused("jwks is not a set of keys.", f"Give at most {MOST_KEYS}, or leave it out.")
    if not all(isinstance(key, dict) and _is_public_key(key) for key in keys):
        raise DocumentRefused("jwks holds something that is not a public key.", "Publish public keys only.")
    found = (_thumbprint(key) for key in keys)
    return tuple(dict.fromkeys(text for text in found if text))


def _is_public_key(key: Mapping[str, Any]) -> bool:
    return key.get("kty") != "oct" and not PRIVATE_MEMBERS & set(key)


def _thumbprint(key: Mapping[str, Any]) -> str:
    """ "" for a key of a kind that makes no proofs here."""
    try:
        return dpop.thumbprint(dpop.public_key(key))
    except TokenRefused:
        return ""
