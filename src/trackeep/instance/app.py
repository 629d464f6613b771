"""The instance put together: every address in one table, and what goes around each answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import aiohttp
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from trackeep import templates, web
from trackeep.database import Database
from trackeep.environment import InstanceSettings
from trackeep.instance import (
    activity_page,
    badges,
    branches_page,
    calendar_page,
    choosing,
    commits_page,
    contributors_page,
    dashboard,
    deliveries,
    feeds,
    frame,
    health,
    identities,
    insights_page,
    metrics,
    my_hours,
    privacy,
    problems,
    pulls_page,
    repositories,
    repository,
    repository_actions,
    repository_tables,
    search_page,
    sessions,
    sync_events,
    sync_page,
    webhooks,
)
from trackeep.instance.api import docs as api_docs
from trackeep.instance.api import schema as api_schema
from trackeep.instance.entry import (
    client_document,
    connect,
    direct_login,
    disconnect,
    login,
    other_account,
    setup,
    signin,
)
from trackeep.instance.request_times import Timed
from trackeep.instance.sessions import anybody, owner_only, signed_in
from trackeep.instance.settings import (
    badges_page,
    connection_page,
    danger_page,
    export_page,
    feeds_page,
    profile_page,
    sessions_page,
    system_page,
    tokens_page,
    users_page,
)
from trackeep.instance.site import Site
from trackeep.vault import Vault

HERE = Path(__file__).parent
LONGEST_FORM = 262_144

ROUTES = (
    # Signing in and out.
    Route("/setup", anybody(setup.page), methods=["GET"]),
    Route("/setup", anybody(setup.answer), methods=["POST"]),
    Route("/signin", anybody(signin.show), methods=["GET"]),
    Route("/signin/token", anybody(connect.with_token), methods=["POST"]),
    Route("/auth/login", anybody(login.start), methods=["GET"]),
    Route("/auth/callback", anybody(login.callback), methods=["GET"]),
    Route(direct_login.PATH, anybody(login.from_github), methods=["GET"]),
    Route("/auth/other", signed_in(other_account.page), methods=["GET"]),
    Route("/auth/other", signed_in(other_account.choose), methods=["POST"]),
    Route("/auth/logout", signed_in(sessions.sign_out), methods=["POST"]),
    # Looking.
    Route("/", signed_in(dashboard.dashboard), methods=["GET"]),
    Route("/calendar", signed_in(calendar_page.page), methods=["GET"]),
    Route("/calendar.csv", signed_in(calendar_page.as_csv), methods=["GET"]),
    Route("/calendar/hours", signed_in(my_hours.page), methods=["GET"]),
    Route("/calendar/hours.csv", signed_in(my_hours.as_csv), methods=["GET"]),
    Route("/repos", signed_in(repositories.table), methods=["GET"]),
    Route("/repos/choose", signed_in(choosing.choose), methods=["GET"]),
    Route("/repos/choose", signed_in(choosing.follow), methods=["POST"]),
    Route("/repos/bulk", signed_in(repository_actions.act), methods=["POST"]),
    Route("/repos/delete", signed_in(repository_actions.confirm), methods=["GET"]),
    Route("/repos/delete", signed_in(repository_actions.delete), methods=["POST"]),
    Route("/repos/add", signed_in(repository_actions.add), methods=["POST"]),
    Route("/repos/wishes/dismiss", signed_in(repository_actions.dismiss), methods=["POST"]),
    Route("/r/{owner}/{name}", signed_in(repository.overview), methods=["GET"]),
    Route("/r/{owner}/{name}/pulls", signed_in(repository.pulls), methods=["GET"]),
    Route("/r/{owner}/{name}/commits", signed_in(repository.commits), methods=["GET"]),
    Route("/r/{owner}/{name}/branches", signed_in(branches_page.of_repository), methods=["GET"]),
    Route("/r/{owner}/{name}/contributors", signed_in(contributors_page.contributors), methods=["GET"]),
    Route("/r/{owner}/{name}/frequency", signed_in(contributors_page.frequency), methods=["GET"]),
    Route("/r/{owner}/{name}/activity", signed_in(activity_page.of_repository), methods=["GET"]),
    Route("/r/{owner}/{name}/charts/{chart}.csv", signed_in(repository_tables.as_csv), methods=["GET"]),
    Route("/r/{owner}/{name}/charts/{chart}", signed_in(repository_tables.page), methods=["GET"]),
    Route("/pulls", signed_in(pulls_page.pulls), methods=["GET"]),
    Route("/pulls/insights", signed_in(insights_page.page), methods=["GET"]),
    Route("/pulls/insights/{chart}.csv", signed_in(insights_page.chart_csv), methods=["GET"]),
    Route("/pulls/insights/{chart}", signed_in(insights_page.chart), methods=["GET"]),
    Route("/pulls/searches", signed_in(pulls_page.keep_search), methods=["POST"]),
    Route("/pulls/searches/change", signed_in(pulls_page.change_search), methods=["POST"]),
    Route("/commits", signed_in(commits_page.commits), methods=["GET"]),
    Route("/commits.csv", signed_in(commits_page.as_csv), methods=["GET"]),
    Route("/commits.json", signed_in(commits_page.as_json), methods=["GET"]),
    Route("/commits.md", signed_in(commits_page.as_markdown), methods=["GET"]),
    Route("/search", signed_in(search_page.page), methods=["GET"]),
    Route("/branches", signed_in(branches_page.everywhere), methods=["GET"]),
    Route("/activity", signed_in(activity_page.everywhere), methods=["GET"]),
    Route("/sync", signed_in(sync_page.page), methods=["GET"]),
    Route("/sync/now", signed_in(repository_actions.sync_now), methods=["POST"]),
    Route("/sync/all", signed_in(repository_actions.all_of_them), methods=["POST"]),
    Route("/sync/budgets", signed_in(sync_page.budgets), methods=["GET"]),
    Route("/sync/budgets.csv", signed_in(sync_page.budgets_csv), methods=["GET"]),
    Route("/sync/runs", signed_in(sync_page.runs), methods=["GET"]),
    Route("/sync/r/{owner}/{name}", signed_in(sync_page.repository), methods=["GET"]),
    Route("/sync/events", signed_in(sync_events.events), methods=["GET"]),
    Route("/settings", signed_in(profile_page.page), methods=["GET"]),
    Route("/settings/theme", signed_in(profile_page.set_theme), methods=["POST"]),
    Route("/settings/heatmap", signed_in(profile_page.set_heatmap), methods=["POST"]),
    Route("/settings/time-zone", signed_in(profile_page.set_time_zone), methods=["POST"]),
    Route("/settings/display", signed_in(profile_page.set_display), methods=["POST"]),
    Route("/settings/me", signed_in(identities.claim), methods=["POST"]),
    Route("/settings/bots", signed_in(identities.bots), methods=["POST"]),
    Route("/settings/github", signed_in(connection_page.page), methods=["GET"]),
    Route("/settings/disconnect", signed_in(disconnect.disconnect), methods=["POST"]),
    Route("/settings/sessions", signed_in(sessions_page.page), methods=["GET"]),
    Route("/settings/sessions/end", signed_in(sessions_page.end), methods=["POST"]),
    Route("/settings/sessions/end-others", signed_in(sessions_page.end_others), methods=["POST"]),
    Route("/settings/tokens", signed_in(tokens_page.page), methods=["GET"]),
    Route("/settings/tokens", signed_in(tokens_page.create), methods=["POST"]),
    Route("/settings/tokens/revoke", signed_in(tokens_page.revoke), methods=["POST"]),
    Route("/settings/feeds", signed_in(feeds_page.page), methods=["GET"]),
    Route("/settings/feeds", signed_in(feeds_page.create), methods=["POST"]),
    Route("/settings/feeds/revoke", signed_in(feeds_page.revoke), methods=["POST"]),
    Route("/settings/badges", signed_in(badges_page.page), methods=["GET"]),
    Route("/settings/badges", signed_in(badges_page.create), methods=["POST"]),
    Route("/settings/badges/remove", signed_in(badges_page.remove), methods=["POST"]),
    Route("/settings/users", owner_only(users_page.page), methods=["GET"]),
    Route("/settings/users/allow", owner_only(users_page.allow), methods=["POST"]),
    Route("/settings/users/remove", owner_only(users_page.remove), methods=["POST"]),
    Route("/settings/users/owner", owner_only(users_page.make_owner), methods=["POST"]),
    Route("/settings/system", owner_only(system_page.page), methods=["GET"]),
    Route("/settings/export", signed_in(export_page.page), methods=["GET"]),
    Route("/settings/export", signed_in(export_page.download), methods=["POST"]),
    Route("/settings/export/backup", owner_only(export_page.make_backup), methods=["POST"]),
    Route("/settings/danger", signed_in(danger_page.page), methods=["GET"]),
    Route("/settings/danger/reset-sync", signed_in(danger_page.reset_sync), methods=["POST"]),
    Route("/settings/danger/delete", signed_in(danger_page.delete_mine), methods=["POST"]),
    Route("/settings/danger/empty", owner_only(danger_page.empty), methods=["POST"]),
    Route("/privacy", anybody(privacy.page), methods=["GET"]),
    Route("/shortcuts", signed_in(profile_page.shortcuts), methods=["GET"]),
    # For machines.
    Route(api_schema.PATH, anybody(api_schema.openapi), methods=["GET"]),
    Route("/api/docs", signed_in(api_docs.page), methods=["GET"]),
    # The token in the address stands for its owner, as it cannot be sent otherwise by a feed reader.
    Route(feeds.ACTIVITY, feeds.activity, methods=["GET"]),
    Route(feeds.QUEUE, feeds.queue, methods=["GET"]),
    Route(feeds.REPOSITORY, feeds.repository, methods=["GET"]),
    Route(badges.PATH, badges.show, methods=["GET"]),
    Route(client_document.PATH, client_document.show, methods=["GET"]),
    # The one address that takes a message without a page of ours behind it: its signature stands for that.
    Route(webhooks.PATH, webhooks.receive, methods=["POST"], max_body_size=deliveries.LONGEST_BODY),
    Route(metrics.PATH, metrics.show, methods=["GET"]),
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
    assets = templates.Assets([templates.LOOK, HERE / "static"])
    pages = templates.Pages([HERE / "templates"], assets, settings.base_path)
    pages.globals["is_demo"] = is_demo
    frame.prepare(pages)
    return Site(settings, db.for_pages(), vault, http, clock, pages, is_demo)


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
    # Beside the pages, because a body that is too long is refused in another form.
    both = _parted(app, site)
    # Forms carry no secrets that compression could betray: what protects them are headers and cookies.
    packed = GZipMiddleware(both, minimum_size=1024, compresslevel=6)
    timed = Timed(packed, site.requests)
    return web.Around(timed, web.Envelope(settings.base_path, settings.trusted_proxies, _headers(site)))


def _parted(pages: ASGIApp, site: Site) -> ASGIApp:
    """What is below the API's address to the API, all else to `pages`.

    A router of the library would send neither an address with a line break in it.
    """
    # FastAPI and the models take 19 MB: loaded when a program asks for the first time, never for pages alone.
    api = cache(lambda: import_module("trackeep.instance.api.routes").create(site))

    async def parted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{api_schema.API_PATH}/"):
            scope["root_path"] = scope.get("root_path", "") + api_schema.API_PATH
            await api()(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return parted


def _headers(site: Site) -> dict[str, str]:
    headers = {
        "content-security-policy": POLICY,
        # The OAuth service must see from where a login starts, and no more than the origin.
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
    # Browsers ignore it, and complain, where a page came over a network in clear text.
    if not site.is_plain_on_network:
        headers["cross-origin-opener-policy"] = "same-origin"
    if site.is_https:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers
