"""GitHub's login: the questions we send and every form of answer it is known to give."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from trackeep.errors import GitHubError, GitHubUnavailable, GrantRefused
from trackeep.github import oauth

APP = oauth.Registration("client", "secret")
QUESTION = oauth.Authorization(
    "https://login.example/auth/github/callback", "st.a.te", "c" * 43, ("repo", "read:user")
)
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def test_the_question_has_pkce_state_and_scopes() -> None:
    """Everything that binds the answer to this login is in the address."""
    url = urlsplit(oauth.authorize_url("https://github.com", APP, QUESTION))
    query = parse_qs(url.query, strict_parsing=True)
    assert url.path == "/login/oauth/authorize"
    assert query["scope"] == ["repo read:user"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"] == ["st.a.te"]
    assert all(len(values) == 1 for values in query.values())


def test_a_github_app_asks_for_no_scopes() -> None:
    """Its permissions are set at GitHub; scopes would only confuse."""
    app = oauth.Registration("client", "secret", app_slug="trackeep")
    assert "scope=" not in oauth.authorize_url("https://github.com", app, QUESTION)


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("length", [40, 255, 1024])
def test_both_forms_of_the_answer_are_read(as_json: bool, length: int) -> None:
    """GitHub answers with a form unless JSON is asked for, and may ignore that; tokens may be long."""
    fields = {"access_token": "gho_" + "x" * (length - 4), "scope": "repo,user:email", "token_type": "bearer"}
    token = oauth.parse_token_answer(200, *encoded(fields, as_json))
    assert token == oauth.GitHubToken(fields["access_token"], "bearer", ("repo", "user:email"))


@pytest.mark.parametrize("as_json", [True, False])
def test_expiring_tokens_come_with_a_refresh_token(as_json: bool) -> None:
    """Lifetimes are numbers in JSON and text in a form; both become seconds."""
    fields = {"access_token": "ghu_x", "token_type": "bearer", "scope": "", "expires_in": 28800}
    fields |= {"refresh_token": "ghr_x", "refresh_token_expires_in": 15897600}
    token = oauth.parse_token_answer(200, *encoded(fields, as_json))
    assert (token.expires_in_s, token.refresh_token, token.refresh_expires_in_s) == (28800, "ghr_x", 15897600)


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("bad_verification_code", GrantRefused),
        ("bad_refresh_token", GrantRefused),
        ("unverified_user_email", GrantRefused),
        ("incorrect_client_credentials", GitHubError),
        ("redirect_uri_mismatch", GitHubError),
        ("application_suspended", GitHubError),
        ("<script>", GitHubError),
    ],
)
def test_errors_inside_status_200_are_errors(error: str, kind: type[Exception], as_json: bool) -> None:
    """GitHub reports refusals with status 200; a spent code differs from a wrong registration."""
    with pytest.raises(kind) as raised:
        oauth.parse_token_answer(200, *encoded({"error": error, "error_description": "<b>x</b>"}, as_json))
    assert "<" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "text/html", b"<html>Unicorn</html>"),
        (502, "text/html", b""),
        (429, "application/json", b'{"message":"slow down"}'),
        (403, "application/json", b'{"message":"secondary rate limit"}'),
        (200, "application/json", b""),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"access_token":'),
        (200, FORM, b""),
        (200, FORM, b"access_token="),
        (200, FORM, b"\xff\xfe"),
        (200, FORM, b"access_token=a%0d%0ab"),
        (200, FORM, b"access_token=" + b"a" * 1025),
        (404, "text/html", b"access_token=abc"),
    ],
)
def test_a_broken_answer_means_try_again(status: int, kind: str, body: bytes) -> None:
    """An outage is never mistaken for a refusal, nor garbage for a token."""
    with pytest.raises(GitHubUnavailable):
        oauth.parse_token_answer(status, kind, body)


def test_only_the_primary_verified_address_counts() -> None:
    """Anybody can add an address to an account; GitHub has to have verified it."""
    emails = [
        {"email": "old@example.org", "primary": False, "verified": True, "visibility": None},
        {"email": "new@example.org", "primary": True, "verified": False, "visibility": "public"},
    ]
    assert oauth.verified_email(oauth.parse_emails(200, json.dumps(emails).encode())) == ""
    emails[1]["verified"] = True
    assert oauth.verified_email(oauth.parse_emails(200, json.dumps(emails).encode())) == "new@example.org"
    assert oauth.parse_emails(404, b'{"message":"Not Found"}') == ()


def test_a_person_without_a_name_is_a_person() -> None:
    """`name` and `avatar_url` may be null at GitHub."""
    person = oauth.parse_user(b'{"id":1,"login":"alice","name":null,"avatar_url":null,"type":"User"}')
    assert (person.id, person.login, person.name) == (1, "alice", "")
    with pytest.raises(GitHubUnavailable):
        oauth.parse_user(b'{"login":"alice"}')


def encoded(fields: dict[str, object], as_json: bool) -> tuple[str, bytes]:
    if as_json:
        return "application/json; charset=utf-8", json.dumps(fields).encode()
    return FORM, urlencode(fields).encode()
