"""GitHub's web login, its token endpoint and what apps may do with tokens, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from programs import Program, start

from trackeep.sandbox.oauth import callback_allows
from trackeep.sandbox.scopes import parse

pytestmark = pytest.mark.anyio

APP = {
    "client_id": "Ov23sandbox0000000001",
    "client_secret": "sandbox-client-secret-0123456789abcdef01234567",
}
EXPIRING = {
    "client_id": "Iv23sandbox0000000002",
    "client_secret": "sandbox-expiring-secret-0123456789abcdef0123",
}
CALLBACK = "http://127.0.0.1:4321/auth/github/callback"
VERIFIER = "a-verifier-of-enough-length-0123456789-abcdefgh"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass
class Browser:
    """A person's browser at the sandbox, and the app's own calls beside it."""

    http: aiohttp.ClientSession
    url: str

    async def sign_in(self, person: str = "alice") -> None:
        form = {"person": person, "return_to": "/"}
        async with self.http.post(f"{self.url}/login", data=form, allow_redirects=False) as answer:
            assert answer.status == 302

    async def authorize(self, **asked: str) -> tuple[int, str, dict[str, str]]:
        """Opens the authorize address: status, page, and the parameters it redirected back with."""
        address = f"{self.url}/login/oauth/authorize?{urlencode(asked)}"
        async with self.http.get(address, allow_redirects=False) as answer:
            return answer.status, await answer.text(), returned(answer)

    async def decide(self, decision: str = "authorize", **asked: str) -> dict[str, str]:
        form = {**asked, "decision": decision}
        address = f"{self.url}/login/oauth/authorize"
        async with self.http.post(address, data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return returned(answer)

    async def code(self, **asked: str) -> str:
        wanted = {"client_id": APP["client_id"], "redirect_uri": CALLBACK, "scope": "repo", **asked}
        return (await self.decide(**wanted))["code"]

    async def token(self, **form: str) -> dict[str, str]:
        """What the token endpoint says, read from its default form encoding."""
        async with self.http.post(f"{self.url}/login/oauth/access_token", data={**APP, **form}) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/x-www-form-urlencoded"
            return dict(parse_qsl(await answer.text(), keep_blank_values=True))

    async def status(self, token: str, path: str = "/user") -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.get(f"{self.url}/api/v3{path}", headers=headers) as answer:
            return answer.status

    async def by_app(self, method: str, path: str, token: str, app: dict[str, str] = APP) -> tuple[int, str]:
        basic = {"Authorization": aiohttp.encode_basic_auth(app["client_id"], app["client_secret"])}
        address, body = f"{self.url}/api/v3/applications/{path}", {"access_token": token}
        async with self.http.request(method, address, headers=basic, json=body) as answer:
            return answer.status, await answer.text()

    async def advance(self, seconds: int) -> None:
        async with self.http.post(f"{self.url}/_sandbox/clock", json={"advance_s": seconds}) as answer:
            assert answer.status == 200


def returned(answer: aiohttp.ClientResponse) -> dict[str, str]:
    location = answer.headers.get("Location", "")
    fields = parse_qs(urlsplit(location).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in fields.values())
    return {"": location.partition("?")[0], **{name: values[0] for name, values in fields.items()}}


@asynccontextmanager
async def opened(program: Program) -> AsyncIterator[Browser]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Browser(http, program.url)


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sandbox for this file: its clock moves and its tokens end."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("oauth")))
    yield program
    program.stop()


@pytest.fixture
async def alice(github: Program) -> AsyncIterator[Browser]:
    async with opened(github) as browser:
        await browser.sign_in()
        yield browser


async def test_a_stranger_chooses_a_person_first(github: Program) -> None:
    """Without a session the authorize address shows the people, and goes on to where it was."""
    async with opened(github) as browser:
        status, page, _ = await browser.authorize(client_id=APP["client_id"], state="a b")
        assert status == 200 and 'value="alice"' in page and "Trackeep" in page
        await browser.sign_in("bob")
        status, page, _ = await browser.authorize(client_id=APP["client_id"], state="a b", scope="gist")
        assert "(bob)" in page and 'value="cancel"' in page


async def test_the_consent_page_names_app_target_and_wishes(alice: Browser) -> None:
    """The page says who asks, for what and where the person goes afterwards."""
    _, page, _ = await alice.authorize(
        client_id=APP["client_id"], redirect_uri=CALLBACK, scope="repo user:email"
    )
    assert CALLBACK in page and "private repositories" in page and "e-mail" in page
    assert 'name="decision" value="authorize"' in page


async def test_a_login_ends_with_a_token(alice: Browser) -> None:
    """Consent gives a code and the state as it was; the code gives a token that the API knows."""
    back = await alice.decide(
        client_id=APP["client_id"], redirect_uri=CALLBACK, scope="user:email repo", state="ä&=1"
    )
    assert back[""] == CALLBACK and back["state"] == "ä&=1"
    token = await alice.token(code=back["code"], redirect_uri=CALLBACK)
    assert re.fullmatch(r"gho_[A-Za-z0-9]{36}", token["access_token"])
    assert (token["scope"], token["token_type"]) == ("repo,user:email", "bearer")
    headers = {"Authorization": f"token {token['access_token']}"}
    async with alice.http.get(f"{alice.url}/api/v3/user", headers=headers) as answer:
        assert (await answer.json())["login"] == "alice"
        assert answer.headers["X-OAuth-Scopes"] == "repo, user:email"
        assert answer.headers["X-OAuth-Client-Id"] == APP["client_id"]


async def test_json_is_given_to_whoever_asks_for_it(alice: Browser) -> None:
    """The token endpoint obeys Accept, for tokens and for errors."""
    headers = {"Accept": "application/json"}
    address = f"{alice.url}/login/oauth/access_token"
    for form in ({"code": await alice.code()}, {"code": "nonsense"}):
        async with alice.http.post(address, data={**APP, **form}, headers=headers) as answer:
            body = await answer.json()
            assert answer.status == 200 and ("access_token" in body) == (form["code"] != "nonsense")


async def test_a_code_is_good_once(alice: Browser) -> None:
    """The second exchange of a code is refused."""
    code = await alice.code()
    assert "access_token" in await alice.token(code=code)
    refused = await alice.token(code=code)
    assert refused["error"] == "bad_verification_code"
    assert refused["error_uri"].startswith("https://docs.github.com/")


async def test_a_code_lives_ten_minutes(alice: Browser) -> None:
    """Ten minutes after consent the code is worth nothing."""
    early, late = await alice.code(), await alice.code()
    await alice.advance(590)
    assert "access_token" in await alice.token(code=early)
    await alice.advance(20)
    assert (await alice.token(code=late))["error"] == "bad_verification_code"


async def test_the_verifier_is_enforced(alice: Browser) -> None:
    """A code asked for with a challenge needs its verifier; the owner can still use it after a wrong one."""
    code = await alice.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await alice.token(code=code))["error"] == "bad_verification_code"
    assert (await alice.token(code=code, code_verifier="x" * 43))["error"] == "bad_verification_code"
    assert "access_token" in await alice.token(code=code, code_verifier=VERIFIER)


@pytest.mark.parametrize(
    "wanted",
    [
        {"code_challenge": VERIFIER[:43], "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
async def test_only_s256_is_known(alice: Browser, wanted: dict[str, str]) -> None:
    """A plain, unnamed or malformed challenge goes back as an error, with the state."""
    status, _, back = await alice.authorize(
        client_id=APP["client_id"], redirect_uri=CALLBACK, state="s", **wanted
    )
    assert status == 302 and back[""] == CALLBACK
    assert (back["error"], back["state"]) == ("invalid_request", "s")


async def test_cancel_says_access_denied(alice: Browser) -> None:
    """Cancel leads back with GitHub's error, its description, its page and the state."""
    back = await alice.decide(
        "cancel", client_id=APP["client_id"], redirect_uri=CALLBACK, scope="workflow", state="s1"
    )
    assert (back["error"], back["state"]) == ("access_denied", "s1")
    assert back["error_description"] == "The user has denied your application access."
    assert back["error_uri"].endswith("#access-denied")


