"""GitHub's login as pure functions: the addresses and forms to send, the answers to read.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import msgspec

from trackeep.errors import GitHubError, GitHubUnavailable, GrantRefused
from trackeep.model import Email, Person

LONGEST_TOKEN = 1024
JSON = "application/json"


@dataclass(frozen=True)
class Registration:
    """What GitHub gave the operator; `app_slug` is set when it is a GitHub App, which has no scopes."""

    client_id: str
    client_secret: str = field(repr=False)
    app_slug: str = ""

    @property
    def is_github_app(self) -> bool:
        return bool(self.app_slug)


@dataclass(frozen=True)
class Authorization:
    """One question to GitHub; `state` and `code_challenge` come back or are checked at the exchange."""

    redirect_uri: str
    state: str
    code_challenge: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class GitHubToken:
    """GitHub's answer to an exchange; lifetimes in seconds, None for tokens that do not expire."""

    access_token: str = field(repr=False)
    token_type: str
    scopes: tuple[str, ...]
    expires_in_s: int | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in_s: int | None = None


class _User(msgspec.Struct):
    id: int
    login: str
    name: str | None = None
    avatar_url: str | None = None
    type: str = "User"


class _Email(msgspec.Struct):
    email: str
    primary: bool = False
    verified: bool = False


def authorize_url(web: str, registration: Registration, question: Authorization) -> str:
    """The page at GitHub where a person allows the login."""
    parameters = {
        "client_id": registration.client_id,
        "redirect_uri": question.redirect_uri,
        "state": question.state,
        "code_challenge": question.code_challenge,
        "code_challenge_method": "S256",
    }
    if not registration.is_github_app:
        parameters["scope"] = " ".join(question.scopes)
    return f"{web}/login/oauth/authorize?{urlencode(parameters)}"


def token_url(web: str) -> str:
    return f"{web}/login/oauth/access_token"


def exchange_form(registration: Registration, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
    """The form that turns a code into a token."""
    return {
        "client_id": registration.client_id,
        "client_secret": registration.client_secret,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }


def refresh_form(registration: Registration, refresh_token: str) -> dict[str, str]:
    """The form that turns a refresh token into a new pair; GitHub takes each refresh token once.

    https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
    """
    return {
        "client_id": registration.client_id,
        "client_secret": registration.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }


def revocation_url(api: str, registration: Registration) -> str:
    """Where `DELETE` with the token in a JSON body ends it (basic authentication with the registration)."""
    return f"{api}/applications/{registration.client_id}/token"


def parse_token_answer(status: int, content_type: str, body: bytes) -> GitHubToken:
    """The token in GitHub's answer, which is a form unless JSON was asked for and may ignore that.

    Raises GrantRefused for a code or refresh token that is spent, GitHubUnavailable when asking again
    later may help, GitHubError when the registration itself is wrong.
    """
    if status >= 500 or status in (403, 429):
        raise GitHubUnavailable("GitHub cannot exchange the login just now.", "Try again in a minute.")
    answer = _fields(content_type, body)
    if "error" in answer:
        raise _refusal(answer["error"])
    token = answer.get("access_token", "")
    if status != 200 or not token or len(token) > LONGEST_TOKEN or re.search(r"[^\x21-\x7e]", token):
        raise GitHubUnavailable("GitHub's answer holds no usable token.", "Try again in a minute.")
    return GitHubToken(
        access_token=token,
        token_type=answer.get("token_type", "bearer").lower(),
        scopes=tuple(scope for scope in re.split(r"[,\s]+", answer.get("scope", "")) if scope),
        expires_in_s=_seconds(answer, "expires_in"),
        refresh_token=answer.get("refresh_token") or None,
        refresh_expires_in_s=_seconds(answer, "refresh_token_expires_in"),
    )


def parse_user(body: bytes) -> Person:
    """The person in the answer of `GET /user`; raises GitHubUnavailable when it is not one."""
    try:
        user = msgspec.json.decode(body, type=_User)
    except msgspec.MsgspecError:
        raise GitHubUnavailable("GitHub did not say who signed in.", "Try again in a minute.") from None
    return Person(
        id=user.id,
        login=user.login,
        name=user.name or "",
        avatar_url=user.avatar_url or "",
        kind=user.type,
    )


def parse_emails(status: int, body: bytes) -> tuple[Email, ...]:
    """The addresses in the answer of `GET /user/emails`; none when the person did not allow to see them."""
    if status in (401, 403, 404):
        return ()
    try:
        emails = msgspec.json.decode(body, type=list[_Email])
    except msgspec.MsgspecError:
        raise GitHubUnavailable(
            "GitHub did not list the e-mail addresses.", "Try again in a minute."
        ) from None
    return tuple(Email(entry.email, entry.primary, entry.verified) for entry in emails)


def verified_email(emails: tuple[Email, ...]) -> str:
    """The primary address if GitHub verified it, else ""; an unverified one could be anybody's."""
    return next((email.address for email in emails if email.primary and email.verified), "")


def _fields(content_type: str, body: bytes) -> Mapping[str, str]:
    try:
        if content_type.partition(";")[0].strip().lower() == JSON:
            answer = msgspec.json.decode(body, type=dict[str, str | int | float | bool | None])
            return {name: str(value) for name, value in answer.items() if value is not None}
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=32))
    except (msgspec.MsgspecError, ValueError):
        raise GitHubUnavailable("GitHub's answer cannot be read.", "Try again in a minute.") from None


def _refusal(error: str) -> GitHubError | GrantRefused:
    # GitHub reports these with status 200:
    # https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
    if error in ("bad_verification_code", "bad_refresh_token", "invalid_grant"):
        return GrantRefused("This login was used already or took too long.", "Start the login again.")
    if error == "unverified_user_email":
        return GrantRefused(
            "GitHub wants this account to verify its e-mail address first.", "Do so at GitHub."
        )
    known = error if re.fullmatch(r"[a-z_]{1,64}", error) else "unknown"
    return GitHubError(
        f"GitHub refuses the registration of this service ({known}).",
        "Its operator has to check the client id, the secret and the callback address.",
    )


def _seconds(answer: Mapping[str, str], name: str) -> int | None:
    value = answer.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) and int(value) > 0 else None
