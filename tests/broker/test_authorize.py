"""The door for OAuth programs: to which address an answer goes, and what a request has to prove."""

import pytest
from local_broker import serve
from programs import Program
from registered import REDIRECT_URI, Registered, allow, post, register, tokens_of
from visitor import Visitor

pytestmark = pytest.mark.anyio

NO_PROOF = {"code_challenge": "", "code_challenge_method": ""}


@pytest.mark.parametrize(
    "other",
    [
        f"{REDIRECT_URI}/",
        f"{REDIRECT_URI}?x=1",
        REDIRECT_URI.replace("callback", "Callback"),
        REDIRECT_URI.replace("localhost", "127.0.0.1"),
        REDIRECT_URI.replace("http://", "https://"),
        "https://mallory.example/oauth/callback",
        "http://localhost.mallory.example/oauth/callback",
        "",
    ],
)
async def test_an_address_is_compared_letter_by_letter(broker: Program, other: str) -> None:
    """Whoever is not registered gets no answer, not even an error: the person sees a page here."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        answer = await alice.get(program.url(redirect_uri=other))
    assert answer.status == 400
    assert "Location" not in answer.headers
    assert "mallory" not in answer.text


async def test_a_program_on_this_computer_may_use_any_port(broker: Program) -> None:
    """It learns its port only when it starts (RFC 8252 section 7.3); everything else stays exact."""
    program = await register(broker.url, redirect_uri="http://127.0.0.1/callback", is_public=True)
    async with Visitor(broker.url) as alice:
        back = await allow(alice, program.url(redirect_uri="http://127.0.0.1:50123/callback"))
        assert back.location.startswith("http://127.0.0.1:50123/callback?code=")
        other = await alice.get(program.url(redirect_uri="http://127.0.0.1:50123/other"))
        assert other.status == 400
        form = program.redemption(back.query["code"], redirect_uri="http://127.0.0.1:50123/callback")
        status, body = await post(alice, "/token", form)
    assert (status, body["token_type"]) == (200, "bearer")


async def test_a_public_host_keeps_its_port(broker: Program) -> None:
    """On the open network another port is another program."""
    program = await register(broker.url, redirect_uri="https://list.example/callback")
    async with Visitor(broker.url) as alice:
        answer = await alice.get(program.url(redirect_uri="https://list.example:8443/callback"))
    assert answer.status == 400


async def test_the_answer_says_who_answers_and_keeps_the_programs_own_query(broker: Program) -> None:
    """`code`, `state` and `iss` once each, behind what the registered address already had."""
    program = await register(broker.url, redirect_uri="http://localhost:8765/in?tenant=7&b=%20")
    async with Visitor(broker.url) as alice:
        back = await allow(alice, program.url())
    assert back.status == 303
    assert back.location.startswith("http://localhost:8765/in?tenant=7&b=%20&code=")
    assert set(back.query) == {"tenant", "b", "code", "state", "iss"}
    assert (back.query["state"], back.query["iss"]) == (program.state, broker.url)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"prompt": "none"}, "interaction_required"),
        ({"prompt": "none login"}, "interaction_required"),
        ({"scope": "admin delete"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
    ],
)
async def test_a_registered_address_is_told_what_is_wrong(
    broker: Program, change: dict[str, str], error: str
) -> None:
    """Errors go back to the program, with its state and with who says so (RFC 6749 4.1.2.1, RFC 9207)."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        answer = await alice.get(program.url(**change))
    assert answer.status == 303
    assert answer.location.startswith(f"{REDIRECT_URI}?error={error}&")
    assert set(answer.query) == {"error", "error_description", "state", "iss"}
    assert (answer.query["state"], answer.query["iss"]) == (program.state, broker.url)


