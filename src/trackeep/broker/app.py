"""The OAuth service put together: every address in one table, and what goes around each answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp

from trackeep import templates, web
from trackeep.broker import (
    apps_page,
    discovery,
    identity,
    landing,
    login,
    look,
    openapi,
    pushed,
    registration,
    tokens,
    userinfo,
)
from trackeep.broker.documents import Documents
from trackeep.broker.limits import Limits
from trackeep.broker.live_keys import LiveKeys
from trackeep.broker.memory_choice import choose as choose_memory
from trackeep.broker.metrics import Metrics
from trackeep.broker.parts import LONGEST_FORM, Broker
from trackeep.environment import BrokerSettings
from trackeep.github.login import GitHubLogin, new_http_session
from trackeep.github.oauth import Registration
from trackeep.handshake.keys import KeyRing, require_strong

TEMPLATES = Path(__file__).parent / "templates"

ROUTES = (
    Route("/", landing.start_page),
    Route("/auth/github", login.start, methods=["GET"]),
    Route("/auth/github", login.agree, methods=["POST"]),
    Route("/auth/github/callback", login.callback),
    Route("/authorize", login.authorize, methods=["GET", "POST"]),
    Route("/par", pushed.push, methods=["POST"]),
    Route("/token", tokens.token, methods=["POST"]),
    Route("/revoke", tokens.revoke, methods=["POST"]),
    Route("/register", registration.register, methods=["POST"]),
    Route("/apps/new", apps_page.form, methods=["GET"]),
    Route("/apps/new", apps_page.create, methods=["POST"]),
    Route("/userinfo", identity.userinfo, methods=["GET", "POST"]),
    Route("/userinfo", userinfo.preflight, methods=["OPTIONS"]),
    Route("/api/v1/user/me", userinfo.me, methods=["GET"]),
    Route("/api/v1/user/me", userinfo.preflight, methods=["OPTIONS"]),
    Route("/.well-known/jwks.json", userinfo.jwks),
    Route("/.well-known/oauth-authorization-server", discovery.authorization_server),
    Route("/.well-known/openid-configuration", discovery.openid_configuration),
    Route("/.well-known/oauth-protected-resource", discovery.protected_resource),
    Route("/.well-known/oauth-protected-resource{path:path}", discovery.protected_resource),
    Route("/openapi.json", openapi.openapi),
    Route("/healthz", landing.healthz),
    Route("/readyz", landing.readyz),
    Route("/metrics", landing.metrics),
)


def create_app(
    settings: BrokerSettings,
    ring: KeyRing,
    clock: Callable[[], float] = time.time,
    keys_file: Path | None = None,
    documents: Documents | None = None,
) -> ASGIApp:
    """The service as an ASGI program, whose keys are `ring` and, from then on, what is in `keys_file`.

    Raises SecretsError when the client secret is a weak one.
    """
    require_strong("GITHUB_CLIENT_SECRET", settings.github_client_secret)
    base_path = urlsplit(settings.base_url).path.rstrip("/")
    pages, policy = _pages(base_path)
    memory, metrics, fetched = choose_memory(settings, clock), Metrics(), documents or Documents()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        registration = Registration(
            settings.github_client_id, settings.github_client_secret, settings.github_app_slug
        )
        keys = LiveKeys(ring, keys_file, clock)
        async with new_http_session() as http, aclosing(memory), keys.followed():
            github = GitHubLogin(http, settings.github, registration, metrics.asked_github)
            app.state.broker = Broker(settings, keys, github, pages, clock, memory, metrics, fetched)
            yield

    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Limits)],
        exception_handlers=web.error_handlers(landing.error_page, lambda error: metrics.failed(error.code)),
        lifespan=lifespan,
        max_body_size=LONGEST_FORM,
    )
    # A redirect to the address without its slash would go, with the posted code, to where Host says.
    app.router.redirect_slashes = False
    return web.Around(app, web.Envelope(base_path, settings.trusted_proxies, _headers(settings, policy)))


def _pages(base_path: str) -> tuple[templates.Pages, str]:
    assets = templates.Assets([templates.LOOK])
    css = look.style(assets.text("app.css"), (TEMPLATES / "broker.css").read_text(encoding="utf-8"))
    pages = templates.Pages([TEMPLATES], assets, base_path)
    # Our own files: the style, whose hash is in the policy, and the sign of the service.
    pages.globals["css"] = Markup(css)
    pages.globals["mark"] = Markup((TEMPLATES / "mark.svg").read_text(encoding="utf-8").strip())
    pages.globals["icon"] = look.icons(assets.text("icons.svg")).__getitem__
    return pages, look.content_security_policy(css)


def _headers(settings: BrokerSettings, policy: str) -> dict[str, str]:
    headers = {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        # Not `no-referrer`: browsers would then send `Origin: null` with the consent form.
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }
    if settings.base_url.startswith("https://"):
        headers["strict-transport-security"] = "max-age=31536000"
    return headers
