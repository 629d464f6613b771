"""What every page of one instance needs, made once by `create_app` and found through the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from trackeep import templates
from trackeep.database import Database
from trackeep.environment import InstanceSettings, is_loopback_host
from trackeep.errors import UsageError
from trackeep.handshake.token import VerifyingKey
from trackeep.instance.at_once import AtOnce
from trackeep.instance.badge_pictures import Picture
from trackeep.instance.entry.tries import Tries
from trackeep.instance.kept import Kept
from trackeep.instance.request_times import Requests
from trackeep.store.people import Admission
from trackeep.vault import Vault


@dataclass
class BrokerKeys:
    """The OAuth service's public keys by key id, and when they were fetched; one fetch at a time."""

    keys: dict[str, VerifyingKey] = field(default_factory=dict)
    fetched_at: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class DocumentRefusal:
    """Until when the OAuth service need not be told of our metadata document: it could not fetch it."""

    until: float = 0.0


@dataclass(frozen=True)
class Site:
    """Settings, database, keys, the way out, the clock (unix seconds) and the templates."""

    settings: InstanceSettings
    db: Database
    vault: Vault
    http: aiohttp.ClientSession
    clock: Callable[[], float]
    pages: templates.Pages
    is_demo: bool = False
    broker_keys: BrokerKeys = field(default_factory=BrokerKeys)
    document_refusal: DocumentRefusal = field(default_factory=DocumentRefusal)
    delivery_tries: Tries = field(default_factory=lambda: Tries(most=60, per_s=60))
    long_deliveries: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    token_tries: Tries = field(default_factory=lambda: Tries(most=10, per_s=600))
    # Strangers look at badges: they share this much of the database, whatever they do.
    badge_looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    pictures: Kept[Picture] = field(default_factory=lambda: Kept(most=500, for_s=300))
    requests: Requests = field(default_factory=Requests)
    metrics_tries: Tries = field(default_factory=lambda: Tries(most=10, per_s=60))
    # Each takes a moment of the processor and, until it is fetched, its size on the disk.
    exports_begun: Tries = field(default_factory=lambda: Tries(most=12, per_s=600))
    # A look costs GitHub two questions out of the account's own budget; reading again is a whole history to
    # fetch, and the other accounts' turn comes after it.
    looks_asked: Tries = field(default_factory=lambda: Tries(30, 300, "You asked for a sync often already."))
    read_again: Tries = field(
        default_factory=lambda: Tries(5, 1_800, "You had repositories read again five times already.")
    )
    exports_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    exports_on_the_way: AtOnce = field(default_factory=lambda: AtOnce(4, "of your exports are on their way"))
    # Each asks the database every other second; a browser has six, or a few more by another protocol.
    watching: AtOnce = field(default_factory=lambda: AtOnce(16, "of your windows watch the sync"))
    # Each is a request of ours to the OAuth service, which gives all of us together 1,200 in a minute, and
    # 400 that are wrong; renewals must always find room.
    login_starts: Tries = field(default_factory=lambda: Tries(most=300, per_s=60))
    login_ends: Tries = field(default_factory=lambda: Tries(most=60, per_s=60))

    def now(self) -> int:
        return int(self.clock())

    @property
    def rules(self) -> Admission:
        return Admission.of(self.settings.allowed_users, self.settings.allowed_orgs)

    @property
    def is_https(self) -> bool:
        return self.settings.base_url.startswith("https://")

    @property
    def is_plain_on_network(self) -> bool:
        """Reached over http from other computers, where others on the network can read along."""
        return not self.is_https and not is_loopback_host(urlsplit(self.settings.base_url).hostname or "")

    def go(self, path: str) -> RedirectResponse:
        """On to one of our own pages, by GET."""
        return RedirectResponse(self.pages.url(path), 303, headers={"cache-control": "no-store"})


def site_of(request: Request) -> Site:
    """The instance that this request came to."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site


def safe_next(path: str) -> str:
    """`path` if it can only be a page of ours, else the start page.

    `//host` and `/\\host` would be other hosts, and browsers drop control characters before they look.
    """
    local = path.startswith("/") and path[1:2] not in ("/", "\\") and len(path) <= 512
    plain = all(" " < letter < "\x7f" and letter != "\\" for letter in path)
    return path if local and plain and not path.startswith(("/signin", "/setup", "/auth/")) else "/"


def at_home(request: Request) -> Response | None:
    """A redirect to the base URL's own host when the visitor used another name for it, else None.

    Cookies belong to one host, and the login comes back to the base URL. Raises UsageError where the base
    URL is this computer but the visitor sits at another one.
    """
    site = site_of(request)
    base, host = urlsplit(site.settings.base_url), request.headers.get("host", "")
    # A proxy that passes another Host on would be sent in a circle, so only once.
    if host.lower() == base.netloc.lower() or "here" in request.query_params:
        return None
    if is_loopback_host(base.hostname or "") and not is_loopback_host(_hostname(host)):
        raise UsageError(
            f"This Trackeep believes that it is reached at {site.settings.base_url} only.",
            f"Set TRACKEEP_BASE_URL=http://{host} (or your https address) and start it again.",
        )
    there = URL(str(base.geturl()) + request.scope["path"]).replace(query=request.url.query)
    return RedirectResponse(str(there.include_query_params(here="1")), 303)


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
