"""Attack 36: a program that was only told who people are tries to get at GitHub's token or a repository."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from local_broker import serve
from programs import Program
from registered import Registered, allow, post, register, tokens_of
from sandbox_control import Sandbox
from visitor import Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

IDENTITY = {"read:user", "user:email"}


def scopes_asked(github: Sandbox, since: int) -> set[str]:
    """Every scope that GitHub was asked for since then."""
    asked = [parse_qs(entry["query"]) for entry in github.log(since) if entry["path"].endswith("/authorize")]
    return {word for query in asked for scope in query.get("scope", []) for word in scope.split()}


def is_githubs(body: dict[str, Any]) -> bool:
    return any(mark in json.dumps(body) for mark in ("gho_", "ghu_", "ghr_"))


@pytest.mark.parametrize(
    "scope",
    [
        "repo",
        "openid repo",
        "openid profile email repo read:org",
        "openid user:email",
        "openid public_repo",
        "read:user",
    ],
)
async def test_scopes_of_github_are_not_had_without_saying_github(
    broker: Program, sandbox: Program, scope: str
) -> None:
    """At both doors: invalid_scope, and the person never comes to GitHub."""
    program, witness = await register(broker.url), await Witness.of(sandbox.url)
    async with Visitor(broker.url) as mallory:
        assert (await mallory.get(program.url(scope=scope))).query["error"] == "invalid_scope"
        form = program.question(scope=scope, client_secret=program.secret)
        status, body = await post(mallory, "/par", form)
        assert (status, body["error"]) == (400, "invalid_scope")
    assert await witness.calls() == []


@pytest.mark.parametrize(
    "scope",
    [
        "openid GITHUB",
        "openid Github",
        "openid git hub",
        "openid,github",
        "openid github,repo",
        "openid gith\u00fcb",
        "openid \uff47ithub",
        "openid github:",
        "openid repo:status delete_repo admin:org",
        "openid\u2003email repo\u0000",
    ],
)
async def test_words_that_look_like_github_are_not(changing: Sandbox, scope: str) -> None:
    """Near misses are passed over: only the profile is asked for, and that token is dead in the end."""
    async with serve(changing.url) as broker, Visitor(broker.url) as mallory:
        program, since = await register(broker.url), changing.mark()
        alive = changing.ask("/tokens")["alive"]
        refused = (await mallory.get(program.url(scope=scope))).status == 303
        body = {} if refused else await tokens_of(mallory, program, scope=scope)
    assert not is_githubs(body)
    assert refused or scopes_asked(changing, since) == IDENTITY
    assert changing.ask("/tokens")["alive"] == alive


async def test_the_page_says_that_there_is_no_access_and_nothing_changes_that_later(
    broker: Program, sandbox: Program
) -> None:
    """Words beside the pushed request, the form and the code: what the person read is what it is."""
    github, program = Sandbox(sandbox.url), await register(broker.url)
    since, more = (
        github.mark(),
        {"scope": "github repo", "wants": "github", "redirect_uri": program.redirect_uri},
    )
    async with Visitor(broker.url) as alice:
        form = program.question(client_secret=program.secret)
        _, pushed = await post(alice, "/par", form)
        named = {"client_id": program.id, "request_uri": pushed["request_uri"]}
        page = await alice.ask("POST", f"{broker.url}/authorize", {"Accept": "text/html"}, {**named, **more})
        assert "No access to GitHub" in page.text
        form = {"token": page.form_token, **more}
        onward = (await alice.post(f"{broker.url}/auth/github?scope=github", form)).onward
        back = await alice.get(await alice.sign_in_at_github(onward) + "&scope=github")
        form = program.redemption(back.query["code"], scope="github repo", wants="github")
        status, body = await post(alice, "/token", form)
    assert (status, body["scope"], is_githubs(body)) == (200, "openid profile email", False)
    assert scopes_asked(github, since) <= IDENTITY


async def test_what_it_was_given_opens_nothing_else(broker: Program, sandbox: Program) -> None:
    """Its tokens and codes at every other place where a token goes in; none becomes GitHub's."""
    program = await register(broker.url)
    async with Visitor(broker.url) as mallory:
        body = await tokens_of(mallory, program)
        code = (await allow(mallory, program.url())).query["code"]
        witness = await Witness.of(sandbox.url)
        for blob in (body["access_token"], body["id_token"], code, program.id):
            assert await attempts(mallory, program, blob) == {400}
            bearer = {"Authorization": f"Bearer {blob}"}
            at_github = await mallory.ask("GET", f"{sandbox.url}/api/v3/user", bearer)
            assert at_github.status == 401
        status, answer = await post(mallory, "/revoke", {"token": body["access_token"]})
        assert (status, answer) == (200, {})
    assert [call for call in await witness.calls() if not call.endswith("/user")] == []


async def attempts(mallory: Visitor, program: Registered, blob: str) -> set[int]:
    """What /token answers when `blob` is taken for a refresh token, or is redeemed as an instance does."""
    base = program.redirect_uri.removesuffix("/oauth/callback")
    forms = [
        {"grant_type": "refresh_token", "refresh_token": blob, **named(program)},
        {"grant_type": "refresh_token", "refresh_token": blob, "client_id": base, "redirect_uri": base},
        {**program.redemption(blob), "redirect_uri": base},
        {**program.redemption(blob, client_secret=""), "redirect_uri": base, "client_id": base},
        {**program.redemption(blob, code_verifier=""), "scope": "github"},
    ]
    answers = [await post(mallory, "/token", form) for form in forms]
    assert not any(is_githubs(body) for _, body in answers)
    return {status for status, _ in answers}


def named(program: Registered) -> dict[str, str]:
    return {"client_id": program.id, "client_secret": program.secret, "scope": "github repo"}


async def test_being_recognised_once_is_no_consent_to_access(broker: Program) -> None:
    """Remembered for an identity login, the same program is asked about anew when it wants a token."""
    program = await register(broker.url)
    own = {"referer": "http://localhost:8765/", "sec_fetch_site": "cross-site"}
    async with Visitor(broker.url) as alice:
        page = await alice.get(program.url())
        form = {"token": page.form_token, "remember": "yes"}
        await alice.post(f"{broker.url}/auth/github", form)
        assert (await alice.get(program.url(), **own)).status == 303
        for scope in ("github", "openid profile email github", "github read:user user:email"):
            again = await alice.get(program.url(scope=scope), **own)
            assert (again.status, again.starts_a_login) == (200, False)


async def test_a_token_in_the_address_is_never_answered_here(broker: Program) -> None:
    """No response type, mode or flow of /authorize leads to a token in a browser."""
    program = await register(broker.url)
    async with Visitor(broker.url) as mallory:
        for kind in ("token", "id_token", "code token", "code id_token token", "none", "CODE"):
            answer = await mallory.get(program.url(response_type=kind, scope="openid github"))
            assert answer.query["error"] == "unsupported_response_type"
        back = await allow(mallory, program.url(jwe_jwk="x", with_code="", token="1"))
        assert set(back.query) == {"code", "state", "iss"}