async def test_the_target_must_be_registered(alice: Browser) -> None:
    """A foreign redirect_uri leads to the registered callback, never to the foreign address."""
    for foreign in ("https://mallory.example/auth/github/callback", "http://127.0.0.1/elsewhere"):
        _, _, back = await alice.authorize(client_id=APP["client_id"], redirect_uri=foreign)
        assert back["error"] == "redirect_uri_mismatch"
        assert back[""] == "http://127.0.0.1/auth/github/callback"


async def test_the_target_is_compared_at_the_exchange(alice: Browser) -> None:
    """The exchange must name the address that the code was issued for, when it names one."""
    code = await alice.code()
    other = CALLBACK.replace("4321", "4322")
    assert (await alice.token(code=code, redirect_uri=other))["error"] == "redirect_uri_mismatch"
    assert "access_token" in await alice.token(code=code, redirect_uri=CALLBACK)


@pytest.mark.parametrize(
    ("callback", "asked", "allowed"),
    [
        ("http://example.com/path", "http://example.com/path", True),
        ("http://example.com/path", "http://example.com/path/subdir/other", True),
        ("http://example.com/path", "http://oauth.example.com/path", True),
        ("http://example.com/path", "http://example.com/bar", False),
        ("http://example.com/path", "http://example.com/pathology", False),
        ("http://example.com/path", "http://example.com/path/../bar", False),
        ("http://example.com/path", "http://example.com:8080/path", False),
        ("http://example.com/path", "http://example.org/path", False),
        ("http://example.com/path", "http://badexample.com/path", False),
        ("http://example.com/path", "https://example.com/path", False),
        ("http://example.com/path", "http://example.com@mallory.example/path", False),
        ("http://127.0.0.1/path", "http://127.0.0.1:1234/path", True),
        ("http://127.0.0.1/path", "http://evil.127.0.0.1:1234/path", False),
        ("http://127.0.0.1/path", "http://127.0.0.1:99999/path", False),
    ],
)
def test_github_rule_for_callbacks(callback: str, asked: str, allowed: bool) -> None:
    """Host or sub-domain, same port except on loopback, the path or below it."""
    assert callback_allows((callback,), asked) is allowed


