"""The access token of a login that only says who somebody is: sealed, so nobody is asked what it means."""

from __future__ import annotations

import msgspec

from trackeep.broker.parts import Broker
from trackeep.errors import TokenRefused
from trackeep.handshake.sealed import Purpose, SealBroken, seal, unseal

LIFETIME_S = 3_600


class SealedAccessToken(msgspec.Struct, array_like=True, frozen=True):
    """Who signed in, as the claims that the person agreed to tell."""

    claims: dict[str, str | bool]
    expires_at: int


def make(broker: Broker, claims: dict[str, str | bool]) -> str:
    """A token for these claims, good for an hour."""
    content = SealedAccessToken(claims, int(broker.clock()) + LIFETIME_S)
    return seal(broker.ring, Purpose.ACCESS_TOKEN, content, broker.clock())


def read(broker: Broker, unverified_token: str) -> dict[str, str | bool]:
    """The claims inside; raises TokenRefused unless it was made here within the hour."""
    now = broker.clock()
    try:
        found = unseal(broker.ring, Purpose.ACCESS_TOKEN, unverified_token, SealedAccessToken, now)
    except SealBroken:
        raise TokenRefused("This access token was not made here.", "Sign in again.") from None
    if now > found.expires_at:
        raise TokenRefused("This access token is expired.", "Sign in again.")
    return found.claims


def is_ours(broker: Broker, unverified_token: str) -> bool:
    """True for a token that was made here, expired or not."""
    try:
        unseal(broker.ring, Purpose.ACCESS_TOKEN, unverified_token, SealedAccessToken, broker.clock())
    except SealBroken:
        return False
    return True
