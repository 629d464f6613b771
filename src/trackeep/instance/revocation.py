"""The end of a GitHub token that nobody here needs any more."""

from __future__ import annotations

import structlog

from trackeep.errors import TrackeepError
from trackeep.handshake.client import BrokerClient
from trackeep.instance.site import Site
from trackeep.store.people import Credential

log = structlog.get_logger()

ENDED, KEPT, PASTED = "ended", "kept", "pasted"


async def revoke(site: Site, unwanted: Credential) -> str:
    """End `unwanted` at GitHub: `ended`, `kept` when that failed, or `pasted` when only its owner can."""
    if unwanted.kind != "broker":
        return PASTED
    # Ending an access token ends its refresh token too, but only while it lives.
    has_ended = unwanted.expires_at is not None and unwanted.expires_at <= site.now()
    token = unwanted.refresh_token if has_ended and unwanted.refresh_token else unwanted.access_token
    try:
        await BrokerClient(site.http, unwanted.broker_url).revoke(token)
    except TrackeepError as error:
        # It stays listed at GitHub until GitHub or its owner drops it.
        log.warning("token not revoked", reason=error.sentence)
        return KEPT
    return ENDED
