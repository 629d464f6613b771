"""Signing in by pasting a token of one's own: no OAuth service needed."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import GitHubError, GitHubTokenDead, LoginError
from trackeep.github import rest
from trackeep.github.transport import fingerprint
from trackeep.instance.entry import admission, signin
from trackeep.instance.entry.revocation import revoke
from trackeep.instance.entry.sealed_cookies import setup_of
from trackeep.instance.site import Site, safe_next, site_of
from trackeep.store.people import Credential

# What a classic token needs: each by itself, or by one that includes it
# (https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
NEEDED = {"user:email": ("user:email", "user"), "repo": ("repo", "public_repo")}


async def with_token(request: Request) -> Response:
    """POST /signin/token: GitHub says whose token it is; it is kept sealed, like any other."""
    site, address, form = site_of(request), request.state.client_address, await request.form()
    text, path = str(form.get("token", "")).strip(), safe_next(str(form.get("next", "/")))
    site.token_tries.check(address, site.clock())
    # Counted before GitHub is asked: a hundred tries at the same moment are a hundred tries.
    site.token_tries.note(address, site.clock())
    try:
        viewer = await viewer_of_token(site, text)
    except (LoginError, GitHubError) as error:
        return signin.page(request, path, becomes_owner=setup_of(request) is not None, problem=error)
    site.token_tries.forgive(address)
    credential = Credential("token", text, fingerprint(text), viewer.scopes)
    entered = await admission.enter(request, admission.Arrival(viewer, credential, path))
    if entered.replaced:
        await revoke(site, entered.replaced)
    return entered.response


async def viewer_of_token(site: Site, text: str) -> rest.Viewer:
    """Whose token it is; raises LoginError where it is none or lacks a scope, GitHubTokenDead."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{20,1024}", text):
        raise LoginError("That is not a GitHub token.", "A token starts with ghp_ or github_pat_.")
    try:
        viewer = await admission.whose(site, text)
    except GitHubTokenDead:
        raise GitHubTokenDead(
            "GitHub does not accept this token.", "Paste it whole, or make a new one."
        ) from None
    missing = missing_scopes(viewer.scopes)
    if missing:
        raise LoginError(
            f"This token lacks {' and '.join(missing)}.",
            "Make one with the link below, which ticks what is needed.",
        )
    return viewer


def missing_scopes(scopes: tuple[str, ...] | None) -> list[str]:
    """The scopes a classic token still needs; fine-grained tokens have none to look at."""
    if scopes is None:
        return []
    return [need for need, enough in NEEDED.items() if not set(enough) & set(scopes)]
