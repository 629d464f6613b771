"""What every page of the service works with: settings, keys, GitHub, templates and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.requests import Request

from trackeep.broker import targets
from trackeep.broker.live_keys import LiveKeys
from trackeep.broker.memory import Memory
from trackeep.broker.metrics import Metrics
from trackeep.environment import BrokerSettings
from trackeep.errors import UsageError
from trackeep.github.login import GitHubLogin
from trackeep.handshake.keys import KeyRing
from trackeep.templates import Pages

if TYPE_CHECKING:
    # Its refusals are answered in the words of OAuth, for which this file is needed.
    from trackeep.broker.documents import Documents

FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 16_384


@dataclass(frozen=True)
class Broker:
    """The service, ready to answer; `clock` gives unix seconds."""

    settings: BrokerSettings
    keys: LiveKeys
    github: GitHubLogin
    pages: Pages
    clock: Callable[[], float]
    memory: Memory
    metrics: Metrics
    documents: Documents

    @property
    def ring(self) -> KeyRing:
        """The keys of this moment."""
        return self.keys.ring

    @property
    def issuer(self) -> str:
        # Always from the settings: a Host header is written by whoever sends the request.
        return self.settings.base_url

    @property
    def origin(self) -> str:
        parts = urlsplit(self.settings.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def base_path(self) -> str:
        return urlsplit(self.settings.base_url).path.rstrip("/")

    @property
    def callback_url(self) -> str:
        return f"{self.settings.base_url}/auth/github/callback"

    @property
    def is_https(self) -> bool:
        return self.settings.base_url.startswith("https://")

    def admit(self, target: targets.Target, *, wants_code: bool, has_key: bool = False) -> None:
        """Raises UsageError unless `target` may receive this kind of login here."""
        settings = self.settings
        rules = targets.Rules(settings.token_mode, settings.allow, settings.deny)
        targets.check(target, rules, wants_code=wants_code, has_key=has_key)


def broker_of(request: Request) -> Broker:
    """The service that `request` came to."""
    broker: Broker = request.app.state.broker
    return broker


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form body in order; raises UsageError for any other body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    try:
        if kind == FORM and len(body) <= LONGEST_FORM:
            return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        pass
    raise UsageError("The request needs a form as its body.", f"Send it as {FORM}.")


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object that is the body; raises UsageError for any other body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    try:
        content = msgspec.json.decode(body) if kind == "application/json" else None
    except (msgspec.MsgspecError, RecursionError):
        # Also thousands of brackets inside each other.
        content = None
    if not isinstance(content, dict):
        raise UsageError("The request needs a JSON object as its body.", "Send it as application/json.")
    return content
