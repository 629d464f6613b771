"""The end of a GitHub token that nobody here needs any more."""

from __future__ import annotations

import contextlib

import structlog

from trackeep.errors import GrantRefused, TrackeepError
from trackeep.github.login import OwnApp
from trackeep.handshake.client import BrokerClient
from trackeep.instance.site import Site
from trackeep.store.people import Credential
from trackeep.sync.own_app import AtGitHub

log = structlog.get_logger()

ENDED, KEPT, PASTED = "ended", "kept", "pasted"


async def revoke(site: Site, unwanted: Credential) -> str:
    """End `unwanted` at GitHub: `ended`, `kept` when that failed, or `pasted` when only its owner can."""
    if unwanted.kind == "token":
        return PASTED
    try:
        await (_at_github if unwanted.kind == "app" else _at_broker)(site, unwanted)
    except TrackeepError as error:
        # It stays listed at GitHub until GitHub or its owner drops it.
        log.warning("token not revoked", reason=error.sentence)
        return KEPT
    return ENDED


async def _at_broker(site: Site, unwanted: Credential) -> None:
    has_ended = unwanted.refresh_token and _has_ended(site, unwanted)
    token = unwanted.refresh_token if has_ended else unwanted.access_token
    await BrokerClient(site.http, unwanted.broker_url).revoke(token)


async def _at_github(site: Site, unwanted: Credential) -> None:
    giver = AtGitHub(site.http, OwnApp.of(site.settings), unwanted.client_id)
    token = unwanted.access_token
    if unwanted.refresh_token and _has_ended(site, unwanted):
        with contextlib.suppress(GrantRefused):
            token = (await giver.refresh(unwanted.refresh_token)).access_token
    await giver.revoke(token)


def _has_ended(site: Site, unwanted: Credential) -> bool:
    # Ending an access token ends its refresh token too, but only while it lives.
    return unwanted.expires_at is not None and unwanted.expires_at <= site.now()
