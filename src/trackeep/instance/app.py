"""The instance put together: every address in one table, and what goes around each answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from trackeep import web
from trackeep.database import Database
from trackeep.environment import InstanceSettings
from trackeep.instance import connect, frame, health, login, problems, sessions, setup, signin
from trackeep.instance.sessions import anybody, signed_in
from trackeep.instance.site import Site
from trackeep.vault import Vault

HERE = Path(__file__).parent
LONGEST_FORM = 1_048_576

ROUTES = (
    # Signing in and out.
    Route("/setup", anybody(setup.page), methods=["GET"]),
    Route("/setup", anybody(setup.answer), methods=["POST"]),
    Route("/signin", anybody(signin.show), methods=["GET"]),
    Route("/signin/token", anybody(connect.with_token), methods=["POST"]),
    Route("/auth/login", anybody(login.start), methods=["GET"]),
    Route("/auth/callback", anybody(login.callback), methods=["GET"]),
    Route("/auth/logout", signed_in(sessions.sign_out), methods=["POST"]),
    # For machines.
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
)

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)


def new_site(
    settings: InstanceSettings,
    db: Database,
    vault: Vault,
    http: aiohttp.ClientSession,
    *,
    clock: Callable[[], float] = time.time,
    is_demo: bool = False,
) -> Site:
    """What the pages need, with the templates ready to render."""
    pages = web.Pages([HERE / "templates"], web.Assets([web.LOOK, HERE / "static"]), settings.base_path)
    pages.globals["is_demo"] = is_demo
    frame.prepare(pages)
    return Site(settings, db, vault, http, clock, pages, is_demo)


def create_app(site: Site) -> ASGIApp:
    """The instance as an ASGI program; whoever calls has opened the database and closes it again."""
    app = Starlette(
        routes=[*ROUTES, Route("/static/{name:path}", site.pages.assets.endpoint)],
        exception_handlers=web.error_handlers(problems.page),
        max_body_size=LONGEST_FORM,
    )
    # A redirect to the address without its slash would be built from the visitor's Host header.
    app.router.redirect_slashes = False
    app.state.site = site
    settings = site.settings
    return web.Around(app, web.Envelope(settings.base_path, settings.trusted_proxies, _headers(site)))


def _headers(site: Site) -> dict[str, str]:
    headers = {
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
        # The OAuth service must see from where a login starts, and no more than the origin.
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
    if site.is_https:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers
