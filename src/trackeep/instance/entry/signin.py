"""The sign-in page: through the OAuth service or GitHub itself, or with a token of one's own."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from trackeep.environment import GitHubAddresses
from trackeep.errors import TrackeepError
from trackeep.handshake import messages
from trackeep.instance.entry import sealed_cookies
from trackeep.instance.site import at_home, safe_next, site_of
from trackeep.store import ownership

# One scope more than the published guide's: GitHub keeps ten tokens a person, app and set of scopes, and
# logins of other programs must not push ours out. Team reviews and allowed organisations need it anyway.
SCOPES = {
    "all": (*messages.DEFAULT_SCOPES, "read:org"),
    "public": ("user:email", "read:user", "read:org"),
}
# What a classic token gets ticked (https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
TOKEN_SCOPES = ("repo", "read:user", "user:email", "read:org")


async def show(request: Request) -> Response:
    """GET /signin"""
    site, path = site_of(request), safe_next(request.query_params.get("next", "/"))
    if request.state.viewer is not None:
        return site.go(path)
    if elsewhere := at_home(request):
        return elsewhere
    async with site.db.read() as conn:
        has_owner = await ownership.owner_id(conn) is not None
    if not has_owner and sealed_cookies.setup_of(request) is None:
        return site.go("/setup")
    return page(request, path, becomes_owner=not has_owner)


def page(
    request: Request, path: str, *, becomes_owner: bool, problem: TrackeepError | None = None
) -> Response:
    """The sign-in page; `problem` is what was wrong with a pasted token."""
    site = site_of(request)
    login = None
    if site.settings.broker_url and site.is_plain_on_network:
        # The pairing code belongs to a login, so that login begins with the page that shows it.
        login = sealed_cookies.login_named(request, request.query_params.get("login", ""))
        login = login or sealed_cookies.begin_login(site, path, "all")
    response = site.pages.page(
        "signin.html",
        status=problem.status if problem else 200,
        address=site.settings.base_url.partition("://")[2],
        broker=urlsplit(site.settings.broker_url).netloc,
        has_login=site.settings.has_github_login,
        is_github_app=bool(site.settings.has_own_app and site.settings.github_app_slug),
        links={access: _start_link(path, access, login) for access in SCOPES},
        pairing_code=messages.pairing_code(login.code_challenge, site.settings.base_url) if login else "",
        becomes_owner=becomes_owner,
        next=path,
        problem=str(problem or ""),
        new_token=new_token_link(site.settings.github),
    )
    if login:
        sealed_cookies.keep_login(request, response, login)
    return response


def new_token_link(github: GitHubAddresses) -> str:
    """GitHub's page for a new classic token, with everything needed ticked."""
    query = {"description": "Trackeep", "scopes": ",".join(TOKEN_SCOPES)}
    return f"{github.web}/settings/tokens/new?{urlencode(query)}"


def _start_link(path: str, access: str, login: sealed_cookies.Login | None) -> str:
    chosen = {"next": path if path != "/" else "", "access": access if access != "all" else ""}
    query = {name: value for name, value in {**chosen, "login": login.id if login else ""}.items() if value}
    return "/auth/login" + (f"?{urlencode(query)}" if query else "")