async def test_a_parameter_given_twice_is_refused(broker: Program) -> None:
    """RFC 6749 section 3.1: no parameter more than once, least of all the ones that say where."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        for name in ("client_id", "redirect_uri"):
            answer = await alice.get(f"{program.url()}&{name}=x")
            assert (answer.status, "Location" in answer.headers) == (400, False)
        answer = await alice.get(f"{program.url()}&scope=github")
        assert answer.query["error"] == "invalid_request"
        answer = await alice.get(f"{program.url()}&state=2")
        assert set(answer.query) == {"error", "error_description", "iss"}


async def test_a_public_program_needs_the_challenge(broker: Program) -> None:
    """Without a secret nothing else shows that whoever redeems is whoever began."""
    program = await register(broker.url, is_public=True)
    async with Visitor(broker.url) as alice:
        assert (await alice.get(program.url(**NO_PROOF))).query["error"] == "invalid_request"
        assert (await tokens_of(alice, program))["scope"] == "openid profile email"


async def test_a_program_with_a_secret_may_bring_a_nonce_instead(broker: Program) -> None:
    """The nonce in the id_token binds the answer to the question; neither of both is refused."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        assert (await tokens_of(alice, program, **NO_PROOF))["id_token"]
        for change in ({"nonce": ""}, {"scope": "profile email"}, {"scope": "github"}):
            answer = await alice.get(program.url(**NO_PROOF, **change))
            assert answer.query["error"] == "invalid_request"


async def test_a_challenge_cannot_be_talked_away(broker: Program) -> None:
    """Begun with a challenge it is redeemed with the verifier, secret or not; begun without, without."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        code = (await allow(alice, program.url())).query["code"]
        status, body = await post(alice, "/token", program.redemption(code, code_verifier=""))
        assert (status, body["error"]) == (400, "invalid_grant")
        code = (await allow(alice, program.url(**NO_PROOF))).query["code"]
        status, body = await post(alice, "/token", program.redemption(code))
        assert (status, body["error"]) == (400, "invalid_grant")


async def test_words_that_are_not_known_are_passed_over(broker: Program) -> None:
    """Many programs ask for `offline_access` or `groups` everywhere; the answer says what was granted."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program, scope="openid offline_access email groups")
    assert body["scope"] == "openid email"


@pytest.mark.parametrize("scope", ["github", "github repo", "openid github read:org user:email"])
async def test_scopes_are_answered_in_the_programs_own_words(broker: Program, scope: str) -> None:
    """Common libraries take a scope that they did not ask for as an attack."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        body = await tokens_of(alice, program, scope=scope)
    assert body["scope"] == scope
    assert body["access_token"].startswith("gho_")
    assert ("id_token" in body) is ("openid" in scope)
    assert body["user"]["username"] == "alice"


async def test_a_request_may_be_posted(broker: Program) -> None:
    """OpenID Connect Core section 3.1.2.1: the same page for a form as for a link."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        page = await alice.post(f"{broker.url}/authorize", program.question(), sec_fetch_site="cross-site")
        callback = await alice.sign_in_at_github((await alice.agree(page)).onward)
        back = await alice.get(callback)
    assert back.query["state"] == program.state


async def test_a_posted_request_is_asked_about_each_time(broker: Program) -> None:
    """What a browser remembers counts for links: a form may hold `prompt=consent` where nobody sees it."""
    program, own = await register(broker.url), {"referer": "http://localhost:8765/"}
    async with Visitor(broker.url) as alice:
        form = {"token": (await alice.get(program.url())).form_token, "remember": "yes"}
        await alice.post(f"{broker.url}/auth/github", form)
        assert (await alice.get(program.url(), **own)).status == 303
        posted = {**program.question(), "prompt": "consent"}
        page = await alice.post(f"{broker.url}/authorize", posted, **own)
        assert (page.status, page.starts_a_login) == (200, False)


async def test_an_unknown_program_is_never_followed(broker: Program) -> None:
    """A client id that was not made here, was changed, or belongs to another service, leads nowhere."""
    program = await register(broker.url)
    async with Visitor(broker.url) as alice:
        for client_id in ("x", program.id[:-2] + "AA", broker.url, "http://localhost:8765", ""):
            answer = await alice.get(program.url(client_id=client_id))
            assert answer.status in (400, 401)
            assert "Location" not in answer.headers


async def test_a_program_of_another_service_is_unknown(broker: Program, sandbox: Program) -> None:
    """Each service knows its own registrations alone."""
    async with serve(sandbox.url) as other, Visitor(broker.url) as alice:
        theirs = await register(other.url)
        answer = await alice.get(Registered(broker.url, theirs.id, "", REDIRECT_URI).url())
    assert answer.status == 401
