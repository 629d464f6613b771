"""GitHub's sign-in and OAuth endpoints over HTTP: pages for people, form-encoded or JSON answers for apps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from trackeep.sandbox import scopes as scope_rules
from trackeep.sandbox.oauth import (
    ACCESS_LIFETIME_S,
    REFRESH_LIFETIME_S,
    App,
    AuthorizeRequest,
    OAuthRefused,
    Token,
)
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import Person

COOKIE = "sandbox_login"
CONSENT_FIELDS = (
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)


def routes(state: SandboxState) -> list[Route]:
    pages = OAuthPages(state)
    return [
        Route("/login", pages.show_login, methods=["GET"]),
        Route("/login", pages.login, methods=["POST"]),
        Route("/logout", pages.logout, methods=["GET", "POST"]),
        Route("/login/oauth/authorize", pages.show_authorize, methods=["GET"]),
        Route("/login/oauth/authorize", pages.decide, methods=["POST"]),
        Route("/login/oauth/access_token", pages.access_token, methods=["POST"]),
        Route("/settings/connections/applications/{client_id}", pages.show_grant, methods=["GET"]),
        Route("/settings/connections/applications/{client_id}", pages.revoke, methods=["POST"]),
    ]


class OAuthPages:
    """The handlers; who is signed in at the sandbox is the login in a plain cookie."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._authority = state.authority

    async def show_login(self, request: Request) -> Response:
        return self._login_page(request.query_params.get("return_to", "/"))

    async def login(self, request: Request) -> Response:
        form = await _form(request)
        person = self._state.world.person(form.get("person", ""))
        if person is None or person.kind != "User":
            return _problem(422, "No such person", "Choose one of the people on the sign-in page.")
        answer = RedirectResponse(_local(form.get("return_to", "/")), 302)
        answer.set_cookie(COOKIE, person.login, httponly=True, samesite="lax")
        return answer

    async def logout(self, request: Request) -> Response:
        answer = RedirectResponse("/login", 302)
        answer.delete_cookie(COOKIE)
        return answer

    async def show_authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        return self._checked(query, lambda asked: self._consent(request, query, asked))

    async def decide(self, request: Request) -> Response:
        form = await _form(request)
        return self._checked(form, lambda asked: self._decided(request, form, asked))

    async def access_token(self, request: Request) -> Response:
        form = await _form(request)
        try:
            answer = _token_fields(self._granted(form))
        except OAuthRefused as refused:
            answer = {
                "error": refused.error,
                "error_description": refused.description,
                "error_uri": refused.uri,
            }
        return _in_the_form_asked_for(request, answer)

    async def show_grant(self, request: Request) -> Response:
        """What the person granted an app, with the button that ends it."""
        person, app = self._person(request), self._authority.apps.get(request.path_params["client_id"])
        if app is None:
            return _problem(404, "Not Found", "No app is registered under this client_id.")
        if person is None:
            return self._login_page(request.url.path)
        granted = self._authority.granted(person.login, app)
        if granted is None:
            return _problem(404, "Nothing granted", f"{app.name} has no access to {person.login}.")
        wishes = _in_words(app, granted)
        page = _pages.get_template("grant.html").render(app=app, person=person, wishes=wishes)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    async def revoke(self, request: Request) -> Response:
        person, client_id = self._person(request), request.path_params["client_id"]
        if person is None:
            return self._login_page(request.url.path)
        self._authority.revoke_grant(person.login, client_id)
        return _problem(200, "Access revoked", "Every token of this application has ended.")

    def _granted(self, form: dict[str, str]) -> Token:
        match form.get("grant_type") or "authorization_code":
            case "authorization_code":
                return self._authority.exchange(form)
            case "refresh_token":
                return self._authority.refresh(form)
        raise OAuthRefused(
            "unsupported_grant_type",
            "The grant_type must be authorization_code or refresh_token.",
            "troubleshooting-oauth-app-access-token-request-errors",
        )

    def _checked(self, query: dict[str, str], go_on: Callable[[AuthorizeRequest], Response]) -> Response:
        try:
            asked = self._authority.check(query)
        except KeyError:
            return _problem(404, "Not Found", "No app is registered under this client_id.")
        except OAuthRefused as refused:
            app = self._authority.apps[query["client_id"]]
            wrong_address = refused.error == "redirect_uri_mismatch"
            target = (
                app.callback_urls[0] if wrong_address else query.get("redirect_uri") or app.callback_urls[0]
            )
            return _redirect_error(target, refused, query.get("state"))
        return go_on(asked)

    def _consent(self, request: Request, query: dict[str, str], asked: AuthorizeRequest) -> Response:
        person = self._person(request)
        if person is None or query.get("prompt") == "select_account":
            again = urlencode({key: value for key, value in query.items() if key != "prompt"})
            return self._login_page(f"{request.url.path}?{again}", asked)
        if self._authority.is_authorized(person.login, asked):
            return self._send_code(person, asked)
        page = _pages.get_template("authorize.html").render(
            app=asked.app,
            person=person,
            wishes=_in_words(asked.app, asked.scopes or ()),
            return_to=asked.return_to,
            fields=[(name, query[name]) for name in CONSENT_FIELDS if name in query],
            other_account=f"{request.url.path}?{urlencode({**query, 'prompt': 'select_account'})}",
        )
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    def _decided(self, request: Request, form: dict[str, str], asked: AuthorizeRequest) -> Response:
        person = self._person(request)
        if person is None:
            return _problem(422, "Not signed in", "Sign in first, then start again at the application.")
        if form.get("decision") != "authorize":
            denied = OAuthRefused(
                "access_denied",
                "The user has denied your application access.",
                "troubleshooting-authorization-request-errors#access-denied",
            )
            return _redirect_error(asked.return_to, denied, asked.state)
        return self._send_code(person, asked)

    def _send_code(self, person: Person, asked: AuthorizeRequest) -> Response:
        answer = {"code": self._authority.authorize(person.login, asked)}
        return _redirect(asked.return_to, answer, asked.state)

    def _login_page(self, return_to: str, asked: AuthorizeRequest | None = None) -> Response:
        page = _pages.get_template("login.html").render(
            app=asked.app if asked else None,
            people=[person for person in self._state.world.people.values() if person.kind == "User"],
            return_to=_local(return_to),
        )
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    def _person(self, request: Request) -> Person | None:
        person = self._state.world.people.get(request.cookies.get(COOKIE, ""))
        return person if person and person.kind == "User" else None


