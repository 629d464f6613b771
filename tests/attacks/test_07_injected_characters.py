"""Attack 7: line ends, control characters and parameters smuggled into headers, addresses and the log."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from local_broker import broker_environment
from programs import Program, start
from registered import allow, post, register
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio
NASTY = 'a\r\nSet-Cookie: mallory=1\r\n\r\n<script>&code=forged&iss=forged#"'


async def test_the_clients_state_stays_one_parameter(broker: Program) -> None:
    """A state full of line ends and ampersands comes back as it was, in one parameter of one header."""
    begun = Start(state=NASTY)
    async with Visitor(broker.url) as alice:
        page = await alice.begin(begun)
        assert "<script>" not in page.text
        answer = await alice.log_in(begun)
        assert answer.query["state"] == NASTY
        assert answer.query["iss"] == broker.url
        assert "mallory" not in "".join(answer.set_cookies)


async def test_an_answer_of_github_is_relayed_in_our_own_words(broker: Program) -> None:
    """Whatever stands in error and error_description, the instance gets one known word."""
    begun = Start()
    async with Visitor(broker.url) as alice:
        onward = (await alice.agree(await alice.begin(begun))).onward
        state = dict(pair.split("=") for pair in urlsplit(onward).query.split("&"))["state"]
        forged = "error=x%0d%0aSet-Cookie:a=b%26code=forged&error_description=%0d%0amallory"
        answer = await alice.get(f"{broker.url}/auth/github/callback?{forged}&state={state}")
        assert answer.query == {"error": "server_error", "state": begun.state, "iss": broker.url}


@pytest.mark.parametrize("value", [NASTY, "\x1b[2J\x00", "a&state=b&state=c", "%0d%0aX: y", "\u202e\u2028é"])
async def test_a_programs_state_and_nonce_stay_one_parameter_each(broker: Program, value: str) -> None:
    """At /authorize too: what comes back is what was sent, once, with the code as well as with an error."""
    async with Visitor(broker.url) as alice:
        program = await register(broker.url)
        back = await allow(alice, program.url(state=value, nonce=value))
        assert set(back.query) == {"code", "state", "iss"}
        assert (back.query["state"], back.query["iss"]) == (value, broker.url)
        wrong = await alice.get(program.url(state=value, response_type="token"))
        assert wrong.query["error"] == "unsupported_response_type"
        assert (wrong.query["state"], wrong.query["iss"]) == (value, broker.url)
        assert set(wrong.query) <= {"error", "error_description", "state", "iss"}
        tokens = await post(alice, "/token", program.redemption(back.query["code"]))
    assert tokens[0] == 200


REPEATED = [
    "client_id",
    "redirect_uri",
    "state",
    "nonce",
    "scope",
    "code_challenge",
    "request_uri",
    "dpop_jkt",
]


@pytest.mark.parametrize("name", REPEATED)
async def test_a_repeated_parameter_is_never_chosen_from(broker: Program, name: str) -> None:
    """Two programs that read different ones of two are how checks get bypassed: each at most once."""
    async with Visitor(broker.url) as alice:
        program = await register(broker.url)
        pairs = [*program.question().items(), (name, "x"), (name, "y")]
        for path in ("/authorize", "/auth/github"):
            answer = await alice.get(f"{broker.url}{path}?{urlencode(pairs)}")
            # Told on our own page, or, when the address itself is not in doubt, to that address alone.
            assert answer.status == 400 or answer.location.startswith(f"{program.redirect_uri}?error=")
            assert not answer.starts_a_login
        sent = "&".join((urlencode(pairs), urlencode({"client_secret": program.secret})))
        for path in ("/par", "/token"):
            status, body = await raw_post(broker.url + path, sent, "application/x-www-form-urlencoded")
            assert (status, "access_token" in body, '"request_uri":' in body) == (400, False, False)


async def test_an_address_cannot_bring_an_answer_of_its_own(broker: Program) -> None:
    """A registered address with `code`, `state` or `iss` in its query could make two of them: refused."""
    for address in (
        "https://a.example/cb?code=forged",
        "https://a.example/cb?x=1&iss=https://mallory.example",
        "https://a.example/cb?%63ode=forged",
        "https://a.example/cb\r\nX: y",
        "https://a.example/cb?a=b\r\nSet-Cookie: a=b",
    ):
        body = json.dumps({"redirect_uris": [address]})
        status, text = await raw_post(f"{broker.url}/register", body, "application/json")
        assert (status, json.loads(text)["error"]) == (400, "invalid_redirect_uri"), address
        async with Visitor(broker.url) as alice:
            form = {"callback": address, "name": "", "kind": "secret"}
            page = await alice.post(f"{broker.url}/apps/new", form)
        assert (page.status, "Client secret" in page.text) == (400, False)


async def test_what_was_asked_is_not_repeated_by_errors(broker: Program) -> None:
    """No error, on a page or as JSON, in a body or a header, gives back what stood in the request."""
    marker = "mallory-was-here"
    forms = ("redirect_uri", "client_id", "request_uri", "code", "grant_type", "token", "code_challenge")
    async with Visitor(broker.url) as alice:
        for path in ("/auth/github", "/authorize", "/auth/github/callback"):
            for name in (*forms, "error", "error_description", "state"):
                answer = await alice.get(f"{broker.url}{path}?{name}={marker}%0d%0aX-Mallory:1")
                assert (answer.status, "X-Mallory" in answer.headers) == (400, False)
                assert marker not in answer.text + str(answer.headers)
        for path in ("/token", "/par", "/revoke"):
            for name in forms:
                status, body = await post(alice, path, {name: f"{marker}\r\nX: y", "client_id": marker})
                assert 400 <= status < 500
                assert marker not in json.dumps(body)
        bearer = {"Authorization": f'Bearer {marker}", error="none'}
        for path in ("/userinfo", "/api/v1/user/me"):
            refused = await alice.ask("GET", broker.url + path, bearer)
            assert refused.status == 401
            assert marker not in refused.text + str(refused.headers)


async def raw_post(url: str, body: str, kind: str) -> tuple[int, str]:
    headers = {"Content-Type": kind}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=body.encode(), headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_nobody_writes_into_the_operators_terminal(sandbox: Program) -> None:
    """Line ends and escape sequences in an address do not forge a line or move the cursor in the log."""
    program = start(
        *("broker", "serve", "--dev", "--port", "0"),
        env=broker_environment(sandbox.url, TRACKEEP_LOG_FORMAT="text"),
    )
    address = urlsplit(program.url)
    for path in (b"/%1b[2J", b"/%9b2J", b"/%0a%0dforged", b"/%c2%9b2Jx%08"):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 404 " in await reader.read()
        writer.close()
    assert program.stop() == 0
    lines = program.stderr_text().splitlines()
    assert sum("[info" in line and " request " in line for line in lines) == 4
    assert not any(line.startswith("forged") for line in lines)
    assert all(letter.isprintable() for line in lines for letter in line)
