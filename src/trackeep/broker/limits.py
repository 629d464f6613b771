"""How often one address, one target and one person may ask, so that nobody's noise stops the others."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trackeep import web
from trackeep.broker import landing
from trackeep.broker.parts import Broker
from trackeep.errors import TooManyRequests

log = structlog.get_logger()

WINDOW_S = 60


@dataclass(frozen=True)
class Rule:
    """At most `most` in a minute; a refused request counts as `refused_costs`."""

    group: str
    most: int
    refused_costs: int = 1


# Per address (IPv6: per /64, which is one household or one server). An office shares one, and so do
# the many instances of a host: 50 people who sign in three times in a minute are 150.
STARTS = Rule("start", 600)
CONSENTS = Rule("consent", 600)
CALLBACKS = Rule("callback", 600)
# What instances ask, from their servers. Guessing is hopeless anyway (everything is sealed with 128 bits
# or more), but a wrong code or secret is never an accident 400 times in a minute.
REDEMPTIONS = Rule("token", 1_200, refused_costs=3)
PUSHES = Rule("par", 1_200, refused_costs=3)
# Each ends in a question to GitHub, whose budget of 5,000 an hour belongs to everybody here.
REVOCATIONS = Rule("revoke", 120, refused_costs=3)
# One that ends nothing is answered like any other, but made-up tokens would spend that budget from one place.
VAIN_REVOCATION_COSTS = 10
# A program registers once in its life.
REGISTRATIONS = Rule("register", 300, refused_costs=3)
# Answered out of memory: keys, metadata, who am I, pages.
READING = Rule("read", 3_000)

BY_ADDRESS = {
    ("GET", "/auth/github"): STARTS,
    ("GET", "/authorize"): STARTS,
    ("POST", "/authorize"): STARTS,
    ("POST", "/auth/github"): CONSENTS,
    ("GET", "/auth/github/callback"): CALLBACKS,
    ("POST", "/token"): REDEMPTIONS,
    ("POST", "/par"): PUSHES,
    ("POST", "/revoke"): REVOCATIONS,
    ("POST", "/register"): REGISTRATIONS,
    ("POST", "/apps/new"): REGISTRATIONS,
}
# What a supervisor asks, and what the operator needs most while somebody makes noise.
UNLIMITED = ("/healthz", "/readyz", "/metrics")

# One target from one address: half of what the address may, so that an instance that sends its visitors
# round in circles does not lock their office out of all the others.
TARGET_FROM_ADDRESS = Rule("target-from-address", 300)
# One target from everywhere: far above any instance (100 logins a second), because whoever has enough
# addresses could otherwise use it to keep that instance's people out.
TARGET = Rule("target", 6_000)
# One person, by GitHub's number: GitHub keeps ten tokens a person, app and scope set, so more than a few
# logins in a minute are of no use to anybody honest.
PERSON = Rule("person", 300)


class RateLimited(TooManyRequests):
    code = "rate_limited"


class Limits:
    """ASGI middleware inside the envelope: counts each request for its address, and refuses past the rule."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        rule = BY_ADDRESS.get((method, scope["path"]), READING)
        broker: Broker = scope["app"].state.broker
        key = f"{rule.group} {household(scope['state']['client_address'])}"
        counted = await broker.memory.count(key, WINDOW_S)
        if counted.number > rule.most:
            request = Request(scope, receive)
            refused = _refused(broker, rule, "address", counted.ends_in_s)
            await web.answer(request, refused, landing.error_page)(scope, receive, send)
            return
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, watch)
        # A request that was refused for its target or its person leaves the address as it was.
        extra = -1 if status == 429 else rule.refused_costs - 1 if status in (400, 401) else 0
        if extra:
            await broker.memory.count(key, WINDOW_S, extra)


async def check_target(broker: Broker, client_address: str, base_url: str) -> None:
    """Counts a login for `base_url` that begins at this address; raises RateLimited past the rules."""
    pair = f"{TARGET_FROM_ADDRESS.group} {household(client_address)} {base_url}"
    await _count(broker, TARGET_FROM_ADDRESS, "target", pair)
    await _count(broker, TARGET, "target", f"{TARGET.group} {base_url}")


async def note_vain_revocation(broker: Broker, client_address: str) -> None:
    """Counts a revocation that GitHub was asked for in vain as the many that it is worth."""
    key = f"{REVOCATIONS.group} {household(client_address)}"
    await broker.memory.count(key, WINDOW_S, VAIN_REVOCATION_COSTS - 1)


async def check_person(broker: Broker, github_id: int) -> None:
    """Counts a finished login of this person; raises RateLimited past the rule."""
    await _count(broker, PERSON, "person", f"{PERSON.group} {github_id}")


def household(client_address: str) -> str:
    """The address that is counted: IPv6 by its /64, without a port; what is no address, as it is."""
    address = web.plain_address(client_address)
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return f"{int(ip) >> 64:x}/64"


async def _count(broker: Broker, rule: Rule, by: str, key: str) -> None:
    counted = await broker.memory.count(key, WINDOW_S)
    if counted.number > rule.most:
        raise _refused(broker, rule, by, counted.ends_in_s)


def _refused(broker: Broker, rule: Rule, by: str, ends_in_s: float) -> RateLimited:
    broker.metrics.limited(rule.group)
    wait_s = max(1, math.ceil(ends_in_s))
    return RateLimited(_SENTENCES[by], f"Try again in {wait_s} seconds.", retry_after_s=wait_s)


_SENTENCES = {
    "address": "There were too many requests from your network within a minute.",
    "target": "Too many logins for this address were begun within a minute.",
    "person": "You signed in too often within a minute.",
}
