"""What this instance says about itself to OAuth services: its address, and the key that signs its requests.

https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.environment import is_loopback_host
from trackeep.handshake.messages import CALLBACK_PATH
from trackeep.instance.site import site_of
from trackeep.store.identity_key import identity_key

PATH = "/.well-known/oauth-client"
LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".internal", ".test", ".invalid", ".onion")
HEADERS = {"cache-control": "public, max-age=3600"}


async def show(request: Request) -> Response:
    """GET /.well-known/oauth-client: the same for everybody, signed in or not."""
    site = site_of(request)
    base_url = site.settings.base_url
    key = await identity_key(site.db, site.vault)
    public = key.as_dict(private=False) | {"kid": key.thumbprint(), "use": "sig", "alg": "ES256"}
    document = {
        "client_id": base_url + PATH,
        "client_name": "Trackeep",
        "client_uri": base_url,
        "redirect_uris": [base_url + CALLBACK_PATH],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [public]},
    }
    return JSONResponse(document, headers=HEADERS)


def client_id_of(base_url: str) -> str:
    """The address of the document, where an OAuth service on the internet can be expected to reach it.

    That needs https on its own port and a public name; "" otherwise.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "https" or parts.netloc != host or _is_number(host) or not is_public_host(host):
        return ""
    return base_url + PATH


def is_public_host(host: str) -> bool:
    """True for a name or number that the internet can be expected to reach."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not is_loopback_host(host) and not host.endswith(LOCAL_SUFFIXES)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
