"""The service around the login: headers, cookies, its own address, health, keys, errors for programs."""

import json

import pytest
from local_broker import NOW, serve
from programs import Program
from visitor import NAVIGATION, Start, Visitor

pytestmark = pytest.mark.anyio


async def test_pages_load_nothing_and_are_kept_nowhere(broker: Program) -> None:
    """The policy names the one inline style by its hash; no page is framed or stored."""
    async with Visitor(broker.url) as alice:
        for page in (await alice.begin(Start()), await alice.get(f"{broker.url}/auth/github")):
            policy = page.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert policy.endswith("base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
            assert page.headers["X-Frame-Options"] == "DENY"
            assert page.headers["Referrer-Policy"] == "same-origin"
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["Cache-Control"] == "no-store"
            assert page.headers["X-Request-Id"]


async def test_on_https_cookies_are_bound_to_the_host(sandbox: Program) -> None:
    """`__Host-`, Secure, HttpOnly, the whole site, no domain; Strict for the form, Lax for the way back."""
    async with serve(sandbox.url, base_url="https://login.example") as broker, Visitor(broker.url) as alice:
        page = await alice.begin(Start())
        consent = page.set_cookies[0]
        answer = await alice.agree(page, sec_fetch_site="", origin="https://login.example")
        assert answer.status == 200
    assert consent.startswith("__Host-consent=")
    assert "SameSite=strict" in consent
    transaction = next(cookie for cookie in answer.set_cookies if "txn" in cookie)
    assert transaction.startswith("__Host-txn-")
    assert "SameSite=lax" in transaction
    for cookie in (consent, transaction):
        assert "; Path=/;" in cookie
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "domain" not in cookie.lower()


async def test_below_a_path_everything_stays_below_it(sandbox: Program) -> None:
    """A service at a sub-path: its links, its cookies and its address at GitHub."""
    async with (
        serve(sandbox.url, base_url="https://example.org/login") as broker,
        Visitor(broker.url) as alice,
    ):
        page = await alice.get(Start().url(f"{broker.url}/login"))
        assert 'action="/login/auth/github"' in page.text
        assert page.set_cookies[0].startswith("__Secure-consent=")
        assert "; Path=/login;" in page.set_cookies[0]
        assert (await alice.get(f"{broker.url}/login/healthz")).status == 200


async def test_the_host_header_changes_nothing(broker: Program) -> None:
    """Addresses are built from the settings: neither Host nor X-Forwarded-Host gets into them."""
    poison = {
        "host": "mallory.example",
        "x_forwarded_host": "mallory.example",
        "forwarded": "host=mallory.example",
    }
    async with Visitor(broker.url) as alice:
        page = await alice.get(Start().url(broker.url), **poison)
        onward = (await alice.agree(page, **poison)).onward
    assert "mallory" not in page.text + onward
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A" in onward


async def test_health_and_readiness(broker: Program) -> None:
    """Monitors get a status without touching a login."""
    async with Visitor(broker.url) as monitor:
        assert (await monitor.get(f"{broker.url}/healthz")).status == 200
        assert json.loads((await monitor.get(f"{broker.url}/readyz")).text) == {"status": "ok"}


async def test_the_key_set_is_public_and_cacheable(broker: Program) -> None:
    """Any page may read it, for an hour, and it holds nothing private."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.get(f"{broker.url}/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert [(key["kty"], key["alg"], "d" in key) for key in json.loads(answer.text)["keys"]] == [
        ("EC", "ES256", False),
        ("RSA", "RS256", False),
        ("EC", "ES256", False),
    ]


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer " + "x" * 9000]
)
async def test_who_am_i_without_a_token_of_ours(broker: Program, value: str) -> None:
    """401 with a challenge, readable by the page that asked."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.ask("GET", f"{broker.url}/api/v1/user/me", {"Authorization": value})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_who_am_i_answers_a_preflight(broker: Program) -> None:
    """A page elsewhere may send `Authorization`, and no cookies."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.ask("OPTIONS", f"{broker.url}/api/v1/user/me", {"Origin": "https://a.example"})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_login_token_lasts_seven_days(sandbox: Program) -> None:
    """After that the service no longer says who it belonged to."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        token = (await alice.log_in(Start(with_code=False))).query["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        broker.clock.now = NOW + 604_800
        assert (await alice.ask("GET", f"{broker.url}/api/v1/user/me", bearer)).status == 200
        broker.clock.now = NOW + 604_800 + 61
        assert (await alice.ask("GET", f"{broker.url}/api/v1/user/me", bearer)).status == 401


async def test_programs_get_their_errors_as_json(broker: Program) -> None:
    """Whoever does not read HTML gets a code, a sentence, a hint and the request's number."""
    async with Visitor(broker.url) as program:
        answer = await program.ask("GET", f"{broker.url}/auth/github", {"Accept": "application/json"})
        missing = await program.ask("GET", f"{broker.url}/nothing", {})
        wrong = await program.ask("GET", f"{broker.url}/token", {})
    assert answer.status == 400
    assert set(json.loads(answer.text)) == {"error", "error_description", "hint", "request_id"}
    assert (missing.status, wrong.status) == (404, 405)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
    ],
)
async def test_a_wrong_exchange_is_named_in_the_words_of_the_standard(
    broker: Program, form: dict[str, str], error: str
) -> None:
    """RFC 6749 section 5.2, always as JSON, also for a browser."""
    async with Visitor(broker.url) as anybody:
        answer = await anybody.ask("POST", f"{broker.url}/token", NAVIGATION, form)
    assert answer.status == 400
    assert json.loads(answer.text)["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_body_that_is_not_a_form_is_refused(broker: Program) -> None:
    """JSON, nothing at all and a megabyte are refused without an error of the program."""
    async with Visitor(broker.url) as anybody:
        headers = {"Content-Type": "application/json"}
        assert (await anybody.ask("POST", f"{broker.url}/token", headers)).status == 400
        big = await anybody.ask("POST", f"{broker.url}/token", {}, {"code": "x" * 1_000_000})
        assert big.status in (400, 413)


async def test_the_start_page_says_what_is_kept_and_how_to_end_access(
    broker: Program, sandbox: Program
) -> None:
    """Nothing is kept; access ends at GitHub; integrators see this service's own address."""
    async with Visitor(broker.url) as anybody:
        page = await anybody.get(f"{broker.url}/")
    assert "There is no database" in page.text
    assert f"{sandbox.url}/settings/applications" in page.text
    assert f"TRACKEEP_BROKER_URL={broker.url}" in page.text