def _in_words(app: App, scopes: tuple[str, ...]) -> list[str]:
    if app.expiring:
        return ["Read the repositories on which it is installed", "Read e-mail addresses"]
    return [scope_rules.IN_WORDS.get(scope, scope) for scope in scopes] or ["Read public information only"]


def _token_fields(token: Token) -> dict[str, Any]:
    fields: dict[str, Any] = {"access_token": token.value}
    if token.refresh_value is not None:
        fields |= {
            "expires_in": ACCESS_LIFETIME_S,
            "refresh_token": token.refresh_value,
            "refresh_token_expires_in": REFRESH_LIFETIME_S,
        }
    return fields | {"scope": ",".join(token.scopes), "token_type": "bearer"}


def _in_the_form_asked_for(request: Request, fields: dict[str, Any]) -> Response:
    accept = request.headers.get("accept", "")
    if "json" in accept:
        answer: Response = JSONResponse(fields, media_type="application/json; charset=utf-8")
    elif "xml" in accept:
        inner = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())
        answer = Response(f"<OAuth>{inner}</OAuth>", media_type="application/xml; charset=utf-8")
    else:
        form_type = "application/x-www-form-urlencoded; charset=utf-8"
        answer = Response(urlencode(fields), media_type=form_type)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _redirect(target: str, fields: dict[str, str], state: str | None) -> Response:
    """Adds the fields to the target's own query, which GitHub keeps."""
    parts = urlsplit(target)
    pairs = parse_qsl(parts.query, keep_blank_values=True) + list(fields.items())
    pairs += [("state", state)] if state is not None else []
    return RedirectResponse(
        urlunsplit(parts._replace(query=urlencode(pairs))), 302, {"Cache-Control": "no-store"}
    )


def _redirect_error(target: str, refused: OAuthRefused, state: str | None) -> Response:
    fields = {"error": refused.error, "error_description": refused.description, "error_uri": refused.uri}
    return _redirect(target, fields, state)


def _problem(status: int, title: str, sentence: str) -> Response:
    page = _pages.get_template("problem.html").render(title=title, sentence=sentence)
    return HTMLResponse(page, status)


def _local(path: str) -> str:
    """A path of this site, never an address elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form or JSON body; GitHub takes them from the query as well."""
    fields = dict(request.query_params)
    if "json" in request.headers.get("content-type", ""):
        try:
            body = await request.json()
        except ValueError:
            return fields
        return (
            fields | {k: v for k, v in body.items() if isinstance(v, str)}
            if isinstance(body, dict)
            else fields
        )
    async with request.form() as form:
        return fields | {key: value for key, value in form.items() if isinstance(value, str)}
