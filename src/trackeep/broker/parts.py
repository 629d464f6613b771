"""What every page of the service works with: settings, keys, GitHub, templates and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from trackeep.broker import targets
from trackeep.broker.exchange import GitHubLogin
from trackeep.environment import BrokerSettings
from trackeep.errors import UsageError
from trackeep.handshake.keys import KeyRing
from trackeep.handshake.messages import StartRequest
from trackeep.web import Pages

FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 16_384


@dataclass(frozen=True)
class Broker:
    """The service, ready to answer; `clock` gives unix seconds."""

    settings: BrokerSettings
    ring: KeyRing
    github: GitHubLogin
    pages: Pages
    clock: Callable[[], float]

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

    def admit(self, asked: StartRequest) -> targets.Target:
        """The target of `asked`; raises UsageError unless it may receive this kind of login."""
        target = targets.parse(asked.redirect_uri)
        settings = self.settings
        rules = targets.Rules(settings.token_mode, settings.allow, settings.deny)
        targets.check(target, rules, wants_code=asked.wants_code, has_key=bool(asked.jwe_jwk))
        return target


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


def one(fields: list[tuple[str, str]], name: str) -> str:
    """The value of the field `name`, "" when it is missing; raises UsageError when it is repeated."""
    values = [value for key, value in fields if key == name]
    # Two readers that pick different values of a repeated field is how checks get bypassed.
    if len(values) > 1:
        raise UsageError(f"{name} is given more than once.", "Give it exactly once.")
    return values[0] if values else ""