async def test_wrong_client_credentials(alice: Browser) -> None:
    """A wrong secret or an unknown app is an error inside a 200, and the code is not spent by it."""
    code = await alice.code()
    for wrong in ({"client_secret": "guess"}, {"client_id": "Ov23nobody"}):
        assert (await alice.token(code=code, **wrong))["error"] == "incorrect_client_credentials"
    assert (await alice.token(code=code, grant_type="password"))["error"] == "unsupported_grant_type"
    assert (await alice.token(code=code, **EXPIRING))["error"] == "bad_verification_code"
    assert "access_token" in await alice.token(code=code)


async def test_an_unknown_app_is_not_found(alice: Browser) -> None:
    """An authorize address with an unknown client_id answers 404 and redirects nowhere."""
    status, _, back = await alice.authorize(client_id="Ov23nobody", redirect_uri=CALLBACK)
    assert (status, back) == (404, {"": ""})


async def test_consent_is_asked_again_only_for_more(github: Program) -> None:
    """What was granted is not asked again; a wider scope is; no scope means all that was granted."""
    async with opened(github) as carol:
        await carol.sign_in("carol")
        asked = {"client_id": APP["client_id"], "redirect_uri": CALLBACK}
        assert (await carol.authorize(**asked, scope="repo"))[0] == 200
        await carol.decide(**asked, scope="repo gist")
        assert "code" in (await carol.authorize(**asked, scope="public_repo"))[2]
        assert (await carol.authorize(**asked, scope="repo workflow"))[0] == 200
        _, page, _ = await carol.authorize(**asked, scope="repo", prompt="select_account")
        assert 'value="alice"' in page
        _, _, back = await carol.authorize(**asked)
        assert (await carol.token(code=back["code"]))["scope"] == "gist,repo"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("user gist user:email", ("gist", "user")),
        ("user:email,read:user,repo", ("read:user", "repo", "user:email")),
        ("repo public_repo nonsense", ("repo",)),
        ("admin:org read:org write:org", ("admin:org",)),
        ("", ()),
    ],
)
def test_scopes_are_normalised(asked: str, kept: tuple[str, ...]) -> None:
    """Implied and unknown scopes fall away, the rest is sorted."""
    assert parse(asked) == kept


async def test_the_eleventh_token_ends_the_first(github: Program) -> None:
    """Ten tokens live per person, app and scope set; another scope set has its own ten."""
    async with opened(github) as bob:
        await bob.sign_in("bob")
        other = (await bob.token(code=await bob.code(scope="gist")))["access_token"]
        tokens = [(await bob.token(code=await bob.code()))["access_token"] for _ in range(11)]
        assert [await bob.status(token) for token in (tokens[0], tokens[1], other)] == [401, 200, 200]


