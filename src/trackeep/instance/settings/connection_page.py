"""Settings, GitHub connection: how it is made, what it may do, until when, and who blocks it."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from trackeep.environment import InstanceSettings
from trackeep.instance import permissions
from trackeep.instance.entry.signin import new_token_link
from trackeep.instance.frame import reader_of, viewer_of
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import reports_connection
from trackeep.store.reports_connection import Connection
from trackeep.sync.renewal import renews_at

# What became of a token after "Disconnect", in words.
DISCONNECTED = {
    "ended": "Disconnected, and GitHub ended the token.",
    "pasted": "Disconnected. The token that you pasted still works elsewhere; only you can end it.",
    "kept": "Disconnected here, but GitHub could not be told just now. End the access there.",
    "nothing": "There was no connection.",
}


async def page(request: Request) -> Response:
    """GET /settings/github"""
    site, viewer = site_of(request), viewer_of(request)
    async with site.db.read() as conn:
        way = await reports_connection.connection_of(conn, viewer.account_id)
        blocked = await reports_connection.blocked_owners(conn, reader_of(request))
    outcome = request.query_params.get("disconnected", "")
    is_renewable = way is not None and way.expires_at is not None and way.is_renewable
    return show_section(
        request,
        "settings_github.html",
        "github",
        way=way,
        how=_how(way),
        kind_of_token=_kind_of_token(way),
        permissions=permissions.in_words(way.scopes) if way else (),
        renews_at=renews_at(way.expires_at or 0, way.token_fingerprint) if way and is_renewable else None,
        has_login=site.settings.has_github_login,
        again=again(way),
        new_token=new_token_link(site.settings.github),
        disconnected=(outcome, DISCONNECTED.get(outcome, "")),
        blocked=blocked,
        approval=approval_path(site.settings, way),
        chooses=chooser_path(site.settings, way),
    )


def again(way: Connection | None) -> str:
    """The link that connects to GitHub, with as much access as there is now."""
    query = {"next": "/settings/github"}
    if way and way.scopes and way.kind != "token" and "repo" not in way.scopes:
        query["access"] = "public"
    return f"/auth/login?{urlencode(query)}"


def approval_path(settings: InstanceSettings, way: Connection | None) -> str:
    """GitHub's page where an organisation is asked to let this connection in."""
    if way is not None and way.kind == "token":
        return "settings/tokens"
    if way is not None and way.scopes is None:
        return "settings/installations"
    if settings.has_own_app:
        return f"settings/connections/applications/{settings.github_client_id}"
    return "settings/applications"


def chooser_path(settings: InstanceSettings, way: Connection | None) -> str:
    """GitHub's page where repositories are given to a GitHub App; "" for every other kind of connection."""
    if way is None or way.kind == "token" or way.scopes is not None:
        return ""
    slug = settings.github_app_slug if settings.has_own_app else ""
    return f"apps/{slug}/installations/new" if slug else "settings/installations"


def _how(way: Connection | None) -> str:
    if way is None:
        return ""
    if way.kind == "broker":
        return f"Through {urlsplit(way.broker_url).netloc}"
    return "This instance’s own app" if way.kind == "app" else "A token you pasted"


def _kind_of_token(way: Connection | None) -> str:
    if way is None:
        return ""
    if way.kind == "token":
        return "Fine-grained token" if way.scopes is None else "Classic token"
    return "GitHub App, chosen repositories" if way.scopes is None else "OAuth app, by scopes"
