"""GitHub's page for a new personal access token: the scopes come with the link, the token is shown once."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from trackeep.sandbox import scopes as scope_rules
from trackeep.sandbox.oauth import PERSONAL_SCOPES
from trackeep.sandbox.oauth_pages import COOKIE
from trackeep.sandbox.state import SandboxState

PATH = "/settings/tokens/new"
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)


def routes(state: SandboxState) -> list[Route]:
    pages = _TokenPages(state)
    return [
        Route(PATH, pages.show, methods=["GET"]),
        Route(PATH, pages.make, methods=["POST"]),
    ]


class _TokenPages:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def show(self, request: Request) -> Response:
        """What the token will allow, and the button that makes it; whoever is signed out signs in first."""
        login = self._login(request)
        if login is None:
            back = urlencode({"return_to": f"{PATH}?{request.url.query}"})
            return RedirectResponse(f"/login?{back}", 302)
        wishes = [(scope, scope_rules.IN_WORDS.get(scope, "")) for scope in _scopes(request)]
        note = request.query_params.get("description", "")
        return _page("new_token.html", login=login, note=note, wishes=wishes, token="")

    async def make(self, request: Request) -> Response:
        login = self._login(request)
        if login is None:
            return RedirectResponse("/login", 302)
        token = self._state.authority.mint_personal(login, _scopes(request))
        wishes = [(scope, scope_rules.IN_WORDS.get(scope, "")) for scope in token.scopes]
        return _page("new_token.html", login=login, note="", wishes=wishes, token=token.value)

    def _login(self, request: Request) -> str | None:
        person = self._state.world.people.get(request.cookies.get(COOKIE, ""))
        return person.login if person and person.kind == "User" else None


def _scopes(request: Request) -> tuple[str, ...]:
    """Those of the link, `scopes=repo,user`; without any, what the ready-made tokens have."""
    return scope_rules.parse(request.query_params.get("scopes", "")) or PERSONAL_SCOPES


def _page(template: str, **values: object) -> Response:
    text = _pages.get_template(template).render(**values)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})
