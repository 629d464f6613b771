"""The OAuth service in the test's own process, over real HTTP, with a chosen clock and chosen keys."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from programs import environment, github_environment
from served import served

from trackeep import web
from trackeep.broker.app import create_app
from trackeep.broker.documents import Documents
from trackeep.environment import BrokerSettings, broker_settings
from trackeep.handshake import keys

CLIENT_ID = "Ov23sandbox0000000001"
CLIENT_SECRET = "sandbox-client-secret-0123456789abcdef01234567"
EXPIRING_CLIENT_ID = "Iv23sandbox0000000002"
EXPIRING_CLIENT_SECRET = "sandbox-expiring-secret-0123456789abcdef0123"
# The registration of a GitHub App: no scopes, tokens of eight hours, refresh tokens that work once.
EXPIRING_APP = {
    "GITHUB_CLIENT_ID": EXPIRING_CLIENT_ID,
    "GITHUB_CLIENT_SECRET": EXPIRING_CLIENT_SECRET,
    "GITHUB_APP_SLUG": "trackeep",
}
NOW = 1_800_000_000


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Running(Clock):
    """The real time, and whatever it is moved by."""

    now: float = 0

    def __call__(self) -> float:
        return time.time() + self.now


def broker_environment(sandbox_url: str, **more: str) -> dict[str, str]:
    """The settings of a broker that signs people in at the sandbox."""
    registration = {"GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET}
    # So that every visitor of a test has an address of their own, as in life.
    proxies = {"TRACKEEP_BROKER_TRUSTED_PROXIES": "127.0.0.0/8 ::1/128"}
    return {**github_environment(sandbox_url), **registration, **proxies, **more}


@dataclass(frozen=True)
class LocalBroker:
    url: str
    ring: keys.KeyRing
    clock: Clock
    settings: BrokerSettings


@asynccontextmanager
async def serve(
    sandbox_url: str,
    ring: keys.KeyRing | None = None,
    clock: Clock | None = None,
    documents: Documents | None = None,
    app: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[LocalBroker]:
    """A running service; `settings` are environment variables without their common beginning.

    `app` is another registration at GitHub than the usual one, as environment variables.
    """
    clock, ring = clock or Clock(), ring or keys.make_ring(NOW)
    more = {f"TRACKEEP_BROKER_{name.upper()}": value for name, value in settings.items()}
    listener = web.bind("127.0.0.1", 0)
    url = f"http://localhost:{listener.getsockname()[1]}"
    chosen = broker_settings(environment(broker_environment(sandbox_url, **(app or {}), **more)))
    if "base_url" not in settings:
        chosen = replace(chosen, base_url=url)
    async with served(create_app(chosen, ring, clock, documents=documents), listener):
        yield LocalBroker(url, ring, clock, chosen)
