"""Signing in at GitHub itself, by the instance's own registration: the way there, and the way back."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from trackeep.errors import LoginDenied, LoginError, NotFound, TrackeepError
from trackeep.github import oauth
from trackeep.github.login import OwnApp
from trackeep.github.transport import fingerprint
from trackeep.instance.entry import admission, other_account, sealed_cookies
from trackeep.instance.entry.revocation import revoke
from trackeep.instance.entry.signin import SCOPES
from trackeep.instance.site import Site, safe_next, site_of
from trackeep.store.people import Credential

PATH = "/auth/github/callback"
WAY = "app"


def begin(request: Request, own_app: OwnApp, access: str) -> Response:
    """On to GitHub, with a state and a challenge that only this browser can answer for."""
    site = site_of(request)
    path = safe_next(request.query_params.get("next", "/"))
    login = sealed_cookies.begin_login(site, path, access, way=WAY)
    question = oauth.Authorization(_back_to(site), login.state, login.code_challenge, SCOPES[access])
    there = own_app.at_github(site.http).authorize_url(question)
    response = RedirectResponse(there, 303, headers={"cache-control": "no-store"})
    sealed_cookies.keep_login(request, response, login)
    return response


async def finish(request: Request, query: list[tuple[str, str]]) -> Response:
    """Sign in whom GitHub names; raises LoginError and GitHubError, after which nobody is."""
    site = site_of(request)
    own_app = OwnApp.of(site.settings)
    if own_app is None:
        raise NotFound(
            "This Trackeep has no registration at GitHub.", "Sign in by the ways of its sign-in page."
        )
    state, code = _parsed(query)
    login = sealed_cookies.login_of_state(request, state, way=WAY)
    _count(request, site)
    github = await own_app.at_github(site.http).exchange(code, _back_to(site), login.verifier)
    site.login_ends.forgive(request.state.client_address)
    await other_account.end_overdue(site)
    credential = _credential(site, own_app, github)
    try:
        viewer = await admission.whose(site, github.access_token)
        arrival = admission.Arrival(viewer, replace(credential, scopes=viewer.scopes), login.next)
        entered = await admission.enter(request, arrival)
    except TrackeepError:
        # A token of somebody who does not enter is of no use to anybody.
        await revoke(site, credential)
        raise
    if entered.replaced:
        await revoke(site, entered.replaced)
    return entered.response


def _parsed(query: list[tuple[str, str]]) -> tuple[str, str]:
    """State and code of GitHub's answer; each may stand there once."""
    names = [name for name, _ in query]
    answer = dict(query)
    if any(names.count(name) > 1 for name in ("state", "code", "error")):
        raise LoginError("GitHub's answer says one thing twice.", "Sign in again.")
    if answer.get("error") == "access_denied":
        raise LoginDenied("The login was cancelled at GitHub.", "Sign in again when you like.")
    if "error" in answer:
        raise LoginDenied(
            "GitHub refuses this login.",
            f"Its registration needs the callback address …{PATH}.",
            code="server_error",
        )
    if not answer.get("state") or not answer.get("code"):
        raise LoginError("GitHub's answer is not whole.", "Open your Trackeep and sign in.")
    return answer["state"], answer["code"]


def _count(request: Request, site: Site) -> None:
    # A login's cookie may be sent again with another made-up code, as often as somebody likes.
    site.login_ends.check(request.state.client_address, site.clock())
    site.login_ends.note(request.state.client_address, site.clock())


def _credential(site: Site, own_app: OwnApp, github: oauth.GitHubToken) -> Credential:
    return Credential(
        kind=WAY,
        access_token=github.access_token,
        token_fingerprint=fingerprint(github.access_token),
        refresh_token=github.refresh_token or "",
        expires_at=site.now() + github.expires_in_s if github.expires_in_s else None,
        client_id=own_app.registration.client_id,
    )


def _back_to(site: Site) -> str:
    return site.settings.base_url + PATH