async def test_expiring_tokens_are_refreshed(alice: Browser) -> None:
    """An app with expiring tokens gets 8 hours and a refresh token that works once."""
    code = await alice.code(client_id=EXPIRING["client_id"])
    first = await alice.token(**EXPIRING, code=code)
    assert re.fullmatch(r"ghu_\w{36}", first["access_token"])
    assert re.fullmatch(r"ghr_\w{76}", first["refresh_token"])
    assert (first["expires_in"], first["refresh_token_expires_in"]) == ("28800", "15811200")
    assert first["scope"] == ""
    await alice.advance(28_801)
    assert await alice.status(first["access_token"]) == 401
    renew = {**EXPIRING, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await alice.token(**renew)
    assert await alice.status(second["access_token"]) == 200
    assert (await alice.token(**renew))["error"] == "bad_refresh_token"
    await alice.advance(15_811_201)
    late = await alice.token(**{**renew, "refresh_token": second["refresh_token"]})
    assert late["error"] == "bad_refresh_token"


async def test_a_refresh_ends_the_token_it_replaces(alice: Browser) -> None:
    """After a refresh the former access token is dead although its time was not over."""
    first = await alice.token(**EXPIRING, code=await alice.code(client_id=EXPIRING["client_id"]))
    assert await alice.status(first["access_token"]) == 200
    await alice.token(**EXPIRING, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert await alice.status(first["access_token"]) == 401


async def test_an_app_checks_resets_and_revokes_a_token(alice: Browser) -> None:
    """Check answers with the token's facts, reset replaces it, delete ends it: then it is 401."""
    client = APP["client_id"]
    token = (await alice.token(code=await alice.code()))["access_token"]
    status, body = await alice.by_app("POST", f"{client}/token", token)
    assert status == 200 and token in body
    status, body = await alice.by_app("PATCH", f"{client}/token", token)
    renewed = re.search(r'"token":"(gho_\w+)"', body)
    assert renewed is not None and await alice.status(token) == 401
    assert await alice.status(renewed[1]) == 200
    assert (await alice.by_app("DELETE", f"{client}/token", renewed[1]))[0] == 204
    assert await alice.status(renewed[1]) == 401
    assert (await alice.by_app("DELETE", f"{client}/token", renewed[1]))[0] == 404


async def test_only_its_own_app_may_end_a_token(alice: Browser) -> None:
    """Another app, a wrong secret or another id in the address changes nothing."""
    token = (await alice.token(code=await alice.code()))["access_token"]
    tries = [
        (f"{EXPIRING['client_id']}/token", EXPIRING, 404),
        (f"{APP['client_id']}/token", EXPIRING, 404),
        (f"{APP['client_id']}/token", {**APP, "client_secret": "guess"}, 401),
    ]
    for path, app, status in tries:
        assert (await alice.by_app("DELETE", path, token, app))[0] == status
    assert await alice.status(token) == 200


async def test_a_revoked_grant_ends_everything(github: Program) -> None:
    """Deleting the grant ends all of the person's tokens and brings the consent page back."""
    async with opened(github) as carol:
        await carol.sign_in("carol")
        tokens = [(await carol.token(code=await carol.code()))["access_token"] for _ in range(2)]
        assert (await carol.by_app("DELETE", f"{APP['client_id']}/grant", tokens[0]))[0] == 204
        assert [await carol.status(token) for token in tokens] == [401, 401]
        status, _, _ = await carol.authorize(client_id=APP["client_id"], scope="repo")
        assert status == 200


async def test_a_person_ends_an_apps_access(github: Program) -> None:
    """The settings page shows what was granted; its button ends every token."""
    async with opened(github) as zoe:
        await zoe.sign_in("zoe-l")
        page = f"{zoe.url}/settings/connections/applications/{APP['client_id']}"
        async with zoe.http.get(page) as answer:
            assert answer.status == 404
        token = (await zoe.token(code=await zoe.code()))["access_token"]
        async with zoe.http.get(page) as answer:
            assert answer.status == 200 and "private repositories" in await answer.text()
        async with zoe.http.post(page) as answer:
            assert answer.status == 200
        assert await zoe.status(token) == 401


async def test_the_sign_in_page_leads_nowhere_else(github: Program) -> None:
    """return_to is a path of the sandbox itself, whatever it is asked to be."""
    async with opened(github) as browser:
        for foreign in ("https://mallory.example/", "//mallory.example", "/\\mallory.example"):
            form = {"person": "alice", "return_to": foreign}
            address = f"{browser.url}/login"
            async with browser.http.post(address, data=form, allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/"
